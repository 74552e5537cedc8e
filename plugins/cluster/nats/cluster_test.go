package nats_test

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"

	"github.com/nextrush/nextrush/internal/freeport"
	"github.com/nextrush/nextrush/plugins/cluster/nats"
	"github.com/nextrush/nextrush/websocket/broker"
	"github.com/nextrush/nextrush/websocket/brokertest"
)

// newCluster starts servers that are one NATS.
func newCluster(t *testing.T, n int) (servers []*natsd) {
	t.Helper()
	var routes []*url.URL
	ports := make([]int, n)
	for i := range n {
		ports[i] = freeport.Get(t)
		routes = append(routes, &url.URL{Scheme: "nats", Host: "127.0.0.1:" + strconv.Itoa(ports[i])})
	}
	for i := range n {
		servers = append(servers, newServer(t, server.Options{
			ServerName: fmt.Sprint("n", i), JetStream: true, StoreDir: t.TempDir(), Routes: routes,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[i]},
		}))
	}
	return servers
}

func TestServersOfOneClusterKeepTheContract(t *testing.T) {
	servers, next := newCluster(t, 3), 0
	awaitJetStream(t, servers)
	brokertest.Test(t, brokertest.Engine{Open: func(t *testing.T) broker.Broker {
		next++
		return open(t, nats.Options{URL: servers[next%len(servers)].ClientURL(), Connect: ownServer, Streams: nats.Streams{Replicas: 3}})
	}})
}

// ownServer has a client stay with the server that it was given.
var ownServer = []natsgo.Option{natsgo.IgnoreDiscoveredServers()}

// awaitJetStream waits until there is a leader, and all have heard of each other.
func awaitJetStream(t *testing.T, servers []*natsd) {
	t.Helper()
	over := time.Now().Add(time.Minute)
	for {
		ready := 0
		for _, s := range servers {
			if s.JetStreamIsCurrent() && s.NumRoutes() > 0 {
				ready++
			}
		}
		if ready == len(servers) {
			return
		}
		if time.Now().After(over) {
			t.Fatal("the servers do not become one cluster")
		}
		<-time.After(10 * time.Millisecond)
	}
}

// Servers go and come back, one after the other, while all nodes publish to one room.
func TestServersThatGoAndComeLoseNothingThatIsKept(t *testing.T) {
	const each = 150
	servers := newCluster(t, 3)
	awaitJetStream(t, servers)
	var urls []string
	for _, s := range servers {
		urls = append(urls, s.ClientURL())
	}
	var nodes []*node
	for range servers {
		nodes = append(nodes, begin(t, nats.Options{URL: strings.Join(urls, ","), Streams: nats.Streams{Replicas: 3, Count: 1}}, nil))
	}
	keep := broker.Retention{Messages: 10_000, Bytes: 1 << 20, Age: time.Hour}
	nodes[0].say("room", keep, 1, 1)
	said := make(chan bool, 3*each)
	var publishing sync.WaitGroup
	for i, n := range nodes {
		publishing.Go(func() {
			for seq := 1; seq <= each; seq++ {
				if i > 0 || seq > 1 {
					n.say("room", keep, seq, seq)
				}
				said <- true
			}
		})
	}
	for i, s := range servers {
		for range each / 2 {
			<-said
		}
		s.stop()
		s.start()
		if i < len(servers)-1 {
			awaitJetStream(t, servers)
		}
	}
	publishing.Wait()
	page := nodes[0].kept("room")
	seen := make(map[string]bool)
	for _, d := range page.Deliveries {
		seen[d.From.String()+string(d.Body)] = true
	}
	if len(seen) != 3*each || len(page.Deliveries) != 3*each {
		t.Errorf("%d are kept, %d of them others, want %d", len(page.Deliveries), len(seen), 3*each)
	}
}
