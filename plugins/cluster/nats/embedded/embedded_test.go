package embedded_test

import (
	"testing"

	"github.com/nextrush/nextrush/internal/freeport"
	"github.com/nextrush/nextrush/internal/leak"
	"github.com/nextrush/nextrush/plugins/cluster/nats/embedded"
	"github.com/nextrush/nextrush/websocket/broker"
	"github.com/nextrush/nextrush/websocket/brokertest"
)

func TestMain(m *testing.M) { leak.Main(m) }

func open(t *testing.T, o embedded.Options) *embedded.Broker {
	t.Helper()
	b, err := embedded.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// plain is a broker without its history.
type plain struct{ broker.Broker }

// Each test has a cluster of its own, whose first node is the one that others look for.
func TestNodesKeepTheContract(t *testing.T) {
	type cluster struct {
		first string
		nodes int
	}
	clusters := make(map[*testing.T]*cluster)
	brokertest.Test(t, brokertest.Engine{Open: func(t *testing.T) broker.Broker {
		c := clusters[t]
		if c == nil {
			c = &cluster{first: freeport.Address(t)}
			clusters[t] = c
		}
		c.nodes++
		o := embedded.Options{Listen: c.first, Secret: "secret", Expected: c.nodes}
		if c.nodes > 1 {
			o.Listen, o.Peers = "127.0.0.1:0", []string{c.first}
		}
		return plain{open(t, o)}
	}})
}
