package servertest

import (
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

const (
	soakClients = 2000
	soakPause   = 4 * time.Second // between two turns of a client, on average
)

// TestSoak is TestStorm for as long as the environment variable SOAK says ("1h"), with
// thousands of connections of which most are idle at any time. What the process holds at
// the end must not be more than what it held when all had come.
func TestSoak(t *testing.T) {
	d, err := time.ParseDuration(os.Getenv("SOAK"))
	if err != nil {
		t.Skip("takes as long as SOAK says")
	}
	for _, kind := range servers {
		if kind.name == "loop" {
			soak(t, kind, d)
		}
	}
}

func soak(t *testing.T, kind serverKind, d time.Duration) {
	p := testCase{handler: stormHandler}.begin(t, kind, "tcp")
	defer p.end()
	began := time.Now()
	var clients sync.WaitGroup
	for i := range soakClients {
		clients.Go(func() {
			c := &stormClient{play: p, rand: rand.New(rand.NewPCG(uint64(i), 2)), id: i}
			defer c.hangUp()
			for n := 0; time.Since(began) < d && !t.Failed(); n++ {
				time.Sleep(time.Duration(c.rand.Int64N(int64(2 * soakPause))))
				if c.turn(n); c.conn != nil {
					c.conn.SetDeadline(time.Now().Add(2 * patience))
				}
			}
		})
	}
	var first, last held
	for time.Since(began) < d && !t.Failed() {
		time.Sleep(d / 20)
		last = holding()
		t.Logf("%v: %+v", time.Since(began).Round(time.Second), last)
		if time.Since(began) < max(d/10, 3*soakPause)+d/20 {
			first = last
		}
	}
	clients.Wait()
	if last.Heap > 2*first.Heap || last.Goroutines > first.Goroutines+soakClients/10 || last.Files > first.Files+soakClients/10 {
		t.Errorf("at the end the process holds %+v, at first %+v", last, first)
	}
}

// held is what a process holds.
type held struct {
	Heap       uint64 // bytes in use after a collection
	Goroutines int
	Files      int // descriptors
}

func holding() held {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	files, _ := os.ReadDir("/proc/self/fd")
	return held{m.HeapInuse, runtime.NumGoroutine(), len(files)}
}
