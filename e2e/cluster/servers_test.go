package cluster

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nextrush/nextrush/internal/freeport"
	"github.com/nextrush/nextrush/internal/redistest"
)

// sentinels starts a master, replicas, and Sentinels that watch them, and returns the
// servers and the URL of a broker.
func sentinels(t *testing.T, replicas int) (servers []*server, url string) {
	t.Helper()
	servers = []*server{newRedis(t)}
	for range replicas {
		servers = append(servers, newRedis(t, "--replicaof", "127.0.0.1 "+servers[0].Port))
	}
	for _, s := range servers { // nodes come as another user than Sentinel and the replicas
		s.do("ACL", "SETUSER", "app", "on", ">app", "allcommands", "allkeys", "allchannels")
		s.do("CONFIG", "SET", "repl-diskless-sync-delay", "0")
	}
	eventually(t, "the replicas are in step", func() bool {
		return strings.Count(servers[0].do("INFO", "replication"), "state=online") == replicas
	})
	var addrs []string
	for range 3 {
		sentinel := redistest.Sentinel(t, "sentinel monitor main 127.0.0.1 "+servers[0].Port+" 2",
			"sentinel down-after-milliseconds main 1000", "sentinel failover-timeout main 5000")
		addrs = append(addrs, sentinel.Addr())
	}
	eventually(t, "the Sentinels know all", func() bool {
		for _, addr := range addrs {
			client := goredis.NewSentinelClient(&goredis.Options{Addr: addr})
			master, err := client.Master(t.Context(), "main").Result()
			client.Close()
			if err != nil || master["num-other-sentinels"] != "2" || master["num-slaves"] != fmt.Sprint(replicas) || master["flags"] != "master" {
				return false
			}
		}
		return true
	})
	return servers, "redis+sentinel://app:app@" + strings.Join(addrs, ",") + "/main"
}

func role(s *server) string {
	client := s.client()
	defer client.Close()
	info, _ := client.Info(s.t.Context(), "replication").Result()
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "role:"); ok {
			return v
		}
	}
	return ""
}

// The master is killed, and Sentinel makes another server the master.
func TestSentinelFailsOver(t *testing.T) {
	beside(t)
	servers, url := sentinels(t, 2)
	list := nodes(t, url, 3)
	rooms := talks(3, 3)
	c := gather(t, rooms, 30, everywhere(rooms), list[0].addr(), list[1].addr(), list[2].addr())
	stop := speak(t, rooms, 10, list...)
	c.heard()
	pause(t, 2*time.Second)
	servers[0].Kill()
	began := time.Now()
	eventually(t, "there is another master", func() bool {
		return slices.ContainsFunc(servers[1:], func(s *server) bool { return role(s) == "master" })
	})
	t.Logf("another master after %v", time.Since(began).Round(time.Millisecond))
	pause(t, 8*time.Second)
	stop()
	c.whole(full())
	c.counted(list)
}

// The master is not to be reached by Sentinel, and still answers those nodes that are
// connected to it, when it is none any more.
func TestAMasterThatIsNoneAnswers(t *testing.T) {
	beside(t)
	servers, url := sentinels(t, 2)
	list := nodes(t, url, 3)
	rooms := talks(3, 3)
	c := gather(t, rooms, 30, everywhere(rooms), list[0].addr(), list[1].addr(), list[2].addr())
	stop := speak(t, rooms, 10, list...)
	c.heard()
	pause(t, 2*time.Second)
	app := goredis.NewClient(&goredis.Options{Addr: servers[0].Addr(), Username: "app", Password: "app"})
	defer app.Close()
	if err := app.Do(t.Context(), "ACL", "SETUSER", "default", "off").Err(); err != nil {
		t.Fatal(err)
	}
	app.Do(t.Context(), "CLIENT", "KILL", "USER", "default")
	began := time.Now()
	eventually(t, "there is another master", func() bool {
		return slices.ContainsFunc(servers[1:], func(s *server) bool { return role(s) == "master" })
	})
	t.Logf("another master after %v", time.Since(began).Round(time.Millisecond))
	pause(t, 12*time.Second)
	if err := app.Ping(t.Context()).Err(); err != nil {
		t.Errorf("the old master does not answer: %v", err)
	}
	stop()
	c.whole(false)
	c.counted(list)
}

// sharded starts a Redis Cluster of three masters and returns its URL.
func sharded(t *testing.T) (servers []*server, url string) {
	t.Helper()
	var addrs []string
	for range 3 {
		s := newRedis(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "15000", "--cluster-port", strconv.Itoa(freeport.Get(t)))
		servers, addrs = append(servers, s), append(addrs, s.Addr())
	}
	run(t, "redis-cli", append(append([]string{"--cluster", "create"}, addrs...), "--cluster-yes")...)
	eventually(t, "the cluster is whole", func() bool {
		return !slices.ContainsFunc(servers, func(s *server) bool { return !strings.Contains(s.do("CLUSTER", "INFO"), "cluster_state:ok") })
	})
	return servers, "redis+cluster://" + strings.Join(addrs, ",")
}

// Slots move from one server to another and back.
func TestSlotsMove(t *testing.T) {
	beside(t)
	servers, url := sharded(t)
	list := nodes(t, url, 2)
	rooms := talks(3, 3)
	c := gather(t, rooms, 20, everywhere(rooms), list[0].addr(), list[1].addr())
	stop := speak(t, rooms, 10, list...)
	c.heard()
	pause(t, 2*time.Second)
	for range often(3, 1) {
		for _, k := range rooms {
			moveRoom(t, servers, k.room)
		}
		pause(t, 8*time.Second)
	}
	stop()
	c.whole(false)
	c.counted(list)
}

// moveRoom moves the slot of a room to another server.
func moveRoom(t *testing.T, servers []*server, room string) {
	t.Helper()
	channel, from := "", -1
	eventually(t, "somebody has subscribed to "+room, func() bool {
		from = slices.IndexFunc(servers, func(s *server) bool {
			client := s.client()
			defer client.Close()
			for _, channel = range client.PubSubShardChannels(t.Context(), "*}r:*"+room).Val() {
				return true
			}
			return false
		})
		return from >= 0
	})
	a, b := servers[from], servers[(from+1)%len(servers)]
	client := a.client()
	defer client.Close()
	slot := int(client.ClusterKeySlot(t.Context(), channel).Val())
	id := func(s *server) string { return s.do("CLUSTER", "MYID") }
	b.do("CLUSTER", "SETSLOT", slot, "IMPORTING", id(a))
	a.do("CLUSTER", "SETSLOT", slot, "MIGRATING", id(b))
	for {
		keys := client.ClusterGetKeysInSlot(t.Context(), slot, 100).Val()
		if len(keys) == 0 {
			break
		}
		for _, key := range keys {
			if err := client.Migrate(t.Context(), "127.0.0.1", b.Port, key, 0, 5*time.Second).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, s := range []*server{b, a, servers[(from+2)%len(servers)]} {
		s.do("CLUSTER", "SETSLOT", slot, "NODE", id(b))
	}
}
