// Package redis keeps sessions in Redis, so that all processes of a program share them
// and a restart loses none.
//
//	store, err := redis.Open("redis://localhost:6379/0")
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	app.Register(session.New(session.Options{Store: store}))
//
// Redis drops a session when its time is up. It sees a hash of the id, not the id.
package redis

import (
	"context"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/redis/go-redis/v9"
)

// Prefix is the prefix of the keys of sessions.
const Prefix = "scs:session:"

// Store is an scs.Store for session.Options.Store. While Redis cannot be reached,
// requests that need their session are answered with an error, and no session is lost.
// Its methods are safe from any goroutine.
type Store struct {
	*goredisstore.RedisStore
	client *redis.Client
}

// Open returns a store for the Redis with that URL, redis:// or, for TLS, rediss://
// (https://www.iana.org/assignments/uri-schemes/prov/redis). It fails if the URL is
// malformed; it connects only when the connection is needed.
func Open(url string) (*Store, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	client := redis.NewClient(options)
	return &Store{goredisstore.NewWithPrefix(client, Prefix), client}, nil
}

// Update makes s a session.Updater.
func (s *Store) Update(ctx context.Context, token string, b []byte, expiry time.Time) (found bool, err error) {
	if b == nil {
		return s.client.PExpireAt(ctx, Prefix+token, expiry).Result()
	}
	left := max(time.Until(expiry), time.Millisecond) // 0 would keep it forever
	return s.client.SetXX(ctx, Prefix+token, b, left).Result()
}

// Close closes the connections.
func (s *Store) Close() error { return s.client.Close() }
