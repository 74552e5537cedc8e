package e2e

import (
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"

	"github.com/nextrush/nextrush/internal/freeport"
	"github.com/nextrush/nextrush/internal/redistest"
	"github.com/nextrush/nextrush/plugins/nats"
	"github.com/nextrush/nextrush/plugins/redis"
)

func serveRedis(t *testing.T) storeServer {
	s := redistest.Start(t)
	s.Kill()
	return storeServer{open: func() (shared, error) { return redis.Open(s.URL()) }, stop: s.Kill, start: s.Start}
}

func serveNATS(t *testing.T) storeServer {
	port := freeport.Get(t)
	var s *server.Server
	stop := func() {
		if s != nil {
			s.Shutdown()
			s.WaitForShutdown()
			s = nil
		}
	}
	t.Cleanup(stop)
	return storeServer{
		open: func() (shared, error) {
			return nats.New(nats.Options{URL: "nats://127.0.0.1:" + strconv.Itoa(port), Connect: []natsgo.Option{natsgo.ReconnectWait(10 * time.Millisecond)}})
		},
		stop: stop,
		start: func() {
			var err error
			if s, err = server.NewServer(&server.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: t.TempDir(), NoSigs: true}); err != nil {
				t.Fatal(err)
			}
			go s.Start()
			if !s.ReadyForConnections(30 * time.Second) {
				t.Fatal("NATS does not start")
			}
		},
	}
}
