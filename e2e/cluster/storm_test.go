package cluster

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// access is the way of clients to nodes: each connection goes to the next node that is
// there. All can be cut off at once.
type access struct {
	mu    sync.Mutex // guards the fields below
	nodes []*node
	next  int
	cut   bool
	conns []net.Conn
}

var errCut = errors.New("cut off")

func (a *access) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	addr := a.pick()
	if addr == "" {
		return nil, errCut
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.conns = append(a.conns, c)
	return c, nil
}

func (a *access) pick() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cut || len(a.nodes) == 0 {
		return ""
	}
	a.next++
	return a.nodes[a.next%len(a.nodes)].addr()
}

func (a *access) setNodes(list []*node) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.nodes = list
}

// setCut cuts all clients off, or lets them come back.
func (a *access) setCut(cut bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cut = cut
	if !cut {
		return
	}
	for _, c := range a.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		c.Close()
	}
	a.conns = nil
}

// sockets is how many come back at once: CHAOS_SOCKETS, of which each takes a descriptor of
// the clients' process, and one of a node's.
func sockets(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("CHAOS_SOCKETS"))
	if err != nil {
		n = often(10_000, 400)
	}
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil || files.Cur < uint64(n+500) {
		t.Fatalf("%d files may be open (%v): raise ulimit -n, or lower CHAOS_SOCKETS from %d", files.Cur, err, n)
	}
	return n
}

// All clients are cut off, and come back at once, to nodes that have forgotten their rooms.
// They have missed something.
func TestAllClientsComeBackAtOnce(t *testing.T) {
	beside(t)
	roomsN := often(100, 20)
	server := newRedis(t)
	url := server.URL()
	far := start(t, url) // it has no sockets
	pair := []*child{startChild(t, url), startChild(t, url)}
	acquainted(t, []*node{far}, 3)
	far.keeps(t)
	rooms := talks(roomsN, 0)
	for _, k := range rooms {
		k.burst = 10
	}
	all := &raws{}
	for i := range sockets(t) {
		all.list = append(all.list, &raw{all: all, room: rooms[i%roomsN].room})
	}
	where := func(i int) string { return pair[i/roomsN%2].addr } // each room is at both
	all.expect(10)
	all.connect(where, 100)
	t.Cleanup(all.cut)
	eventually(t, "all are in their rooms", all.joined)
	all.told.Store(0)
	say := func() {
		for _, k := range rooms {
			k.say(t, far)
		}
	}
	say()
	eventually(t, "all have got something", func() bool { return all.behind.Load() == 0 })
	all.cut()
	all.expect(20)
	say()
	eventually(t, "it is kept", func() bool { return far.stats().Queued == 0 })
	pause(t, 3*time.Second) // until nodes do not watch the rooms any more
	used := []*use{newUse("nodes", pair[0].cmd.Process.Pid, pair[1].cmd.Process.Pid), newUse("Redis", server.Process()), newUse("clients", os.Getpid())}
	reads, back := server.reads(), time.Now()
	all.connect(where, len(all.list))
	eventually(t, "all have got what they have missed", func() bool { return all.behind.Load() == 0 })
	all.judge(t, back, server.reads()-reads, 2*roomsN, used)
}

// joined reports whether all know where they are.
func (rs *raws) joined() bool {
	return !slices.ContainsFunc(rs.list, func(r *raw) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.epoch == ""
	})
}

func (rs *raws) judge(t *testing.T, back time.Time, reads, most int, used []*use) {
	t.Helper()
	var took, caught []time.Duration
	for _, r := range rs.list {
		r.mu.Lock()
		took, caught = append(took, r.at.Sub(back)), append(caught, r.at.Sub(r.hello))
		r.mu.Unlock()
	}
	slices.Sort(took)
	slices.Sort(caught)
	p50, p99 := took[len(took)/2], took[len(took)*99/100]
	t.Logf("from the hello on, p50 %v, p99 %v", caught[len(caught)/2].Round(time.Millisecond), caught[len(caught)*99/100].Round(time.Millisecond))
	t.Logf("%d clients have all after p50 %v, p99 %v, %v; %d twice, %d told; %d reads, where %d may be", len(took), p50.Round(time.Millisecond), p99.Round(time.Millisecond),
		took[len(took)-1].Round(time.Millisecond), rs.twice.Load(), rs.told.Load(), reads, most)
	for _, u := range used {
		t.Logf("%s have used %v of CPU", u.who, u.since().Round(10*time.Millisecond))
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, p := range rs.problems {
		t.Error(p)
	}
	if full() && rs.told.Load() > 0 || rs.twice.Load() > 0 { // where tests run beside it, a join may wait in vain
		t.Errorf("%d were told that something is missing, %d got something twice", rs.told.Load(), rs.twice.Load())
	}
	if !full() {
		most *= 2 // nodes look by themselves, too, each half a minute
	}
	if reads > most {
		t.Errorf("histories were read %d times, want %d at most", reads, most)
	}
	if full() && p99 > 2*time.Second {
		t.Errorf("p99 is %v, want 2 s at most", p99)
	}
}

// All nodes are restarted, one after the other, and all clients are cut off for a while
// again and again.
func TestNodesAreRestarted(t *testing.T) {
	beside(t)
	server := newRedis(t)
	url := server.URL()
	far := start(t, url)
	list := nodes(t, url, 3)
	rooms := talks(5, 0)
	way := &access{nodes: slices.Clone(list)}
	c := gatherBy(t, rooms, often(500, 60), func(i int) []*talk { return rooms[i%5 : i%5+1] }, way.dial, "nodes")
	stop := speak(t, rooms, often(20, 10), far)
	for range often(3, 1) {
		for i := range list {
			pause(t, often(5*time.Second, time.Second))
			old := list[i]
			list[i] = start(t, url)
			way.setNodes(slices.Clone(list))
			old.close()
		}
		way.setCut(true)
		pause(t, 2*time.Second)
		way.setCut(false)
	}
	pause(t, 3*time.Second)
	stop()
	c.whole(full())             // where tests run beside it, a join may wait in vain
	c.caughtUp(3 * time.Second) // 100 ms on a machine that does nothing else
}
