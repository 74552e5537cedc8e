// Package redis keeps in Redis what middleware.Cache and middleware.Idempotency keep, so
// that all processes of a program share it.
//
//	store, err := redis.Open("redis://localhost:6379/0")
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	app.Use(middleware.Cache(middleware.CacheOptions{Store: store}))
//
// Keys begin with nextrush: and have hashes of URLs, users and keys. Cached answers may
// be dropped when Redis is full, those of Idempotency must not be: give each its own
// Redis, with maxmemory-policy allkeys-lru and noeviction.
package redis

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// Prefix is the prefix of all keys.
const Prefix = "nextrush:"

// Store is a middleware.Store. Its methods are safe from any goroutine.
type Store struct{ client *redis.Client }

// Open returns a store for the Redis with that URL, redis:// or, for TLS, rediss://
// (https://www.iana.org/assignments/uri-schemes/prov/redis). It fails if the URL is
// malformed; it connects only when the connection is needed.
func Open(url string) (*Store, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	return &Store{redis.NewClient(options)}, nil
}

// Get returns the value of a key; nil: there is none.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := s.client.Get(ctx, Prefix+key).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return value, err
}

// Set keeps a value for ttl, at least a millisecond; nil removes the one there is.
func (s *Store) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if value == nil {
		return s.client.Del(ctx, Prefix+key).Err()
	}
	return s.client.Set(ctx, Prefix+key, value, atLeast(ttl)).Err()
}

// Add is Set if there is no value; otherwise it returns that.
func (s *Store) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (existing []byte, err error) {
	for existing == nil {
		added, err := s.client.SetNX(ctx, Prefix+key, value, atLeast(ttl)).Result()
		if added || err != nil {
			return nil, err
		}
		if existing, err = s.Get(ctx, key); err != nil { // nil if it has expired since
			return nil, err
		}
	}
	return existing, nil
}

// atLeast keeps Redis from keeping a value for ever.
func atLeast(ttl time.Duration) time.Duration { return max(ttl, time.Millisecond) }

// Close closes the connections.
func (s *Store) Close() error { return s.client.Close() }
