package cluster

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket/broker"
)

// Redis comes back with less than it had acknowledged.
func TestRedisForgetsWhatCameLast(t *testing.T) {
	beside(t)
	redis := newRedis(t, "--appendonly", "yes", "--appendfsync", "everysec", "--aof-use-rdb-preamble", "no", "--auto-aof-rewrite-percentage", "0")
	list := nodes(t, redis.URL(), 3)
	rooms := talks(3, 0)
	c := gather(t, rooms, 30, everywhere(rooms), list[0].addr(), list[1].addr(), list[2].addr())
	stop := speak(t, rooms, 20, list...)
	c.heard()
	for range often(4, 2) {
		pause(t, 3*time.Second)
		redis.Kill()
		cutFiles(t, filepath.Join(redis.Dir, "appendonlydir", "*.incr.aof"))
		redis.Start()
	}
	pause(t, 3*time.Second)
	stop()
	c.whole(false)
}

// cutFiles takes the last third off files.
func cutFiles(t *testing.T, pattern string) {
	t.Helper()
	names, _ := filepath.Glob(pattern)
	if len(names) == 0 {
		t.Fatalf("there is no %s", pattern)
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(name, info.Size()*2/3); err != nil {
			t.Fatal(err)
		}
	}
}

// Scripts vanish all the time.
func TestScriptsAreFlushed(t *testing.T) {
	beside(t)
	redis := newRedis(t)
	list := nodes(t, redis.URL(), 2)
	rooms := talks(4, 0)
	for _, k := range rooms {
		k.burst, k.pad = 20, strings.Repeat("x", 500)
	}
	c := gather(t, rooms, 4, everywhere(rooms), list[0].addr(), list[1].addr())
	client := redis.client()
	defer client.Close()
	var over atomic.Bool
	stop := speak(t, rooms, 20, list...)
	c.heard()
	time.AfterFunc(5*time.Second, func() { over.Store(true) })
	for !over.Load() {
		if err := client.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		pause(t, 5*time.Millisecond)
	}
	stop()
	c.whole(true)
}

// What was carried out is repeated, since nobody has heard that it was.
func TestRepliesAreLost(t *testing.T) {
	beside(t)
	redis := newRedis(t)
	p := newProxy(t, redis.Addr)
	list := []*node{start(t, "redis://"+p.addr()), start(t, redis.URL())}
	acquainted(t, list, 2)
	rooms := []*talk{{room: "kept"}, {room: "plain"}}
	c := gather(t, rooms, 10, everywhere(rooms), list[0].addr(), list[1].addr())
	stop := speak(t, rooms, 20, list[0])
	c.heard()
	for i := range often(100, 20) {
		p.loseReply([]string{"evalsha", "publish"}[i%2])
		eventually(t, "a reply is lost", func() bool { return p.mute.Load() == nil })
		eventually(t, "it is sent again", func() bool { return list[0].stats().Queued == 0 })
		pause(t, 50*time.Millisecond)
	}
	stop()
	c.whole(true)
	c.counted([]*node{list[0], list[1]})
	if n := list[1].stats().Duplicates; n == 0 {
		t.Error("nothing has come twice")
	}
}

// A node is killed. Who was there goes on elsewhere, and the others notice nothing.
func TestANodeIsKilled(t *testing.T) {
	beside(t)
	redis := newRedis(t)
	url := redis.URL()
	list := nodes(t, url, 2)
	third := startChild(t, url)
	acquainted(t, list, 3)
	var to atomic.Pointer[string]
	to.Store(&third.addr)
	p := newProxy(t, func() string { return *to.Load() })
	rooms := talks(3, 3)
	c := gather(t, rooms, often(150, 45), everywhere(rooms), list[0].addr(), list[1].addr(), p.addr())
	stop := speak(t, rooms, 10, list...)
	c.heard()
	pause(t, 2*time.Second)
	addr := list[0].addr()
	to.Store(&addr)
	third.kill()
	killed := time.Now()
	acquainted(t, list, 2)
	t.Logf("gone after %v", time.Since(killed).Round(time.Millisecond))
	pause(t, 2*time.Second)
	stop()
	c.whole(true)
	c.caughtUp(3 * time.Second)
	c.counted(list)
}

// caughtUp tells how long clients had to wait for what they had missed, from the hello of
// their connection on.
func (c *crowd) caughtUp(most time.Duration) {
	c.t.Helper()
	var all []time.Duration
	whole := 0
	for _, p := range c.peers {
		p.mu.Lock()
		all, whole = append(all, p.caught...), whole+p.whole
		p.mu.Unlock()
	}
	if len(all) == 0 {
		c.t.Error("nobody has had to catch up")
		return
	}
	slices.Sort(all)
	p99 := all[len(all)*99/100]
	c.t.Logf("%d times caught up, p50 %v, p99 %v; %d times nothing was missing", len(all), all[len(all)/2].Round(time.Millisecond), p99.Round(time.Millisecond), whole)
	if full() && p99 > most {
		c.t.Errorf("caught up at p99 %v, want %v", p99, most)
	}
}

// What is not ours comes by the channels.
func TestRubbishArrives(t *testing.T) {
	beside(t)
	redis := newRedis(t)
	list := nodes(t, redis.URL(), 2)
	rooms := talks(2, 2)
	c := gather(t, rooms, 10, everywhere(rooms), list[0].addr(), list[1].addr())
	stop := speak(t, rooms, 20, list...)
	c.heard()
	client := redis.client()
	defer client.Close()
	closeAll := broker.Envelope{From: broker.NewNodeID(), Seq: 1 << 40, Control: true, Body: []byte{4}}
	forged := (&broker.Codec{Secret: []byte("another")}).Append(nil, &closeAll)
	unsigned := (&broker.Codec{}).Append(nil, &closeAll)
	newer := slices.Clone(forged)
	newer[0]++
	rubbish := []string{"", "\x00", "hello", "K", "K ", "K e 1 ", "Kepoch 1 rubbish", "K" + strings.Repeat("e", 100) + " 1 ", strings.Repeat("x", 1<<20), string(forged), string(unsigned), string(newer), string(forged[:20])}
	sent := int64(0)
	for range often(20, 3) {
		channels, err := client.PubSubChannels(t.Context(), "nextrush:*").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, channel := range channels {
			if strings.Contains(channel, "}p:") {
				continue // of probes, of which all is taken
			}
			for _, text := range rubbish {
				n, err := client.Publish(t.Context(), channel, text).Result()
				if err != nil {
					t.Fatal(err)
				}
				sent += n
			}
		}
	}
	eventually(t, "all is counted", func() bool { return list[0].stats().Invalid+list[1].stats().Invalid >= sent })
	stop()
	c.whole(true)
	c.counted(list)
	t.Logf("rubbish sent %d, counted %d", sent, list[0].stats().Invalid+list[1].stats().Invalid)
	ours := (&broker.Codec{Secret: []byte(secret)}).Append(nil, &closeAll)
	for channel := range strings.FieldsSeq(run(t, "redis-cli", "-p", redis.Port, "pubsub", "channels", "nextrush:*}a")) {
		client.Publish(t.Context(), channel, ours)
	}
	eventually(t, "what is signed is obeyed", func() bool { return !c.peers[0].ready() || c.peers[0].opens() > 1 })
}

func (p *peer) opens() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened
}

// Redis is slow, or does nothing for a while.
func TestRedisIsSlow(t *testing.T) {
	beside(t)
	redis := newRedis(t)
	p := newProxy(t, redis.Addr)
	list := nodes(t, "redis://"+p.addr(), 3)
	rooms := talks(3, 3)
	c := gather(t, rooms, 30, everywhere(rooms), list[0].addr(), list[1].addr(), list[2].addr())
	stop := speak(t, rooms, 10, list...)
	c.heard()
	pause(t, time.Second)
	redis.Signal(syscall.SIGSTOP)
	before, _ := rooms[0].said()
	pause(t, 3*time.Second)
	eventually(t, "Emit does not wait for Redis", func() bool {
		n, _ := rooms[0].said()
		return n > before+10
	})
	redis.Signal(syscall.SIGCONT)
	pause(t, 2*time.Second)
	p.delay.Store(int64(200 * time.Millisecond))
	pause(t, often(10*time.Second, 3*time.Second))
	p.delay.Store(0)
	stop()
	c.whole(true)
	c.counted(list)
}

// A node does nothing for a while.
func TestANodeIsStopped(t *testing.T) {
	beside(t)
	redis := newRedis(t)
	url := redis.URL()
	list := nodes(t, url, 2)
	third := startChild(t, url)
	acquainted(t, list, 3)
	rooms := talks(2, 2)
	c := gather(t, rooms, 12, everywhere(rooms), list[0].addr(), list[1].addr(), third.addr)
	stop := speak(t, rooms, 10, list...)
	c.heard()
	pause(t, time.Second)
	third.signal(syscall.SIGSTOP)
	pause(t, often(12*time.Second, 3*time.Second))
	third.signal(syscall.SIGCONT)
	pause(t, time.Second)
	stop()
	c.whole(true)
	c.counted(list)
	acquainted(t, list, 3)
}

// A node that may have got what the others have not cannot say so when Redis starts again:
// it is killed at once, or stands still. Nobody is left to believe that nothing is missing.
func TestRedisAndANodeAreKilled(t *testing.T) {
	beside(t)
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP} {
		t.Run(sig.String(), func(t *testing.T) {
			redis := newRedis(t)
			url := redis.URL()
			list := nodes(t, url, 2)
			third := startChild(t, url)
			acquainted(t, list, 3)
			rooms := talks(3, 0)
			var gone atomic.Bool
			way := &access{nodes: list}
			addrs := []string{list[0].addr(), list[1].addr(), third.addr}
			dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
				if sig == syscall.SIGKILL && addr == third.addr && gone.Load() {
					return way.dial(ctx, network, addr)
				}
				return new(net.Dialer).DialContext(ctx, network, addr)
			}
			c := gatherBy(t, rooms, 30, everywhere(rooms), dial, addrs...)
			stop := speak(t, rooms, 50, list...)
			c.heard()
			pause(t, time.Second)
			third.signal(sig)
			redis.Kill()
			if sig == syscall.SIGKILL {
				third.kill()
				gone.Store(true)
			}
			redis.Start()
			pause(t, 5*time.Second)
			third.signal(syscall.SIGCONT)
			pause(t, time.Second)
			stop()
			c.whole(false)
		})
	}
}
