package redis_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nextrush/nextrush/internal/freeport"
	"github.com/nextrush/nextrush/internal/redistest"
	"github.com/nextrush/nextrush/websocket/broker"
	"github.com/nextrush/nextrush/websocket/brokertest"
)

func TestTheUserOfThePageMayDoAllThatIsNeeded(t *testing.T) {
	lines := redistest.Rules(t, "../../../docs/cluster.md")
	one, forCluster := lines[0], lines[1]
	t.Run("one server over TLS", func(t *testing.T) {
		tlsPort := strconv.Itoa(freeport.Get(t))
		s := redistest.Start(t, append(append(redistest.Trusted(t).Args(t, tlsPort), "--user", "app"), one...)...)
		kill := func() {
			s.Denied()
			s.Kill()
		}
		brokertest.Test(t, brokertest.Engine{
			Open: func(t *testing.T) broker.Broker { return open(t, "rediss://app:password@127.0.0.1:"+tlsPort) },
			Cut: func(t *testing.T) (mend func()) {
				kill()
				return s.Start
			},
			Restart: func(t *testing.T) {
				kill()
				s.Start()
			},
		})
		s.Denied()
	})
	t.Run("a cluster", func(t *testing.T) {
		s := redistest.Start(t, append(append([]string{"--cluster-enabled", "yes", "--user", "app"}, one...), forCluster...)...)
		client := goredis.NewClient(&goredis.Options{Addr: s.Addr()})
		defer client.Close()
		if err := client.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
			t.Fatal(err)
		}
		for !strings.HasPrefix(client.ClusterInfo(t.Context()).Val(), "cluster_state:ok") {
			<-time.After(10 * time.Millisecond)
		}
		brokertest.Test(t, brokertest.Engine{
			Open: func(t *testing.T) broker.Broker { return open(t, "redis+cluster://app:password@"+s.Addr()) },
		})
		s.Denied()
	})
}
