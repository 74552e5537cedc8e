package nats_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/freeport"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/middleware/storetest"
	"github.com/nextrush/nextrush/plugins/nats"
)

var (
	_ middleware.Store          = (*nats.Store)(nil)
	_ middleware.RateLimitStore = (*nats.Store)(nil)
)

// start runs a server; change may be nil.
func start(t *testing.T, change func(*server.Options)) *server.Server {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true}
	if change != nil {
		change(o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if o.Cluster.Port == 0 && !s.ReadyForConnections(30*time.Second) { // servers of a cluster wait for each other
		t.Fatal("the server does not start")
	}
	return s
}

func open(t *testing.T, o nats.Options) *nats.Store {
	t.Helper()
	s, err := nats.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// wait is for a server, which drops what is too old each second or so.
func wait(d time.Duration) { <-time.After(d + 2*time.Second) }

func TestNATSIsAStore(t *testing.T) {
	for name, start := range map[string]func(*testing.T) nats.Options{
		"one": func(t *testing.T) nats.Options { return nats.Options{URL: start(t, nil).ClientURL()} },
		"in this process": func(t *testing.T) nats.Options {
			s := start(t, func(o *server.Options) { o.DontListen = true })
			return nats.Options{Memory: true, Bucket: "other", Connect: []natsgo.Option{natsgo.InProcessServer(s)}}
		},
		"three": func(t *testing.T) nats.Options { return nats.Options{URL: cluster(t), Replicas: 3} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := start(t)
			store := open(t, o)
			for store.Set(t.Context(), "first", []byte("x"), time.Second) != nil { // a cluster elects first
				<-time.After(10 * time.Millisecond)
			}
			storetest.Run(t, store, wait)
			storetest.RunRateLimit(t, store, wait)
			everythingEnds(t, o)
		})
	}
}

func TestChangesAtOnceTakeFewRequests(t *testing.T) {
	const changes = 100
	server := start(t, nil)
	store := open(t, nats.Options{URL: server.ClientURL()})
	store.Count(t.Context(), "key", time.Hour)
	before := requests(t, server)
	var all sync.WaitGroup
	for range changes {
		all.Go(func() { store.Count(t.Context(), "key", time.Hour) })
	}
	all.Wait()
	if n, err := store.Count(t.Context(), "key", time.Hour); n != changes+2 || err != nil {
		t.Errorf("counted %d, %v", n, err)
	}
	if n := requests(t, server) - before; n > 4*changes+2 { // each reads and writes, twice
		t.Errorf("%d requests", n)
	}
}

func TestAChangeWaitsForItsTurnUntilItsContextEnds(t *testing.T) {
	store := open(t, nats.Options{URL: start(t, nil).ClientURL()})
	store.Count(t.Context(), "key", time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() { store.Count(ctx, "key", time.Hour) })
	}
	cancel()
	all.Wait()
	if _, err := store.Count(t.Context(), "key", time.Hour); err != nil {
		t.Error("afterwards:", err)
	}
}

// requests are the messages that a server has got.
func requests(t *testing.T, s *server.Server) int64 {
	v, err := s.Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	return v.InMsgs
}

// cluster starts three servers and returns the URLs of two.
func cluster(t *testing.T) string {
	var ports []int
	var routes []string
	for range 3 {
		port := freeport.Get(t)
		ports = append(ports, port)
		routes = append(routes, fmt.Sprint("nats://127.0.0.1:", port))
	}
	var servers []*server.Server
	for i, port := range ports {
		servers = append(servers, start(t, func(o *server.Options) {
			o.ServerName = fmt.Sprint("server", i)
			o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port}
			o.Routes = server.RoutesFromStr(strings.Join(routes, ","))
		}))
	}
	for _, s := range servers {
		if !s.ReadyForConnections(30 * time.Second) {
			t.Fatal("a server does not start")
		}
	}
	return servers[1].ClientURL() + "," + servers[2].ClientURL()
}

// everythingEnds looks for messages without a time, in a bucket with hashes for keys.
func everythingEnds(t *testing.T, o nats.Options) {
	nc, err := natsgo.Connect(o.URL, o.Connect...)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "KV_"+cmp.Or(o.Bucket, "nextrush"))
	if err != nil {
		t.Fatal(err)
	}
	state := stream.CachedInfo().State
	if state.Msgs == 0 || stream.CachedInfo().Config.Replicas != max(1, o.Replicas) {
		t.Errorf("%+v", stream.CachedInfo())
	}
	for seq := state.FirstSeq; seq <= state.LastSeq; seq++ {
		m, err := stream.GetMsg(t.Context(), seq)
		if err == nil && (m.Header.Get("Nats-TTL") == "" || strings.Contains(m.Subject, "test")) {
			t.Errorf("%s: %v", m.Subject, m.Header)
		}
	}
}

func TestAStoreWaitsForItsServer(t *testing.T) {
	s := start(t, nil)
	_, port, _ := net.SplitHostPort(s.Addr().String())
	o := nats.Options{URL: s.ClientURL(), Connect: []natsgo.Option{natsgo.ReconnectWait(10 * time.Millisecond)}}
	s.Shutdown()
	s.WaitForShutdown()
	store := open(t, o)
	ops := map[string]func() error{
		"Get":    func() error { _, err := store.Get(t.Context(), "key"); return err },
		"Set":    func() error { return store.Set(t.Context(), "key", []byte("x"), time.Hour) },
		"Add":    func() error { _, err := store.Add(t.Context(), "key", []byte("x"), time.Hour); return err },
		"Remove": func() error { _, err := store.Remove(t.Context(), "key"); return err },
		"Count":  func() error { _, err := store.Count(t.Context(), "count", time.Hour); return err },
		"Take": func() error {
			_, err := store.Take(t.Context(), "key", middleware.TokenBucket{Burst: 1, Interval: time.Hour})
			return err
		},
	}
	for range 2 { // with a server that forgets what it had
		for name, op := range ops {
			err := op()
			if errors.Is(err, context.DeadlineExceeded) { // it has been sent before the connection was known to be lost
				err = op()
			}
			if !errors.Is(err, natsgo.ErrDisconnected) {
				t.Errorf("%s without a server: %v", name, err)
			}
		}
		s = start(t, func(o *server.Options) { o.Port, _ = strconv.Atoi(port) })
		for name, op := range ops {
			for err := op(); err != nil; err = op() {
				if t.Context().Err() != nil {
					t.Fatal(name, err)
				}
				<-time.After(10 * time.Millisecond)
			}
		}
		s.Shutdown()
		s.WaitForShutdown()
	}
}

func TestWhatAServerLacksIsSaid(t *testing.T) {
	s := start(t, nil)
	nc, err := natsgo.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for _, config := range []jetstream.StreamConfig{
		{Name: "KV_old", Subjects: []string{"$KV.old.>"}, MaxMsgsPerSubject: 1},
		{Name: "KV_theirs", Subjects: []string{"$KV.theirs.>"}, MaxMsgsPerSubject: 5, AllowMsgTTL: true},
		{Name: "KV_stale", Subjects: []string{"$KV.stale.>"}, MaxMsgsPerSubject: 1, AllowMsgTTL: true, AllowDirect: true},
	} {
		if _, err := js.CreateStream(t.Context(), config); err != nil {
			t.Fatal(err)
		}
	}
	none := start(t, func(o *server.Options) { o.JetStream = false })
	for _, test := range []struct{ url, bucket, want string }{
		{s.ClientURL(), "old", "2.11"},
		{s.ClientURL(), "theirs", "set Bucket"},
		{s.ClientURL(), "stale", "set Bucket"},
		{none.ClientURL(), "new", "JetStream"},
	} {
		store := open(t, nats.Options{URL: test.url, Bucket: test.bucket})
		if _, err := store.Get(t.Context(), "key"); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.bucket, err)
		}
	}
}

func TestWrongOptionsAreErrors(t *testing.T) {
	for _, o := range []nats.Options{
		{URL: "nats://:secret%zz@h"}, {URL: "nats://:sec#secret@h:x"}, {Bucket: "a.b"}, {Bucket: "a b"}, {Bucket: ">"},
		{Connect: []natsgo.Option{natsgo.RootCAs("/none")}},
	} {
		s, err := nats.New(o)
		if err == nil {
			s.Close()
		}
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestBucketsShareNothing(t *testing.T) {
	s := start(t, nil)
	for _, bucket := range []string{"one", "two"} {
		store := open(t, nats.Options{URL: s.ClientURL(), Bucket: bucket})
		if existing, err := store.Add(t.Context(), "key", []byte("x"), time.Hour); existing != nil || err != nil {
			t.Errorf("%s: %q, %v", bucket, existing, err)
		}
	}
}

func Example() {
	store, err := nats.Open("nats://localhost:4222")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	app := nextrush.New()
	app.Use(middleware.RateLimit(middleware.RateLimitOptions{Store: store}))
	app.Use(middleware.Cache(middleware.CacheOptions{Store: store}))
}
