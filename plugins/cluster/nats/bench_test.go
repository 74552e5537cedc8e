package nats_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/nextrush/nextrush/plugins/cluster/nats"
	"github.com/nextrush/nextrush/websocket/broker"
)

// counter is a node that counts what arrives.
type counter struct {
	arrived atomic.Int64
	up      chan bool
}

func (c *counter) Deliver(batch []broker.Delivery) { c.arrived.Add(int64(len(batch))) }
func (c *counter) Lost([]string, error)            {}
func (c *counter) Invalid(error)                   {}
func (c *counter) Up(bool, error)                  { c.up <- true }

// Batches of 256 envelopes of 100 bytes to one room, or to as many.
func BenchmarkPublish(b *testing.B) {
	for _, rooms := range []int{1, 256} {
		for name, keep := range map[string]broker.Retention{"plain": {}, "kept": hundred} {
			b.Run(fmt.Sprintf("%s rooms=%d", name, rooms), func(b *testing.B) {
				opts := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, JetStream: true, StoreDir: b.TempDir()}
				s, err := server.NewServer(opts)
				if err != nil {
					b.Fatal(err)
				}
				s.Start()
				defer s.Shutdown()
				s.ReadyForConnections(limit)
				benchmark(b, s.ClientURL(), rooms, keep)
			})
		}
	}
}

func benchmark(b *testing.B, url string, rooms int, keep broker.Retention) {
	c, self := &counter{up: make(chan bool, 9)}, broker.NewNodeID()
	n, err := nats.Open(url)
	if err != nil {
		b.Fatal(err)
	}
	if err := n.Start(b.Context(), self, c); err != nil {
		b.Fatal(err)
	}
	defer n.Close(b.Context())
	<-c.up
	batch := make([]broker.Envelope, 256)
	var names []string
	for i := range batch {
		batch[i] = broker.Envelope{From: self, Room: fmt.Sprint("room ", i%rooms), Keep: keep, Body: make([]byte, 100)}
		names = append(names, batch[i].Room)
	}
	if err := n.Watch(b.Context(), names, nil); err != nil {
		b.Fatal(err)
	}
	seq := uint64(0)
	for b.Loop() {
		for i := range batch {
			seq++
			batch[i].Seq = seq
		}
		if err := n.Publish(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	for over := time.Now().Add(limit); c.arrived.Load() < int64(seq) && time.Now().Before(over); {
		<-time.After(time.Millisecond)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(seq), "ns/envelope")
	b.ReportMetric(float64(c.arrived.Load())/float64(seq)*100, "%arrived")
}
