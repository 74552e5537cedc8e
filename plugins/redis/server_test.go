package redis_test

import (
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nextrush/nextrush/internal/redistest"
	"github.com/nextrush/nextrush/plugins/redis"
)

func connect(t *testing.T, url string) *goredis.Client {
	t.Helper()
	client, err := redis.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client.(*goredis.Client)
}

// one, underSentinel and cluster return the URL for the store and that of the server.
func one(t *testing.T) (string, string) {
	url := redistest.Start(t).URL()
	return url, url
}

func underSentinel(t *testing.T) (string, string) {
	master := redistest.Start(t)
	of := redistest.Sentinel(t, "sentinel monitor mymaster 127.0.0.1 "+master.Port+" 1")
	return "redis+sentinel://127.0.0.1:1," + of.Addr() + "/mymaster", master.URL()
}

func cluster(t *testing.T) (string, string) {
	s := redistest.Start(t, "--cluster-enabled", "yes")
	client := connect(t, s.URL())
	if err := client.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	for client.ClusterInfo(t.Context()).Val()[:len("cluster_state:ok")] != "cluster_state:ok" {
		<-time.After(10 * time.Millisecond)
	}
	return "redis+cluster://" + s.Addr() + ",127.0.0.1:1", s.URL()
}
