package cluster

import (
	"testing"
	"time"
)

// Redis without persistence is killed, again and again. Of rooms that are kept clients miss
// nothing or are told; what is lost in others is counted.
func TestRedisIsKilled(t *testing.T) {
	const down = 2 * time.Second
	beside(t)
	redis := newRedis(t)
	list := nodes(t, redis.URL(), 3)
	rooms := talks(3, 3)
	c := gather(t, rooms, often(100, 30), everywhere(rooms), list[0].addr(), list[1].addr(), list[2].addr())
	stop := speak(t, rooms, 10, list...)
	c.heard()
	for range often(5, 2) {
		pause(t, often(10*time.Second, 4*time.Second))
		redis.outage(down)
	}
	pause(t, 5*time.Second)
	stop()
	r := c.whole(full()) // where tests run beside it, a node may not give back what it has in time
	if most := down + 2500*time.Millisecond; full() && r.late > most {
		t.Errorf("the latest came after %v, want %v at most", r.late, most)
	}
	c.counted(list)
}

// A connection says nothing any more, and stays open.
func TestConnectionsAreHeld(t *testing.T) {
	beside(t)
	for _, long := range often([]time.Duration{10 * time.Second, 60 * time.Second}, []time.Duration{10 * time.Second}) {
		t.Run(long.String(), func(t *testing.T) {
			t.Parallel()
			redis := newRedis(t)
			p := newProxy(t, redis.Addr)
			list := append(nodes(t, redis.URL(), 2), start(t, "redis://"+p.addr()))
			acquainted(t, list, 3)
			rooms := talks(3, 3)
			c := gather(t, rooms, 30, everywhere(rooms), list[0].addr(), list[1].addr(), list[2].addr())
			stop := speak(t, rooms, 10, list...)
			c.heard()
			pause(t, time.Second)
			p.setHeld(true)
			began := time.Now()
			eventually(t, "the node knows", func() bool { return !list[2].stats().Up })
			t.Logf("found after %v", time.Since(began).Round(time.Millisecond))
			pause(t, time.Until(began.Add(long)))
			p.setHeld(false)
			pause(t, 5*time.Second)
			stop()
			c.whole(true)
			c.counted(list)
		})
	}
}
