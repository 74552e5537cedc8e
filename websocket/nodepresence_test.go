package websocket

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket/brokertest"
	"github.com/nextrush/nextrush/websocket/internal/history"
	"github.com/nextrush/nextrush/websocket/internal/roster"
)

// observer is a client that knows from what it is told who is in "room a".
type observer struct {
	mu    sync.Mutex // guards the fields below
	users map[string]string
	left  []string // each time that somebody has
	leave func()
}

// observe has a client follow who is there, as user.
func observe(come func(string, ...string) *raw, user string) *observer {
	o, c := &observer{users: make(map[string]string)}, come(user, speaking)
	o.leave = func() { c.conn.Close() }
	go func() {
		for f := range c.frames {
			o.hear(f.payload)
		}
	}()
	return o
}

func (o *observer) hear(payload []byte) {
	var m struct {
		Type      string
		Set, Join map[string]roster.Member
		Leave     []string
	}
	if json.Unmarshal(payload, &m) != nil || m.Type != "presence" {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if m.Set != nil {
		clear(o.users)
	}
	for _, users := range []map[string]roster.Member{m.Set, m.Join} {
		for id, member := range users {
			o.users[id] = string(member.Data)
		}
	}
	for _, id := range m.Leave {
		delete(o.users, id)
		o.left = append(o.left, id)
	}
}

// sees reports whether the observer knows exactly those users.
func (o *observer) sees(users ...string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	slices.Sort(users)
	return slices.Equal(slices.Sorted(maps.Keys(o.users)), users)
}

func (o *observer) gone() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(slices.Values(o.left))
}

// What is kept of a room, and what is not, are numbered each for itself: nothing is
// counted lost that has come.
func TestWhatIsKeptIsNotCountedAsLost(t *testing.T) {
	opts := showing
	opts.Rooms = Rooms{"room*": {Presence: true, History: History{Messages: 100}, LeaveDelay: time.Millisecond}}
	network := brokertest.NewNetwork()
	var sites []*site
	var eyes []*observer
	for i := range 2 {
		opts.Broker = network.Broker()
		st, _ := attend(t, overTCP, opts)
		come := func(user string, lines ...string) *raw { return st.raw(t, append(lines, "User: "+user)...) }
		sites, eyes = append(sites, st), append(eyes, observe(come, fmt.Sprint("eye", i)))
	}
	for _, eye := range eyes {
		eventually(t, "both are there", func() bool { return eye.sees("eye0", "eye1") })
	}
	for i := range 10 {
		sites[0].srv.To("room a").Emit("x", i)
	}
	sites[0].raw(t, "User: ann")
	eventually(t, "ann is there", func() bool { return eyes[1].sees("ann", "eye0", "eye1") })
	for _, st := range sites {
		if n := st.srv.Stats().Cluster.Lost; n != 0 {
			t.Errorf("%d are counted lost", n)
		}
	}
}

// halls serves "room a" on as many nodes, each with an observer whose name is "eye" and
// the number of the node.
func halls(t *testing.T, network *brokertest.Network, delay time.Duration, n int) (list []hall) {
	for i := range n {
		opts := showing
		opts.Rooms = Rooms{"room*": {Presence: true, LeaveDelay: delay}}
		opts.Broker = network.Broker()
		h := hall{}
		h.site, h.come = attend(t, overTCP, opts)
		h.eye = observe(h.come, fmt.Sprint("eye", i))
		list = append(list, h)
	}
	return list
}

type hall struct {
	*site
	come func(string, ...string) *raw
	eye  *observer
}

func TestPresenceIsThatOfAllNodes(t *testing.T) {
	list := halls(t, brokertest.NewNetwork(), time.Millisecond, 3)
	ann, annToo, bob := list[0].come("ann", speaking), list[1].come("ann", speaking), list[2].come("bob", speaking)
	everywhere := func(what string, users ...string) {
		t.Helper()
		for _, h := range list {
			eventually(t, what, func() bool { return h.eye.sees(append(users, "eye0", "eye1", "eye2")...) })
		}
	}
	everywhere("all are there", "ann", "bob")
	bob.say(`{"type":"presence","room":"room a","data":"hello"}`)
	for _, h := range list {
		eventually(t, "what is said of bob", func() bool {
			users, err := h.srv.Presence(context.Background(), "room a")
			i := slices.IndexFunc(users, func(p Present) bool { return p.User == "bob" })
			return err == nil && len(users) == 5 && i >= 0 && string(users[i].Data) == `"hello"` && users[0].Sockets == 2
		})
	}
	ann.conn.Close()
	bob.conn.Close()
	everywhere("bob has left", "ann")
	annToo.conn.Close()
	everywhere("ann has left")
	for i, h := range list {
		if left := h.eye.gone(); !slices.Equal(left, []string{"ann", "bob"}) {
			t.Errorf("node %d was told that %v have left", i, left)
		}
	}
	if users, err := list[0].srv.Presence(t.Context(), "room b"); len(users) != 0 || err != nil {
		t.Errorf("%v in an empty room, %v", users, err)
	}
}

// A node that is gone takes its users with it, but those who are elsewhere too.
func TestANodeThatIsGoneTakesItsUsersWithIt(t *testing.T) {
	for _, goodbye := range []bool{true, false} {
		t.Run(fmt.Sprint("goodbye ", goodbye), func(t *testing.T) {
			list := halls(t, brokertest.NewNetwork(), -1, 3)
			list[2].come("ann", speaking)
			list[2].come("bob", speaking)
			list[1].come("bob", speaking)
			for _, h := range list {
				eventually(t, "all are there", func() bool { return h.eye.sees("ann", "bob", "eye0", "eye1", "eye2") })
			}
			if goodbye {
				list[2].srv.Close()
			} else {
				list[2].srv.opts.Broker.Close(context.Background())
			}
			for _, h := range list[:2] {
				eventually(t, "they are gone", func() bool { return h.eye.sees("bob", "eye0", "eye1") })
				if left := h.eye.gone(); !slices.Equal(left, []string{"ann", "eye2"}) {
					t.Errorf("%v have left", left)
				}
			}
		})
	}
}

// Whatever is lost between nodes, and however often the broker is cut off, all agree in the
// end on who is there.
func TestNodesAgreeOnWhoIsThere(t *testing.T) {
	network := brokertest.NewNetwork()
	list := halls(t, network, time.Millisecond, 3)
	rnd := rand.New(rand.NewPCG(3, 4))
	there := make(map[*raw]string)
	for i := range 300 {
		switch rnd.IntN(4) {
		case 0, 1:
			user := fmt.Sprint("user", rnd.IntN(12))
			there[list[rnd.IntN(3)].come(user)] = user
		case 2:
			for c := range there {
				c.conn.Close()
				delete(there, c)
				break
			}
		case 3:
			network.Lose(rnd.IntN(4))
		}
		if i == 150 {
			network.Cut()
			time.AfterFunc(time.Second, network.Mend)
		}
	}
	network.Lose(0)
	users := append(slices.Collect(maps.Values(there)), "eye0", "eye1", "eye2")
	slices.Sort(users)
	users = slices.Compact(users)
	for i, h := range list {
		eventually(t, fmt.Sprint("node ", i, " knows ", strings.Join(users, " ")), func() bool { return h.eye.sees(slices.Clone(users)...) })
	}
}

// What a node has said of its users may come after its goodbye.
func TestWhoIsAtANodeThatHasSaidGoodbyeStays(t *testing.T) {
	h := halls(t, brokertest.NewNetwork(), time.Second, 1)[0]
	eventually(t, "it is there", func() bool { return h.eye.sees("eye0") })
	h.srv.told.Hear(history.Key{Room: "room a"}, roster.Node{9}, true, []byte(`{"whole":true,"in":{"ann":{"sockets":1}},"stay":{"bob":{"for":15000}}}`))
	eventually(t, "both stay", func() bool { return h.eye.sees("ann", "bob", "eye0") })
}

// A node that shuts down still says who is there, so that nobody is told that they have
// left who have not come elsewhere yet.
func TestANodeThatIsGoingStillTellsWhoIsThere(t *testing.T) {
	list := halls(t, brokertest.NewNetwork(), time.Millisecond, 2)
	list[1].eye.leave()
	eventually(t, "nobody is at the second", func() bool { return list[0].eye.sees("eye0") })
	observe(list[0].come, "bob")
	eventually(t, "bob is there", func() bool { return list[0].eye.sees("bob", "eye0") })
	down := make(chan error, 1)
	go func() { down <- list[0].srv.Shutdown(context.Background()) }()
	eventually(t, "it says goodbye", func() bool { _, is := list[0].srv.node.Leaving(); return is })
	ann := observe(list[1].come, "ann") // who was at the first
	eventually(t, "ann is told", func() bool { return ann.sees("ann", "bob", "eye0") })
	if err := <-down; err != nil {
		t.Error(err)
	}
	bob := observe(list[1].come, "bob")
	eventually(t, "bob is told", func() bool { return bob.sees("ann", "bob", "eye0") })
	if left := ann.gone(); len(left) > 0 {
		t.Errorf("%v have left", left)
	}
}
