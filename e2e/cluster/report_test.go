package cluster

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// report is what the logs of clients say: messages, of all clients together.
type report struct {
	delivered, twice int
	told             int // that did not come, and the client knows
	lost             int // and does not
	unsent           int // nobody has got them: the node has dropped them after 30 s, and counted
	late             time.Duration
	why              map[string]int // clients were told
	problems         []string
}

func (r *report) problem(format string, args ...any) {
	if len(r.problems) < 10 {
		r.problems = append(r.problems, fmt.Sprintf(format, args...))
	}
}

func (r *report) String() string {
	return fmt.Sprintf("delivered %d, twice %d, told %d %v, lost %d, dropped before they were kept %d, latest after %v", r.delivered, r.twice, r.told, r.why, r.lost, r.unsent, r.late.Round(time.Millisecond))
}

// place is that of a message in a room.
type place struct {
	room, epoch string
	offset      int64
}

// read compares what clients have got in rooms of a kind with what was said. All clients
// were there before the first word.
func (c *crowd) read(keptRooms bool) (r report) {
	at, sent := make(map[place]int), c.sent()
	for i, p := range c.peers {
		for _, room := range p.rooms {
			if kept(room) == keptRooms {
				n, refused := c.talk(room).said()
				if !keptRooms {
					refused = nil // those of the node have got it
				}
				r.room(fmt.Sprintf("client %d, %s", i, room), p.entries(room), n, refused, sent[room])
				r.places(room, p.entries(room), at)
			}
		}
	}
	return r
}

// sent is what at least one client has got, of each room.
func (c *crowd) sent() map[string]map[int]bool {
	sent := make(map[string]map[int]bool)
	for _, k := range c.talks {
		sent[k.room] = make(map[int]bool)
	}
	for _, p := range c.peers {
		for _, room := range p.rooms {
			for _, e := range p.entries(room) {
				if e.gap == "" {
					sent[room][e.n] = true
				}
			}
		}
	}
	return sent
}

// room compares a log with what was said in a room: n messages, of which some were not
// taken, and some have got to somebody.
func (r *report) room(who string, log []entry, n int, refused []int, sent map[int]bool) {
	seen := make(map[int]bool)
	last, gap := 0, ""
	missing := func(before int) {
		for i := last + 1; i < before; i++ {
			switch {
			case slices.Contains(refused, i) || seen[i]:
			case gap != "":
				r.told++
			case !sent[i] && kept(who[strings.LastIndex(who, ", ")+2:]):
				r.unsent++
			default:
				r.lost++
				r.problem("%s: %d is lost, after %d", who, i, last)
			}
		}
	}
	for _, e := range log {
		switch {
		case e.gap != "":
			if gap = e.gap; r.why == nil {
				r.why = make(map[string]int)
			}
			r.why[gap]++
		case seen[e.n]:
			r.twice++
			r.problem("%s: %d comes again, as %d of %s, %s", who, e.n, e.offset, e.epoch, gap)
		default:
			r.delivered++
			r.late = max(r.late, e.late)
			seen[e.n] = true
			if e.n < last {
				r.problem("%s: %d comes after %d", who, e.n, last)
				continue
			}
			missing(e.n)
			last, gap = e.n, ""
		}
	}
	missing(n + 1)
}

// places checks that no offset of an epoch has come with different messages, and that none
// between two of a client is left out.
func (r *report) places(room string, log []entry, at map[place]int) {
	var last entry
	for _, e := range log {
		if e.gap != "" || e.offset == 0 {
			last = entry{}
			continue
		}
		p := place{room, e.epoch, e.offset}
		if n, ok := at[p]; ok && n != e.n {
			r.problem("%s: %d of epoch %s is %d and %d", room, e.offset, e.epoch, n, e.n)
		}
		at[p] = e.n
		if last.offset > 0 && e.offset != last.offset+1 {
			r.problem("%s: offset %d follows %d in epoch %s", room, e.offset, last.offset, e.epoch)
		}
		last = e
	}
}

// whole fails the test if something was lost without a word in kept rooms, or came twice or
// out of order. clean: nobody was told either.
func (c *crowd) whole(clean bool) (r report) {
	c.t.Helper()
	c.settle()
	r = c.read(true)
	c.t.Logf("kept: %s", &r)
	dropped := c.dropped()
	if r.unsent > 0 {
		c.t.Logf("dropped by nodes, and counted: %d", dropped)
	}
	if r.unsent > dropped*len(c.peers) {
		c.t.Errorf("%d have not got to any client, nodes have dropped %d", r.unsent, dropped)
	}
	if r.lost > 0 || r.twice > 0 || len(r.problems) > 0 || clean && r.told > 0 {
		for _, p := range r.problems {
			c.t.Log(p)
		}
		c.t.Errorf("%s", &r)
	}
	return r
}

// dropped is what nodes have counted that they could not publish.
func (c *crowd) dropped() (n int) {
	var nodes []*node
	for _, k := range c.talks {
		nodes = append(nodes, k.nodes...)
	}
	seen := make(map[*node]bool)
	for _, node := range nodes {
		if !seen[node] {
			n += int(node.stats().Dropped)
		}
		seen[node] = true
	}
	return n
}

// plainOf is the report of the clients of one node.
func (c *crowd) plainOf(n *node) report {
	part := &crowd{t: c.t, talks: c.talks, peers: slices.DeleteFunc(slices.Clone(c.peers), func(p *peer) bool { return p.addr != n.addr() })}
	return part.read(false)
}

// counted checks that a node has counted what its clients in plain rooms did not get.
// All of them are in all plain rooms, and none has had to connect again. That a last
// message is missing is known after a while.
func (c *crowd) counted(list []*node) {
	c.t.Helper()
	for i, n := range list {
		clients := 0
		for _, p := range c.peers {
			if p.addr == n.addr() {
				clients++
			}
		}
		if clients == 0 {
			continue
		}
		refused := 0
		for j, k := range c.talks {
			if _, r := k.said(); !kept(k.room) && list[j%len(list)] != n {
				refused += len(r)
			}
		}
		var r report
		counted, same := 0, false
		for over := time.Now().Add(patience / 2); !same && time.Now().Before(over); pause(c.t, 50*time.Millisecond) {
			r = c.plainOf(n)
			counted = int(n.stats().Lost) + refused
			same = r.lost == counted*clients && n.gaps.Load() == n.stats().Lost // what was said last has come, and is told
		}
		c.t.Logf("plain, node %d: %s, counted %d (%d of them refused), duplicates left out %d", i, &r, counted, refused, n.stats().Duplicates)
		if !same || r.twice > 0 {
			c.t.Errorf("node %d has counted %d, and told OnGap of %d; its %d clients have lost %d, and got %d twice: %q",
				i, counted, n.gaps.Load(), clients, r.lost, r.twice, r.problems)
		}
	}
}
