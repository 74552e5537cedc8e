// Package redis keeps sessions in Redis, where all processes of a program see
// them and a restart loses none.
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

// Prefix is what the keys of sessions begin with.
const Prefix = "scs:session:"

// Store is an scs.Store for session.Options.Store. While Redis cannot be reached,
// requests that need their session are answered with an error, and none is lost.
// It is safe from any goroutine.
type Store struct {
	*goredisstore.RedisStore
	client *redis.Client
}

// Open makes a store for a Redis by its URL, redis:// or rediss:// for TLS
// (https://www.iana.org/assignments/uri-schemes/prov/redis). A malformed URL is an
// error; the connection is made when it is needed.
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
	left := max(time.Until(expiry), time.Millisecond) // for without any it would stay for ever
	return s.client.SetXX(ctx, Prefix+token, b, left).Result()
}

// Close closes the connections.
func (s *Store) Close() error { return s.client.Close() }
