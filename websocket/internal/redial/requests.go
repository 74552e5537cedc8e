package redial

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Pending is a request that waits for its reply.
type Pending struct {
	event   string
	id      uint64
	entry   *entry
	retry   bool
	settled bool
	session *session // that it was sent in
	ran     Ran
	timer   timer
	done    func(*Event, error)
}

// requests are those without a reply. Each settles: with its reply, after its time, or
// when it is lost.
type requests struct {
	c       *Client
	ids     uint64
	pending map[uint64]*Pending
}

// begin makes a request, whose outcome done is called with.
func (r *requests) begin(event string, timeout time.Duration, retry bool, done func(*Event, error)) *Pending {
	r.ids++
	p := &Pending{event: event, id: r.ids, retry: retry, ran: No, timer: timer{c: r.c}, done: done}
	r.pending[p.id] = p
	if timeout >= 0 {
		p.timer.set(timeout, func() { r.settle(p, nil, &TimedOut{p.ran != No}) })
	}
	return p
}

func (r *requests) settle(p *Pending, reply *Event, err error) {
	if p.settled {
		return
	}
	p.settled = true
	delete(r.pending, p.id)
	p.timer.clear()
	if p.entry != nil {
		r.c.queue.remove(p.entry)
	}
	p.done(reply, err)
}

func (r *requests) inOrder() []*Pending {
	return slices.SortedFunc(maps.Values(r.pending), func(a, b *Pending) int { return cmp.Compare(a.id, b.id) })
}

// reply takes an ack or an error.
func (r *requests) reply(f *frame) {
	p := r.pending[f.number()]
	switch {
	case p == nil:
	case f.Type == "error":
		message, errors := f.failure()
		r.settle(p, nil, &Refusal{message, errors})
	default:
		r.settle(p, f.event(), nil)
	}
}

// some reports whether any was sent in a session.
func (r *requests) some(s *session) bool {
	for _, p := range r.pending {
		if p.session == s {
			return true
		}
	}
	return false
}

// lost settles those of a session, and returns what is to be sent again, in order.
func (r *requests) lost(s *session) (again []*entry) {
	for _, p := range r.inOrder() {
		switch {
		case p.session != s:
		case p.retry:
			p.session = nil
			again = append(again, p.entry)
		default:
			p.session = nil
			r.settle(p, nil, &Lost{Ran: p.ran})
		}
	}
	return again
}

func (r *requests) fail(err error) {
	for _, p := range r.inOrder() {
		r.settle(p, nil, err)
	}
}
