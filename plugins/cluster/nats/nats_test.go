package nats_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/nextrush/nextrush/plugins/cluster/nats"
	"github.com/nextrush/nextrush/websocket/broker"
	"github.com/nextrush/nextrush/websocket/brokertest"
)

// natsd is a NATS server of a test.
type natsd struct {
	t    *testing.T
	opts server.Options
	*server.Server
}

func newServer(t *testing.T, opts server.Options) *natsd {
	t.Helper()
	opts.Host, opts.NoLog, opts.NoSigs, opts.MaxPayload = "127.0.0.1", true, true, 4<<20
	opts.Port = server.RANDOM_PORT
	s := &natsd{t: t, opts: opts}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *natsd) start() {
	s.t.Helper()
	opts := s.opts
	var err error
	if s.Server, err = server.NewServer(&opts); err != nil {
		s.t.Fatal(err)
	}
	s.Server.Start()
	if !s.ReadyForConnections(30 * time.Second) {
		s.t.Fatal("the server does not get ready")
	}
	s.opts.Port = opts.Port
}

func (s *natsd) stop() {
	s.Shutdown()
	s.WaitForShutdown()
}

func open(t *testing.T, o nats.Options) *nats.Broker {
	t.Helper()
	b, err := nats.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// plain is a broker without its history.
type plain struct{ broker.Broker }

func TestOneServerKeepsTheContract(t *testing.T) {
	s := newServer(t, server.Options{})
	brokertest.Test(t, brokertest.Engine{
		Open: func(t *testing.T) broker.Broker { return plain{open(t, nats.Options{URL: s.ClientURL()})} },
		Cut: func(t *testing.T) (mend func()) {
			s.stop()
			return s.start
		},
	})
}

func TestJetStreamKeepsTheContract(t *testing.T) {
	s := newServer(t, server.Options{JetStream: true, StoreDir: t.TempDir()})
	brokertest.Test(t, brokertest.Engine{
		Open: func(t *testing.T) broker.Broker { return open(t, nats.Options{URL: s.ClientURL()}) },
		Cut: func(t *testing.T) (mend func()) {
			s.stop()
			return s.start
		},
	})
}

func TestPartitionsKeepTheContract(t *testing.T) {
	s := newServer(t, server.Options{JetStream: true, StoreDir: t.TempDir()})
	brokertest.Test(t, brokertest.Engine{
		Open: func(t *testing.T) broker.Broker {
			return open(t, nats.Options{URL: s.ClientURL(), Partitions: 8, Streams: nats.Streams{Memory: true}})
		},
	})
}

func TestURLsThatAreMistakesNameTheFix(t *testing.T) {
	for url, want := range map[string]string{
		"http://localhost":           "nats, tls, ws or wss",
		"nats://":                    "without a host",
		"nats://user:secret@%zz:422": "malformed",
		"nats://a:1,b://c":           "not known",
	} {
		_, err := nats.Open(url)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want a text with %q", url, err, want)
		}
	}
}
