package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

// talk publishes to a room, from one node at a time. What it sends is numbered.
type talk struct {
	room    string
	pad     string     // of each message
	burst   int        // messages at once; 0: 1
	mu      sync.Mutex // guards the fields below
	n       int        // of the last
	nodes   []*node    // that publish it, and may drop what is not kept in time
	refused []int      // ErrBrokerDown: of a kept room nobody has got it, of another those of the node
}

// say sends the next message.
func (k *talk) say(t *testing.T, n *node) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for range max(k.burst, 1) {
		k.sayLocked(t, n)
	}
}

func (k *talk) sayLocked(t *testing.T, n *node) {
	k.n++
	if !slices.Contains(k.nodes, n) {
		k.nodes = append(k.nodes, n)
	}
	switch err := n.srv.To(k.room).Emit("e", k.room, k.n, time.Now().UnixNano(), k.pad); {
	case errors.Is(err, websocket.ErrBrokerDown):
		k.refused = append(k.refused, k.n)
	case err != nil:
		t.Errorf("%s: %v", k.room, err)
	}
}

func (k *talk) said() (n int, refused []int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.n, slices.Clone(k.refused)
}

func kept(room string) bool { return strings.HasPrefix(room, "kept") }

// talks makes rooms of both kinds: kept 0, plain 1, ...
func talks(keptRooms, plainRooms int) (list []*talk) {
	for i := range keptRooms {
		list = append(list, &talk{room: fmt.Sprint("kept ", i)})
	}
	for i := range plainRooms {
		list = append(list, &talk{room: fmt.Sprint("plain ", i)})
	}
	return list
}

// speak says something in all rooms, rate times a second, until stop is called. The
// nodes take turns by room.
func speak(t *testing.T, list []*talk, rate int, nodes ...*node) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for {
			for i, k := range list {
				k.say(t, nodes[i%len(nodes)])
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

// entry is what a client has got in a room, or that it was told that something is missing.
type entry struct {
	n      int
	epoch  string
	offset int64
	gap    string // why
	at     time.Time
	late   time.Duration
}

// peer is a client that writes down what it gets.
type peer struct {
	client *websocket.Client
	rooms  []string
	talks  []*talk
	addr   string // where it goes; with a balancer, not where it is

	mu     sync.Mutex // guards the fields below
	log    map[string][]entry
	epochs map[string]string
	opened int
	since  time.Time       // when the connection was opened
	behind map[string]int  // the number of the last message of kept rooms by then, of those that it had not got
	caught []time.Duration // from each such opening until it had
	whole  int             // openings when nothing was missing
}

func newPeer(addr string, list []*talk, dial dialer) *peer {
	p := &peer{talks: list, addr: addr, log: make(map[string][]entry), epochs: make(map[string]string), behind: make(map[string]int)}
	for _, k := range list {
		p.rooms = append(p.rooms, k.room)
	}
	rooms := p.rooms
	slices.Sort(rooms)
	slices.Reverse(rooms) // who is told that it is in the kept ones is in the plain ones
	p.client = websocket.NewClient("ws://"+addr+"/?"+url.Values{"room": rooms}.Encode(), &websocket.ClientOptions{
		Backoff: websocket.Backoff{Base: 200 * time.Millisecond, Cap: time.Second, First: 200 * time.Millisecond}, ConnectTimeout: 20 * time.Second, Dial: websocket.DialOptions{NetDial: dial}})
	p.client.On("e", p.got)
	p.client.OnGap(p.told)
	p.client.OnState(p.state)
	return p
}

func (p *peer) got(e *websocket.Event) {
	var x entry
	var room string
	var sent int64
	if len(e.Args()) < 3 || e.Bind(0, &room) != nil || e.Bind(1, &x.n) != nil || e.Bind(2, &sent) != nil {
		return
	}
	x.at, x.offset = time.Now(), e.Meta().Offset
	x.late = time.Duration(x.at.UnixNano() - sent)
	p.mu.Lock()
	defer p.mu.Unlock()
	x.epoch = p.epochs[room]
	p.log[room] = append(p.log[room], x)
	p.catchUpLocked(room, x.n)
}

// catchUpLocked notes what has come, and when nothing is missing any more that was when the
// connection was opened.
func (p *peer) catchUpLocked(room string, n int) {
	if last, is := p.behind[room]; !is || n < last {
		return
	}
	if delete(p.behind, room); len(p.behind) == 0 {
		p.caught = append(p.caught, time.Since(p.since))
	}
}

func (p *peer) told(g websocket.Gap) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, room := range p.rooms {
		if room == g.Room || g.Room == "" && !kept(room) {
			p.log[room] = append(p.log[room], entry{gap: g.Why, at: time.Now()})
		}
	}
	delete(p.behind, g.Room)
	if g.To != nil {
		p.epochs[g.Room] = g.To.Epoch
	}
}

func (p *peer) state(s websocket.ClientState) {
	if s.Phase != websocket.ClientOpen {
		return
	}
	said := make(map[string]int)
	for _, k := range p.talks {
		if kept(k.room) {
			said[k.room], _ = k.said()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opened++; p.opened == 1 {
		return
	}
	p.since = time.Now()
	clear(p.behind)
	for room, n := range said {
		if p.lastLocked(room) < n {
			p.behind[room] = n
		}
	}
	if len(p.behind) == 0 {
		p.whole++
	}
}

// ready reports whether the client is in its rooms.
func (p *peer) ready() bool {
	for _, room := range p.rooms {
		if !kept(room) {
			continue
		}
		at, ok := p.client.Room(room).Position()
		if !ok {
			return false
		}
		p.mu.Lock()
		p.epochs[room] = at.Epoch
		p.mu.Unlock()
	}
	return p.client.State().Phase == websocket.ClientOpen
}

// entries is the log of a room.
func (p *peer) entries(room string) []entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.log[room])
}

// last is the number of the last message of a room.
func (p *peer) last(room string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lastLocked(room)
}

func (p *peer) lastLocked(room string) int {
	for _, e := range slices.Backward(p.log[room]) {
		if e.gap == "" {
			return e.n
		}
	}
	return 0
}

// gave reports whether the client was told a while ago that the last of a room is missing.
func (p *peer) gave(room string, ago time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	log := p.log[room]
	return len(log) > 0 && log[len(log)-1].gap != "" && time.Since(log[len(log)-1].at) > ago
}

// crowd is clients, of which each is in some rooms.
type crowd struct {
	t     *testing.T
	peers []*peer
	talks []*talk
}

// gather connects n clients, in turn to each address and in pick's rooms, and waits until
// they are there.
func gather(t *testing.T, list []*talk, n int, pick func(i int) []*talk, addrs ...string) *crowd {
	t.Helper()
	return gatherBy(t, list, n, pick, nil, addrs...)
}

// dialer is as DialOptions.NetDial.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func gatherBy(t *testing.T, list []*talk, n int, pick func(i int) []*talk, dial dialer, addrs ...string) *crowd {
	t.Helper()
	c := &crowd{t: t, talks: list}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	for i := range n {
		p := newPeer(addrs[i%len(addrs)], pick(i), dial)
		c.peers = append(c.peers, p)
		wg.Go(func() { p.client.Run(ctx) })
	}
	eventually(t, "clients are in their rooms", func() bool { return !slices.ContainsFunc(c.peers, func(p *peer) bool { return !p.ready() }) })
	return c
}

func everywhere(list []*talk) func(int) []*talk { return func(int) []*talk { return list } }

// talk is that of a room.
func (c *crowd) talk(room string) *talk {
	return c.talks[slices.IndexFunc(c.talks, func(k *talk) bool { return k.room == room })]
}

// heard waits until all have got something in each of their rooms: of what is lost before
// that, a node does not know whether it was said after somebody came.
func (c *crowd) heard() {
	c.t.Helper()
	eventually(c.t, "all have got something in each room", func() bool {
		return !slices.ContainsFunc(c.peers, func(p *peer) bool {
			return slices.ContainsFunc(p.rooms, func(room string) bool { return p.last(room) == 0 })
		})
	})
}

// settle waits until all have the last of what was said in rooms that are kept.
func (c *crowd) settle() {
	c.t.Helper()
	for over := time.Now().Add(patience); ; pause(c.t, 20*time.Millisecond) {
		behind := ""
		for i, p := range c.peers {
			for _, room := range p.rooms {
				if n, refused := c.talk(room).said(); kept(room) && !slices.Contains(refused, n) && p.last(room) < n && !p.gave(room, 5*time.Second) {
					behind = fmt.Sprintf("client %d has %d of %d in %s, is %s", i, p.last(room), n, room, p.client.State().Phase)
				}
			}
		}
		if behind == "" {
			return
		}
		if time.Now().After(over) {
			c.t.Errorf("after %v: %s", patience, behind)
			return
		}
	}
}
