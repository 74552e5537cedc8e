package websocket

import (
	"context"
	"iter"
	"strconv"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/websocket/internal/conn"
)

// Reply is what one of several sockets has answered to an [Emitter.Request].
type Reply struct {
	ID    string // of the socket
	Event *Event // as Socket.Request returns it; nil if there is an error
	Err   error
}

// Request sends an event to every receiver when a loop over it begins, and yields their
// replies as they come, one for each receiver:
//
//	for r := range srv.To("room").Request(ctx, "ready?") { … }
//
// Who has not answered when ctx ends comes with ctx.Err(). The other errors are those of
// [Socket.Request] and of sending; a receiver that ends meanwhile comes with a
// *CloseError, which is ErrClosed. If the event cannot be encoded, that error comes
// alone and without an ID. Leaving the loop early is fine: what is answered later is
// dropped.
//
// Give it a ctx that ends: a client need not answer. One whose handler has not returned
// answers only if it calls Receive. In a callback, the socket of the callback comes with
// ErrInCallback and is not asked, unless the Emitter leaves it out.
func (e Emitter) Request(ctx context.Context, event string, args ...any) iter.Seq[Reply] {
	return func(yield func(Reply) bool) {
		g, err := e.ask(event, args)
		if err != nil {
			yield(Reply{Err: err})
			return
		}
		defer g.forget()
		g.collect(ctx, yield)
	}
}

// gathering is a Request to many whose replies are awaited.
type gathering struct {
	id      string
	open    map[*Socket]struct{} // whose replies have not been taken from the channel
	replies chan answer          // has room for all
}

type answer struct {
	socket *Socket
	reply
}

func (a answer) public() Reply { return Reply{ID: a.socket.ID(), Event: a.event, Err: a.err} }

// ask sends the event to all receivers, and writes at once what a batch would hold
// back: the caller is about to wait.
func (e Emitter) ask(event string, args []any) (*gathering, error) {
	if e.ns == nil {
		return &gathering{}, nil
	}
	id := manyPrefix + strconv.FormatUint(e.ns.asked.Add(1), 10)
	p, err := prepareEvent(newEvent(event, []byte(`"`+id+`"`)), args)
	if err != nil {
		return nil, err
	}
	members := e.members()
	g := &gathering{id, make(map[*Socket]struct{}, len(members)), make(chan answer, len(members))}
	var flush []loop.Flusher
	for _, s := range members {
		if e.leavesOut(s) {
			continue
		}
		if g.ask(s, p, e.volatile) {
			flush = append(flush, &s.conn)
		}
	}
	for _, f := range flush {
		f.Flush()
	}
	return g, nil
}

// ask sends to one receiver, and reports whether it is to be flushed.
func (g *gathering) ask(s *Socket, p *Prepared, volatile bool) (write bool) {
	g.open[s] = struct{}{}
	if s.conn.InCallback() {
		g.replies <- answer{s, reply{err: ErrInCallback}}
		return false
	}
	waiting := s.useEvents()
	if err := waiting.await(g.id, func(r reply) { g.replies <- answer{s, r} }); err != nil {
		g.replies <- answer{s, reply{err: err}}
		return false
	}
	write, err := s.conn.Broadcast(p.frameFor(s), conn.Manner{Volatile: volatile})
	if err != nil && waiting.forget(g.id) {
		g.replies <- answer{s, reply{err: err}}
	}
	return write
}

// collect yields the replies as they come.
func (g *gathering) collect(ctx context.Context, yield func(Reply) bool) {
	for len(g.open) > 0 {
		select {
		case a := <-g.replies:
			if !g.yield(a, yield) {
				return
			}
		case <-ctx.Done():
			g.rest(ctx.Err(), yield)
			return
		}
	}
}

func (g *gathering) yield(a answer, yield func(Reply) bool) bool {
	delete(g.open, a.socket)
	return yield(a.public())
}

// rest yields the replies that have come, and err for the others.
func (g *gathering) rest(err error, yield func(Reply) bool) {
	g.forget()
	for len(g.replies) > 0 {
		if !g.yield(<-g.replies, yield) {
			return
		}
	}
	for s := range g.open {
		if !yield(Reply{ID: s.ID(), Err: err}) {
			return
		}
	}
}

// forget has nobody's reply awaited any more.
func (g *gathering) forget() {
	for s := range g.open {
		s.events.Load().forget(g.id)
	}
}
