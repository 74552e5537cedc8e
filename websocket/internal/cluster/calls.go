package cluster

import (
	"context"
	"slices"
	"sync"

	"github.com/nextrush/nextrush/websocket/broker"
)

// calls are those that wait for answers.
type calls struct {
	mu   sync.Mutex // guards the fields below and those of each call
	next uint64
	open map[uint64]*Asking
}

// Asking is a call of this node that others answer.
type Asking struct {
	id      uint64
	calls   *calls
	missing []broker.NodeID // that have not answered
	answers [][]byte
	news    chan struct{} // has room for one
	err     error         // why nobody has been asked
}

// Ask has all other nodes carry out a call. The caller closes what is returned.
func (n *Node) Ask(p *Parcel) *Asking {
	a := n.calls.add(n.others())
	p.Kind, p.Call = Call, a.id
	if len(a.missing) > 0 {
		a.err = n.outbox.put(letter{parcel: p})
	}
	return a
}

// Err is ErrDown or ErrTooLarge if nobody could be asked.
func (a *Asking) Err() error { return a.err }

func (c *calls) add(others []broker.NodeID) *Asking {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	a := &Asking{id: c.next, calls: c, missing: others, news: make(chan struct{}, 1)}
	c.open[a.id] = a
	return a
}

// Close forgets the call.
func (a *Asking) Close() {
	a.calls.mu.Lock()
	defer a.calls.mu.Unlock()
	delete(a.calls.open, a.id)
}

// Next waits for the next answer. ok is false when all have answered that are there, or
// ctx has ended.
func (a *Asking) Next(ctx context.Context) (data []byte, ok bool) {
	for {
		data, ok, over := a.take()
		if ok || over {
			return data, ok
		}
		select {
		case <-a.news:
		case <-ctx.Done():
			return nil, false
		}
	}
}

func (a *Asking) take() (data []byte, ok, over bool) {
	a.calls.mu.Lock()
	defer a.calls.mu.Unlock()
	if len(a.answers) > 0 {
		data, a.answers = a.answers[0], a.answers[1:]
		return data, true, false
	}
	return nil, false, a.err != nil || len(a.missing) == 0
}

// Missing lists the nodes that have not answered.
func (a *Asking) Missing() []broker.NodeID {
	a.calls.mu.Lock()
	defer a.calls.mu.Unlock()
	return slices.Clone(a.missing)
}

// answered takes an answer of a node, or its last word.
func (c *calls) answered(from broker.NodeID, p *Parcel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.open[p.Call]
	if a == nil || !slices.Contains(a.missing, from) {
		return
	}
	if p.Last {
		a.endedLocked(from)
		return
	}
	a.answers = append(a.answers, p.Data)
	a.wakeUp()
}

// gone has nobody wait for a node any more.
func (c *calls) gone(id broker.NodeID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.open {
		a.endedLocked(id)
	}
}

func (a *Asking) endedLocked(id broker.NodeID) {
	a.missing = slices.DeleteFunc(a.missing, func(other broker.NodeID) bool { return other == id })
	a.wakeUp()
}

func (a *Asking) wakeUp() {
	select {
	case a.news <- struct{}{}:
	default:
	}
}
