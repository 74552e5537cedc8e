package websocket

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/envelope"
	"github.com/nextrush/nextrush/websocket/internal/events"
)

// Request sends an event and waits for the peer's reply. Its errors are
// ctx.Err(), a *CloseError when the socket ends, an *EventError when the peer
// answers with one, ErrTooManyRequests, and ErrInCallback in a callback of the
// same socket, where the reply could not be read: call it in a goroutine. A client
// also needs a consumer for earlier messages, or the reply is never read, and the error
// says so; see [Dial].
func (s *Socket) Request(ctx context.Context, event string, args ...any) (*Event, error) {
	return s.ask(ctx, func(id string) error { return s.sendEnvelope(envelope.NewEvent(event, []byte(id)), args) })
}

// ask has something sent with an id, and waits for what answers it.
func (s *Socket) ask(ctx context.Context, send func(id string) error) (*Event, error) {
	if s.conn.InCallback() {
		return nil, ErrInCallback
	}
	if s.State() >= StateClosing {
		return nil, s.end()
	}
	e := s.useEvents()
	id, wait := e.NextID(), make(chan reply, 1)
	if !e.Await(id, func(r reply) { wait <- r }) {
		return nil, ErrTooManyRequests
	}
	defer e.Forget(id)
	if err := send(id); err != nil {
		return nil, err
	}
	s.conn.Begin()
	s.conn.Consume(func() {}) // what waits may be the reply, or keep us from reading it
	select {
	case r := <-wait:
		return r.Event, s.unanswered(r.Err)
	case <-ctx.Done():
		return nil, s.unanswered(ctx.Err())
	}
}

// unanswered says so if a reply could not be read.
func (s *Socket) unanswered(err error) error {
	if _, answered := errors.AsType[*EventError](err); err == nil || answered || !s.conn.Blocked() {
		return err
	}
	return fmt.Errorf("%w; a message waits, and replies behind it are not read: use OnMessage or Receive", err)
}

// refuse sends an error reply, unless the event has been answered. An error that is not
// meant for the peer is called internal there, and reported here.
func (e *Event) refuse(err error) error {
	if public := EventReplier(nil); !errors.As(err, &public) {
		e.Socket.conn.Report(fmt.Errorf("websocket: event %q: %w", e.Name, err))
	}
	if e.answered.Swap(true) {
		return ErrReplied
	}
	return e.Socket.SendJSON(e.errorReply(err))
}

func (e *Event) errorReply(err error) envelope.Out {
	env := envelope.Out{Type: envelope.Error, ID: e.id, Event: e.Name, Message: envelope.Internal}
	var public EventReplier
	if errors.As(err, &public) {
		env.Message, env.Errors = public.EventReply()
	}
	return env
}

// failure is the error that an envelope carries.
func failure(env *envelope.In) *EventError {
	message, details := env.Failure()
	return &EventError{Message: message, Errors: details}
}

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
//
// With a [Broker], the sockets of other nodes are asked as well; bytes reach them as base64.
// Nodes that have not answered come as one *[PartialError] without an ID.
func (e Emitter) Request(ctx context.Context, event string, args ...any) iter.Seq[Reply] {
	if n := e.node(); n != nil {
		return e.requestAll(ctx, n, event, args)
	}
	return e.requestHere(ctx, event, args)
}

// requestHere is Request for the receivers of this node.
func (e Emitter) requestHere(ctx context.Context, event string, args []any) iter.Seq[Reply] {
	return func(yield func(Reply) bool) {
		g, err := e.ask(event, args)
		if err != nil {
			yield(Reply{Err: err})
			return
		}
		g.Collect(ctx, func(s *Socket, r reply) bool { return yield(Reply{ID: s.ID(), Event: r.Event, Err: r.Err}) })
	}
}

// ask sends the event to all receivers, and writes at once what a batch would hold
// back: the caller is about to wait.
func (e Emitter) ask(event string, args []any) (*gathering, error) {
	if e.ns == nil {
		return &gathering{new(events.Gathering[*Socket, *Event])}, nil
	}
	id := events.ManyID(e.ns.asked.Add(1))
	p, err := prepareEvent(envelope.NewEvent(event, []byte(`"`+id+`"`)), args)
	if err != nil {
		return nil, err
	}
	members := e.members()
	g := &gathering{events.NewGathering[*Socket, *Event](id, len(members), unasked)}
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

// unasked has no reply to a request awaited any more.
func unasked(s *Socket, id string) { s.events.Load().Forget(id) }

// gathering is a Request to many.
type gathering struct {
	*events.Gathering[*Socket, *Event]
}

// ask sends to one receiver, and reports whether it is to be flushed.
func (g *gathering) ask(s *Socket, p *Prepared, volatile bool) (write bool) {
	g.Add(s)
	waiting := s.useEvents()
	if s.conn.InCallback() {
		g.Answer(s, reply{Err: ErrInCallback})
		return false
	}
	if !waiting.Await(g.ID, func(r reply) { g.Answer(s, r) }) {
		g.Answer(s, reply{Err: ErrTooManyRequests})
		return false
	}
	write, err := s.conn.Broadcast(p.frameFor(s), conn.Manner{Volatile: volatile})
	if err != nil && waiting.Forget(g.ID) {
		g.Answer(s, reply{Err: err})
	}
	return write
}
