package cluster

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nextrush/nextrush/websocket/broker"
)

var errFull = errors.New("more has arrived than can be handled")

const (
	beatPeriod = time.Second
	suspectAge = 3 * time.Second
	goneAge    = 5 * time.Second
	peerAge    = 10 * time.Second // after which one that is gone has got nothing that others have not

	checkPeriod = 30 * time.Second // ±30 %
	quietAge    = time.Second      // after which the top of a stream is announced
	maxTops     = 2000             // with one beat
	maxPast     = 1000             // nodes that are remembered
	recalls     = 3                // requests for announcements that are lost, as they may be lost too
	recallSlack = 10 * time.Second // by which what was announced may be older
	maxBegun    = 60               // generations of a node, of which it announces one each second
)

// Member is another node, or this one.
type Member struct {
	ID      broker.NodeID
	Sockets int64
	Suspect bool // it has not been heard of lately
}

// members are the other nodes that are there.
type members struct {
	mu    sync.Mutex // guards the fields below
	known map[broker.NodeID]*member
	past  map[broker.NodeID]*member // those that were
	gone  map[broker.NodeID]int64   // when nodes were forgotten that have not said goodbye
	up    bool                      // otherwise nobody can be heard, and nobody is forgotten
}

type member struct {
	sockets int64
	heard   int64 // nanoseconds
	begun   []begun
	goodbye bool   // it has said so
	clock   uint64 // of its last announcement; 0: none has come
	since   uint64 // the clock after which announcements are lost
	asks    int    // how often it is to be asked for them
}

// begun is the last generation that a node had begun, for as long as it has said so.
type begun struct {
	until      int64
	generation uint64
}

// begins notes what a node has announced.
func (m *member) begins(generation uint64, now int64) {
	if generation == 0 {
		return
	}
	if last := len(m.begun) - 1; last >= 0 && m.begun[last].generation == generation {
		m.begun[last].until = now
		return
	}
	m.begun = append(m.begun, begun{now, generation})
	m.begun = m.begun[max(len(m.begun)-maxBegun, 0):]
}

// follow notes an announcement. ask is whether the node is to be asked for what it has
// announced since a clock.
func (m *member) follow(previous, clock uint64) (since uint64, ask bool) {
	if clock <= m.clock {
		return 0, false // it has come twice
	}
	if m.clock != 0 && previous != m.clock {
		m.miss()
	}
	m.clock = clock
	if m.asks == 0 {
		return 0, false
	}
	m.asks--
	return m.since, true
}

// miss notes that something may be lost of what is announced from now on.
func (m *member) miss() {
	if m.asks == 0 {
		m.since = m.clock
	}
	m.asks = recalls
}

// begun is the last generation that a node had begun when something had been received for a
// while: what it had published before that has come or is lost.
func (n *Node) begun(id broker.NodeID, since int64) (generation uint64, ok bool) {
	n.members.mu.Lock()
	defer n.members.mu.Unlock()
	if m := n.members.known[id]; m != nil {
		for _, b := range m.begun {
			if b.until >= since+int64(beatPeriod) {
				return b.generation, true
			}
		}
	}
	return 0, false
}

// Members lists the nodes that are there, this one first.
func (n *Node) Members() []Member {
	list := []Member{{ID: n.self, Sockets: n.local.Sockets()}}
	now := n.now()
	n.members.mu.Lock()
	defer n.members.mu.Unlock()
	for id, m := range n.members.known {
		list = append(list, Member{id, m.sockets, now-m.heard > int64(suspectAge)})
	}
	return list
}

// others lists the other nodes that are there.
func (n *Node) others() []broker.NodeID {
	n.members.mu.Lock()
	defer n.members.mu.Unlock()
	ids := make([]broker.NodeID, 0, len(n.members.known))
	for id := range n.members.known {
		ids = append(ids, id)
	}
	return ids
}

// beat announces this node and forgets others that are gone, each second.
func (n *Node) beat() {
	n.announce()
	t := time.NewTicker(beatPeriod)
	defer t.Stop()
	for check := nextCheck(0); ; {
		select {
		case <-t.C:
		case <-n.ctx.Done():
			return
		}
		n.announce()
		if n.up.Load() {
			n.measure()
		}
		n.forgetGone()
		if unread := n.watcher.tick(); len(unread) > 0 {
			n.local.Watched(n.ctx, roomNames(unread))
		}
		for _, w := range n.workers {
			w.put(arrival{tick: true})
		}
		if now := n.now(); now > check {
			check = nextCheck(now)
			n.local.Lost(n.ctx, nil)
		}
	}
}

// nextCheck is when rooms that keep what is sent next look whether they have all: the last
// that was sent may have been lost, and nothing tells of it.
func nextCheck(now int64) int64 {
	return now + int64(checkPeriod)*7/10 + rand.Int64N(int64(checkPeriod)*6/10)
}

func (n *Node) announce() {
	if n.leaving.Load() == 0 {
		n.Publish(&Parcel{Kind: Announce, Volatile: true, Sockets: n.local.Sockets()}, nil)
	}
}

func (n *Node) forgetGone() {
	before := n.now() - int64(goneAge)
	n.members.mu.Lock()
	gone := n.members.forgetLocked(before, n.now())
	n.members.mu.Unlock()
	for _, id := range gone {
		n.calls.gone(id)
		n.local.Gone(id, false)
	}
}

// leaves forgets a node that has said goodbye, which it may do twice.
func (n *Node) leaves(id broker.NodeID) {
	n.members.mu.Lock()
	again := n.members.past[id] != nil && n.members.past[id].goodbye
	n.members.buryLocked(id, true)
	delete(n.members.gone, id)
	n.members.mu.Unlock()
	if !again {
		n.calls.gone(id)
		n.local.Gone(id, true)
	}
}

// buryLocked moves a node to those that were there.
func (ms *members) buryLocked(id broker.NodeID, goodbye bool) {
	m := ms.known[id]
	if m == nil {
		m = &member{}
	}
	m.goodbye = goodbye
	delete(ms.known, id)
	if len(ms.past) == maxPast {
		clear(ms.past)
	}
	ms.past[id] = m
}

// knows reports whether a node is there, of which something has arrived: it may be that
// it has not announced itself yet, but not that it has said goodbye.
func (n *Node) knows(id broker.NodeID) bool {
	n.members.mu.Lock()
	m, was := n.members.known[id], n.members.past[id]
	n.members.mu.Unlock()
	if was != nil && was.goodbye {
		return false
	}
	if m == nil {
		n.heard(id, &Parcel{})
	}
	return true
}

func (ms *members) forgetLocked(before, now int64) (gone []broker.NodeID) {
	if !ms.up {
		return nil
	}
	for id, m := range ms.known {
		if m.heard < before {
			ms.buryLocked(id, false)
			ms.gone[id] = now
			gone = append(gone, id)
		}
	}
	for id, at := range ms.gone {
		if now-at > int64(peerAge) {
			delete(ms.gone, id)
		}
	}
	return gone
}

// setUp notes whether others can be heard. Who was there before they could not be has time
// to be heard again.
func (ms *members) setUp(up bool, now int64) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if up && !ms.up {
		for _, m := range ms.known {
			m.heard = now
		}
	}
	ms.up = up
}

// Peers lists the other nodes that are there, or were lately; see [broker.Witness].
func (n *Node) Peers() []broker.NodeID {
	ids := n.others()
	n.members.mu.Lock()
	defer n.members.mu.Unlock()
	for id := range n.members.gone {
		if n.members.known[id] == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// heard notes that a node is there.
func (n *Node) heard(id broker.NodeID, p *Parcel) {
	n.members.mu.Lock()
	m, was := n.members.known[id], n.members.past[id]
	fresh, back := m == nil, was != nil
	if fresh {
		if m = was; m == nil || m.goodbye {
			m = &member{}
		}
		n.members.known[id] = m
	}
	delete(n.members.past, id)
	m.sockets, m.heard = p.Sockets, n.now()
	m.begins(p.Begun, m.heard)
	since, ask := m.follow(p.Previous, p.Clock)
	n.members.mu.Unlock()
	if ask {
		n.outbox.put(letter{parcel: &Parcel{Kind: Recall, Since: since}, to: id})
	}
	if fresh {
		n.announce() // it need not wait for the next beat to know of us
	}
	if back {
		n.local.Missed(nil)
	}
}

// told acts on what a node has said that is not about sockets.
func (n *Node) told(from broker.NodeID, p *Parcel) {
	switch p.Kind {
	case Announce:
		n.heard(from, p)
		if len(p.Tops) > 0 {
			n.spreadTops(from, p.Tops)
		}
	case Goodbye:
		n.spreadTops(from, p.Tops)
		n.leaves(from)
	case Recall:
		n.outbox.recall(p.Since)
	case Call:
		call := *p
		n.running.Go(func() { n.answer(n.ctx, from, &call) })
	case Answer:
		n.calls.answered(from, p)
	}
}

// spreadTops gives each worker those of its streams.
func (n *Node) spreadTops(from broker.NodeID, tops []Top) {
	parts := make([][]Top, len(n.workers))
	for _, t := range tops {
		i := t.Stream % uint64(len(parts))
		parts[i] = append(parts[i], t)
	}
	for i, part := range parts {
		if part != nil && !n.workers[i].put(arrival{Delivery: broker.Delivery{Envelope: broker.Envelope{From: from}}, tops: part}) {
			n.members.missed(from)
		}
	}
}

// missed notes that something is lost of what a node has announced.
func (ms *members) missed(id broker.NodeID) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if m := ms.known[id]; m != nil {
		m.miss()
	}
}

func (n *Node) answer(ctx context.Context, from broker.NodeID, call *Parcel) {
	reply := func(data []byte, last bool) error {
		return n.outbox.put(letter{parcel: &Parcel{Kind: Answer, Call: call.Call, Data: data, Last: last}, to: from})
	}
	n.local.Answer(ctx, call, func(data []byte) error { return reply(data, false) })
	reply(nil, true)
}
