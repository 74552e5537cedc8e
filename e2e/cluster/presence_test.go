package cluster

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

// hall is the room in which clients are told who is there.
const hall = "hall"

// guest is a socket of a user in the hall, which writes down who comes and goes.
type guest struct {
	user   string
	client *websocket.Client

	mu     sync.Mutex     // guards the fields below
	where  func() string  // the node to go to; empty: it is away
	conn   net.Conn       // the last
	joined map[string]int // how often, by user
	left   map[string]int
	there  map[string]bool // who has joined and not left
	latest time.Time       // of those who have left
}

func (g *guest) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	g.mu.Lock()
	addr := g.where()
	g.mu.Unlock()
	if addr == "" {
		return nil, errCut
	}
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.conn = c; err == nil && g.where() == "" {
		c.Close()
	}
	return c, err
}

// goTo has the guest come back to another node when its connection ends.
func (g *guest) goTo(where func() string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.where = where
}

// leave ends the connection, and there is no other.
func (g *guest) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.where = nowhere
	if g.conn != nil {
		g.conn.Close()
	}
}

func nowhere() string { return "" }

func to(addr string) func() string { return func() string { return addr } }

func (g *guest) change(p websocket.PresenceChange) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, user := range p.Joined {
		g.joined[user]++
		g.there[user] = true
	}
	for _, user := range p.Left {
		g.left[user]++
		delete(g.there, user)
		g.latest = time.Now()
	}
}

// forget begins a new page.
func (g *guest) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.joined, g.left = make(map[string]int), make(map[string]int)
}

// told is how often who has come and gone since forget.
func (g *guest) told() (joined, left map[string]int, latest time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.joined), maps.Clone(g.left), g.latest
}

// sees lists the users that the guest was told of. The client knows of them a moment
// earlier.
func (g *guest) sees() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(maps.Keys(g.there))
}

// party is the guests of a hall.
type party struct {
	t      *testing.T
	ctx    context.Context
	wg     sync.WaitGroup
	guests []*guest
}

func newParty(t *testing.T) *party {
	p := &party{t: t}
	ctx, cancel := context.WithCancel(context.Background())
	p.ctx = ctx
	t.Cleanup(func() { cancel(); p.wg.Wait() })
	return p
}

// come has a user come by another socket.
func (p *party) come(user string, where func() string) {
	g := &guest{user: user, where: where, there: make(map[string]bool)}
	g.forget()
	g.client = websocket.NewClient("ws://nodes/?"+url.Values{"room": {hall}, "user": {user}}.Encode(), &websocket.ClientOptions{
		Backoff: websocket.Backoff{Base: 200 * time.Millisecond, Cap: time.Second, First: 200 * time.Millisecond}, ConnectTimeout: 20 * time.Second, Dial: websocket.DialOptions{NetDial: g.dial}})
	g.client.Room(hall).OnPresence(g.change)
	p.guests = append(p.guests, g)
	p.wg.Go(func() { g.client.Run(p.ctx) })
}

// here lists the guests that are not away.
func (p *party) here() []*guest {
	return slices.DeleteFunc(slices.Clone(p.guests), func(g *guest) bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.where() == ""
	})
}

// agree waits until all who are there know of all who are there.
func (p *party) agree(what string) {
	p.t.Helper()
	var users []string
	for _, g := range p.here() {
		users = append(users, g.user)
	}
	slices.Sort(users)
	users = slices.Compact(users)
	for over := time.Now().Add(patience); ; pause(p.t, 20*time.Millisecond) {
		wrong := ""
		for _, g := range p.here() {
			if seen := g.sees(); !slices.Equal(seen, users) {
				wrong = fmt.Sprintf("%s sees %v, there are %v", g.user, seen, users)
			}
		}
		if wrong == "" {
			return
		}
		if time.Now().After(over) {
			p.t.Fatalf("%s: %s", what, wrong)
		}
	}
}

func (p *party) forget() {
	for _, g := range p.guests {
		g.forget()
	}
}

// once fails the test unless each of the watchers was told once of those who have come and
// of those who have left, and of nobody else.
func (p *party) once(what string, watchers []*guest, came, left []string) {
	p.t.Helper()
	told := 0
	for _, g := range watchers {
		joined, gone, _ := g.told()
		delete(joined, g.user)
		told += len(joined) + len(gone)
		want, wantGone := onceEach(came), onceEach(left)
		if delete(want, g.user); !maps.Equal(joined, want) || !maps.Equal(gone, wantGone) {
			p.t.Errorf("%s: a socket of %s was told that %v have come, want %v, and %v have left, want %v", what, g.user, joined, want, gone, wantGone)
		}
	}
	p.t.Logf("%s: %d sockets were told of %d who have come and %d who have left, %d times", what, len(watchers), len(came), len(left), told)
}

func onceEach(users []string) map[string]int {
	all := make(map[string]int)
	for _, user := range users {
		all[user] = 1
	}
	return all
}

// Users are told of once, whichever nodes are killed and restarted.
func TestUsersComeAndGoOnce(t *testing.T) {
	beside(t)
	t.Run("redis", func(t *testing.T) {
		beside(t)
		url := newRedis(t).URL()
		comeAndGo(t, func(int) string { return url })
	})
	t.Run("nats", func(t *testing.T) {
		beside(t)
		m := newMesh(t)
		comeAndGo(t, func(i int) string { return m.url(i, true) })
	})
}

func comeAndGo(t *testing.T, url func(i int) string) {
	list := []*node{start(t, url(0)), start(t, url(1))}
	third := startChild(t, url(2))
	acquainted(t, list, 3)
	p := newParty(t)
	n := often(15, 4)
	var only []string
	for i := range n {
		near, name := list[i%2].addr(), func(kind string) string { return fmt.Sprint(kind, " ", i) }
		only = append(only, name("only"))
		p.come(name("only"), to(third.addr))
		p.come(name("both"), to(third.addr))
		p.come(name("both"), to(near))
		p.come(name("here"), to(near))
		p.come(name("back"), to(third.addr))
	}
	p.agree("all are there")
	p.killed(third, list, only)
	list = append(list, start(t, url(2)))
	acquainted(t, list, 3)
	p.rolled(list, url)
}

// killed kills a node, and has its users come back or not.
func (p *party) killed(third *child, list []*node, only []string) {
	p.t.Helper()
	p.forget()
	for i, g := range p.guests {
		switch where := g.where(); {
		case where != third.addr:
		case strings.HasPrefix(g.user, "back"):
			g.goTo(to(list[i%2].addr()))
		default:
			g.goTo(nowhere)
		}
	}
	third.kill()
	began := time.Now()
	watchers := p.here()
	p.agree("who was at the node alone has left")
	var latest time.Time
	for _, g := range watchers {
		if _, _, at := g.told(); at.After(latest) {
			latest = at
		}
	}
	p.t.Logf("the last was told of after %v", latest.Sub(began).Round(time.Millisecond))
	if most := 15 * time.Second; full() && latest.Sub(began) > most { // 5 s and a beat until the node is gone, and LeaveDelay
		p.t.Errorf("that is more than %v", most)
	}
	p.once("a node is killed", watchers, nil, only)
	p.forget()
	for i, g := range p.guests {
		if slices.Contains(only, g.user) {
			g.goTo(to(list[i%2].addr()))
		}
	}
	p.agree("they have come back")
	p.once("they have come back", watchers, only, nil)
}

// rolled restarts all nodes, one after the other. All come back, but one each time who
// leaves, and somebody comes.
func (p *party) rolled(list []*node, url func(i int) string) {
	p.t.Helper()
	way := &access{nodes: slices.Clone(list)}
	for _, g := range p.guests {
		g.goTo(way.pick)
	}
	p.agree("all are there")
	p.forget()
	watchers := p.here()
	var came, left []string
	for range often(3, 1) {
		for i, old := range list {
			list[i] = start(p.t, url(i))
			way.setNodes(slices.Clone(list))
			user := fmt.Sprint("new ", len(came))
			came = append(came, user)
			p.come(user, way.pick)
			at := slices.IndexFunc(watchers, func(g *guest) bool { return strings.HasPrefix(g.user, "here") })
			if at >= 0 {
				left = append(left, watchers[at].user)
				watchers[at].leave()
				watchers = slices.Delete(watchers, at, at+1)
			}
			old.close()
			pause(p.t, often(3*time.Second, time.Second))
		}
	}
	p.agree("all nodes were restarted")
	p.once("all nodes were restarted", watchers, came, left)
	for i, n := range list {
		eventually(p.t, fmt.Sprintf("node %d knows who is there", i), func() bool {
			users, err := n.srv.Presence(p.t.Context(), hall)
			return err == nil && len(users) == len(p.guests[0].sees())
		})
	}
}
