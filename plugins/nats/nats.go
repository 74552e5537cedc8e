// Package nats keeps in NATS what a program must not keep in one process if it has several:
// what middleware.Cache and middleware.Idempotency keep, the limits of
// middleware.RateLimit, and the tickets of plugins/auth.
//
//	store, err := nats.Open("nats://localhost:4222")
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	app.Use(middleware.RateLimit(middleware.RateLimitOptions{Store: store}))
//	app.Use(middleware.Cache(middleware.CacheOptions{Store: store}))
//	app.Register(auth.New(auth.Options{Keys: keys, Tickets: auth.Tickets(store)}))
//
// It needs a server of version 2.11 with JetStream. Keys are hashes; values are not
// encrypted, and no larger than the server's max_payload, which is 1 MB by default. Times are
// kept by the clock of the server, in whole seconds.
package nats

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Options says which NATS, and how it is used. The zero value is the server on this machine.
type Options struct {
	// URL is that of one server or of several, separated by commas:
	// nats://user:password@host:4222, or tls://. Empty: nats://127.0.0.1:4222.
	URL string
	// Bucket is where everything is kept, as a bucket of NATS's key-value store that is made
	// if there is none. Empty: "nextrush".
	Bucket   string
	Replicas int   // servers that keep the bucket, if it is made: 1, 3 or 5; 0: 1
	Memory   bool  // of the servers keeps the bucket, if it is made, not their disks
	MaxBytes int64 // of the bucket, if it is made; then what was stored first is forgotten; 0: no limit but the server's

	// Connect has more options, such as nats.UserCredentials, nats.RootCAs, or
	// nats.InProcessServer for a server in this process.
	Connect []nats.Option
}

// Store is a middleware.Store and a middleware.RateLimitStore, and for auth.Tickets. Its
// methods are safe from any goroutine. They end at the deadline of their context, or fail
// after 3 s without an answer, and at once while there is no connection.
type Store struct {
	options Options
	nc      *nats.Conn
	js      jetstream.JetStream
	clock   clock

	turns  turns
	mu     sync.Mutex // guards bucket
	bucket jetstream.Stream
}

// timeout is for one call.
const timeout = 3 * time.Second

// Open returns a store for the NATS with that URL; see [Options].
func Open(url string) (*Store, error) { return New(Options{URL: url}) }

// New is Open with options. It fails if they are wrong; if the server cannot be reached, it
// goes on trying, and methods of the store fail until then.
func New(o Options) (*Store, error) {
	if o.URL == "" {
		o.URL = nats.DefaultURL
	}
	if o.Bucket == "" {
		o.Bucket = "nextrush"
	}
	if strings.Trim(o.Bucket, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		return nil, fmt.Errorf("nats: Bucket %q: use letters, digits, _ and -", o.Bucket)
	}
	// What waited for the connection would come when nobody expects it any more.
	always := []nats.Option{nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(), nats.ReconnectBufSize(-1)}
	nc, err := nats.Connect(o.URL, append(always, o.Connect...)...)
	if _, ok := errors.AsType[*url.Error](err); ok {
		return nil, errors.New("nats: malformed URL: the user and the password have to be percent-encoded, as by url.UserPassword")
	}
	if err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, err
	}
	return &Store{options: o, nc: nc, js: js}, nil
}

// Close closes the connection.
func (s *Store) Close() error {
	s.nc.Close()
	return nil
}

// stream returns the stream of the bucket, and makes it if there is none.
func (s *Store) stream(ctx context.Context) (jetstream.Stream, error) {
	if !s.nc.IsConnected() {
		return nil, fmt.Errorf("nats: not connected: %w", errors.Join(nats.ErrDisconnected, s.nc.LastError()))
	}
	s.mu.Lock()
	bucket := s.bucket
	s.mu.Unlock()
	if bucket != nil {
		return bucket, nil
	}
	bucket, err := s.openBucket(ctx)
	if err != nil {
		return nil, fmt.Errorf("nats: bucket %s: %w", s.options.Bucket, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bucket = bucket
	return bucket, nil
}

// openBucket finds or makes the stream of a bucket without direct reads, which another
// replica than the leader may answer, too late.
func (s *Store) openBucket(ctx context.Context) (jetstream.Stream, error) {
	name := "KV_" + s.options.Bucket
	bucket, err := s.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		storage := jetstream.FileStorage
		if s.options.Memory {
			storage = jetstream.MemoryStorage
		}
		bucket, err = s.js.CreateStream(ctx, jetstream.StreamConfig{
			Name: name, Subjects: []string{s.subject("") + ">"}, MaxMsgsPerSubject: 1, AllowMsgTTL: true,
			Replicas: max(1, s.options.Replicas), Storage: storage,
			MaxBytes: s.options.MaxBytes,
		})
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another process was faster
			bucket, err = s.js.Stream(ctx, name)
		}
	}
	if errors.Is(err, nats.ErrNoResponders) {
		return nil, fmt.Errorf("JetStream does not answer, so it is not enabled, or elects its leader: %w", err)
	}
	if err != nil {
		return nil, err
	}
	switch config := bucket.CachedInfo().Config; {
	case !config.AllowMsgTTL:
		return nil, errors.New("its keys cannot have a time each: that needs a server of version 2.11, and a bucket that this package has made: set Bucket to the name of another")
	case config.AllowDirect || config.MaxMsgsPerSubject != 1:
		return nil, errors.New("it was made by something else: set Bucket to the name of another")
	}
	return bucket, nil
}

func (s *Store) subject(token string) string { return "$KV." + s.options.Bucket + "." + token }

// subjectOf is that of a key, which may have any bytes.
func (s *Store) subjectOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return s.subject(base64.RawURLEncoding.EncodeToString(sum[:]))
}
