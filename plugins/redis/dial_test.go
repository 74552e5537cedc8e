package redis_test

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nextrush/nextrush/internal/freeport"
	"github.com/nextrush/nextrush/internal/redistest"
	"github.com/nextrush/nextrush/plugins/redis"
)

func TestADialThatFailsIsToldOnce(t *testing.T) {
	before := len(logs)
	for name, url := range map[string]string{"one": "redis://127.0.0.1:1", "TLS": "rediss://127.0.0.1:1", "cluster": "redis+cluster://127.0.0.1:1"} {
		client, err := redis.Connect(url)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := client.Ping(t.Context()).Err(); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%s: %v", name, err)
			}
		}
		client.Close()
	}
	if len(logs) > before {
		t.Errorf("it is logged as well: %s", <-logs)
	}
}

// After a restart of the server no command fails, though many connections have ended.
func TestConnectionsThatHaveEndedAreNotUsedAgain(t *testing.T) {
	const n = 20
	port := strconv.Itoa(freeport.Get(t))
	s := redistest.Start(t, redistest.Trusted(t).Args(t, port)...)
	for name, url := range map[string]string{"TCP": s.URL(), "TLS": "rediss://127.0.0.1:" + port} {
		client := connect(t, url)
		var together sync.WaitGroup
		for range n {
			together.Go(func() { client.BLPop(t.Context(), time.Second, "nothing") })
		}
		together.Wait()
		if idle := client.PoolStats().IdleConns; idle < n/2 {
			t.Fatalf("%s: %d connections are idle", name, idle)
		}
		s.Kill()
		s.Start()
		for i := range n {
			if err := client.Ping(t.Context()).Err(); err != nil {
				t.Errorf("%s: command %d: %v", name, i, err)
			}
		}
	}
}

func TestACertificateThatNobodyKnowsIsRefused(t *testing.T) {
	redistest.Trusted(t)
	port := strconv.Itoa(freeport.Get(t))
	redistest.Start(t, redistest.NewCertificate(t).Args(t, port)...)
	if err := connect(t, "rediss://127.0.0.1:"+port).Ping(t.Context()).Err(); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("PING: %v", err)
	}
}
