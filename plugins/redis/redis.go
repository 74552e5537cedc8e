// Package redis keeps in Redis what a program must not keep in one process if it has
// several: what middleware.Cache and middleware.Idempotency keep, the limits of
// middleware.RateLimit, and the tickets of plugins/auth.
//
//	store, err := redis.Open("redis://localhost:6379/0")
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	app.Use(middleware.RateLimit(middleware.RateLimitOptions{Store: store}))
//	app.Use(middleware.Cache(middleware.CacheOptions{Store: store}))
//	app.Register(auth.New(auth.Options{Keys: keys, Tickets: auth.Tickets(store)}))
//
// It needs Redis 6.2. Keys begin with nextrush: and have hashes of URLs, users and keys;
// values are not encrypted. Cached answers and limits may be dropped when Redis is full,
// those of Idempotency must not be: give each its own Redis, with maxmemory-policy
// allkeys-lru and noeviction.
package redis

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// Prefix is the prefix of all keys, unless Options has another.
const Prefix = "nextrush:"

// Options says which Redis, and how it is used. Only URL is needed.
type Options struct {
	URL    string // see Connect
	Prefix string // of all keys; empty: Prefix
}

// Store is a middleware.Store and a middleware.RateLimitStore, and for auth.Tickets. Its
// methods are safe from any goroutine. They fail at the deadline of their context, or after
// 3 s, however many others wait for a server that hangs. They do not send again what may have been done, except that
// in Redis Cluster a command may be sent to a second server.
type Store struct {
	client redis.UniversalClient
	prefix string
}

// Open returns a store for the Redis with that URL; see [Connect].
func Open(url string) (*Store, error) { return New(Options{URL: url}) }

// New is Open with options.
func New(o Options) (*Store, error) {
	client, err := Connect(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Prefix == "" {
		o.Prefix = Prefix
	}
	return &Store{client, o.Prefix}, nil
}

// Get returns the value of a key; nil: there is none.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return value(s.client.Get(ctx, s.prefix+key))
}

// value is what was found, and nil only if nothing was.
func value(found *redis.StringCmd) ([]byte, error) {
	value, err := found.Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []byte(value), nil
}

// Set keeps a value for ttl, at least a millisecond; nil removes the one there is.
func (s *Store) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if value == nil {
		return s.client.Del(ctx, s.prefix+key).Err()
	}
	return s.client.Set(ctx, s.prefix+key, value, atLeast(ttl)).Err()
}

// Add is Set if there is no value; otherwise it returns that.
func (s *Store) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (existing []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for existing == nil {
		added, err := s.client.SetNX(ctx, s.prefix+key, value, atLeast(ttl)).Result()
		if added || err != nil {
			return nil, err
		}
		if existing, err = s.Get(ctx, key); err != nil { // nil if it has expired since
			return nil, err
		}
	}
	return existing, nil
}

// Remove removes a value and returns it, in one step, so that only one of several calls at
// once gets it; nil: there is none.
func (s *Store) Remove(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return value(s.client.GetDel(ctx, s.prefix+key))
}

// Count adds one to the number under a key, which is of no other use, and returns it. The
// number is forgotten when ttl has passed since it was 1.
func (s *Store) Count(ctx context.Context, key string, ttl time.Duration) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var n *redis.IntCmd
	_, err := s.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.SetNX(ctx, s.prefix+key, 0, atLeast(ttl))
		n = p.Incr(ctx, s.prefix+key)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n.Val(), nil
}

// atLeast keeps Redis from keeping a value for ever.
func atLeast(ttl time.Duration) time.Duration { return max(ttl, time.Millisecond) }

// Close closes the connections.
func (s *Store) Close() error { return s.client.Close() }
