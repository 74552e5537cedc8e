package middleware

import (
	"container/list"
	"context"
	"strconv"
	"sync"
	"time"
)

// Store keeps bytes under keys for a time, for Cache and Idempotency. Its methods are safe
// from any goroutine, and nobody changes a value that it was given or has returned.
// Processes that share one share what they keep: see plugins/redis and plugins/nats.
// Package storetest tests stores.
type Store interface {
	// Get returns the value of a key; nil: there is none.
	Get(ctx context.Context, key string) ([]byte, error)
	// Set keeps a value for ttl, which is positive; nil removes the one there is.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Add is Set if there is no value, in one step. If there is one, it changes nothing
	// and returns that.
	Add(ctx context.Context, key string, value []byte, ttl time.Duration) (existing []byte, err error)
}

const itemOverhead = 200 // bytes of an item besides its key and value, about

// MemoryStore is a Store in the memory of this process.
type MemoryStore struct {
	max int64

	mu    sync.Mutex // guards what follows
	size  int64
	items map[string]*list.Element // of item
	used  list.List                // the one used last in front
}

type item struct {
	key     string
	value   []byte
	expires time.Time
}

func (i *item) size() int64 { return int64(len(i.key)+len(i.value)) + itemOverhead }

// NewMemoryStore returns a store that holds about max bytes, and then forgets what was not
// used for longest. It panics if max is not positive.
func NewMemoryStore(max int64) *MemoryStore {
	if max <= 0 {
		panic("middleware: NewMemoryStore: the size is not positive: give a number of bytes")
	}
	return &MemoryStore{max: max, items: make(map[string]*list.Element)}
}

// Get returns the value of a key; nil: there is none.
func (s *MemoryStore) Get(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.getLocked(key), nil
}

// Set keeps a value for ttl; nil removes the one there is. One that is larger than the
// store is not kept.
func (s *MemoryStore) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setLocked(key, value, ttl)
	return nil
}

// Add is Set if there is no value; otherwise it returns that.
func (s *MemoryStore) Add(_ context.Context, key string, value []byte, ttl time.Duration) (existing []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if existing = s.getLocked(key); existing == nil {
		s.setLocked(key, value, ttl)
	}
	return existing, nil
}

// Remove removes a value and returns it, in one step, so that only one of several calls at
// once gets it; nil: there is none.
func (s *MemoryStore) Remove(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value := s.getLocked(key)
	if value != nil {
		s.removeLocked(s.items[key])
	}
	return value, nil
}

// Count adds one to the number under a key, which is of no other use, and returns it. The
// number is forgotten when ttl has passed since it was 1.
func (s *MemoryStore) Count(_ context.Context, key string, ttl time.Duration) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := int64(1)
	if kept := s.getLocked(key); kept != nil {
		before, _ := strconv.ParseInt(string(kept), 10, 64)
		n, ttl = before+1, time.Until(s.items[key].Value.(*item).expires)
	}
	s.setLocked(key, strconv.AppendInt(nil, n, 10), ttl)
	return n, nil
}

func (s *MemoryStore) getLocked(key string) []byte {
	e := s.items[key]
	if e == nil {
		return nil
	}
	it := e.Value.(*item)
	if !time.Now().Before(it.expires) {
		s.removeLocked(e)
		return nil
	}
	s.used.MoveToFront(e)
	return it.value
}

func (s *MemoryStore) setLocked(key string, value []byte, ttl time.Duration) {
	if e := s.items[key]; e != nil {
		s.removeLocked(e)
	}
	it := &item{key, value, time.Now().Add(ttl)}
	if value == nil || it.size() > s.max {
		return
	}
	s.items[key] = s.used.PushFront(it)
	s.size += it.size()
	for s.size > s.max {
		s.removeLocked(s.used.Back())
	}
}

func (s *MemoryStore) removeLocked(e *list.Element) {
	it := s.used.Remove(e).(*item)
	delete(s.items, it.key)
	s.size -= it.size()
}
