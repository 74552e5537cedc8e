package nats

import (
	"context"
	"fmt"
	"time"
)

// Get returns the value of a key; nil: there is none.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	e, err := s.read(ctx, s.subjectOf(key))
	return e.value, err
}

// Set keeps a value for ttl; nil removes the one there is.
func (s *Store) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	_, err := s.write(ctx, s.subjectOf(key), value, ttl)
	return err
}

// Add is Set if there is no value; otherwise it returns that.
func (s *Store) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (existing []byte, err error) {
	err = s.change(ctx, key, func(e entry) ([]byte, time.Duration, bool) {
		existing = e.value
		return value, ttl, existing == nil
	})
	return existing, err
}

// Remove removes a value and returns it, in one step, so that only one of several calls at
// once gets it; nil: there is none.
func (s *Store) Remove(ctx context.Context, key string) (value []byte, err error) {
	err = s.change(ctx, key, func(e entry) ([]byte, time.Duration, bool) {
		value = e.value
		return nil, 0, value != nil
	})
	if err != nil {
		return nil, err
	}
	return value, nil
}

// Count adds one to the number under a key, which is of no other use, and returns it. The
// number is forgotten when ttl has passed since it was 1.
func (s *Store) Count(ctx context.Context, key string, ttl time.Duration) (n int64, err error) {
	if err := s.clock.set(ctx, s); err != nil {
		return 0, err
	}
	err = s.change(ctx, key, func(e entry) ([]byte, time.Duration, bool) {
		now := s.clock.now(e.at)
		var end int64
		n = 0
		if fmt.Sscan(string(e.value), &n, &end); end <= now.UnixNano() {
			n, end = 0, now.Add(ttl).UnixNano()
		}
		n++
		return fmt.Appendf(nil, "%d %d", n, end), time.Duration(end - now.UnixNano()), true
	})
	return n, err
}
