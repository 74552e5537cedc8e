package websocket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/envelope"
)

const (
	maxRequests = 1024 // replies awaited at once by one socket
	manyPrefix  = "m"  // of the id of a request to many, which counts them; others are numbers of the socket
)

// Request sends an event and waits for the peer's reply. Its errors are
// ctx.Err(), a *CloseError when the socket ends, an *EventError when the peer
// answers with one, ErrTooManyRequests, and ErrInCallback in a callback of the
// same socket, where the reply could not be read: call it in a goroutine. A client
// also needs a consumer for earlier messages, or the reply is never read; see [Dial].
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
	id, wait := e.nextID(), make(chan reply, 1)
	if err := e.await(id, func(r reply) { wait <- r }); err != nil {
		return nil, err
	}
	defer e.forget(id)
	if err := send(id); err != nil {
		return nil, err
	}
	s.conn.Begin()
	s.conn.Consume(func() {}) // what waits may be the reply, or keep us from reading it
	select {
	case r := <-wait:
		return r.event, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// reply is what answers a request.
type reply struct {
	event *Event
	err   error
}

func (e *events) nextID() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.requests++
	return strconv.FormatUint(e.requests, 10)
}

// await registers take for the reply to a request. It is called once, with e.mu held.
func (e *events) await(id string, take func(reply)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.replies) >= maxRequests {
		return ErrTooManyRequests
	}
	e.replies[id] = take
	return nil
}

// forget reports whether the reply was awaited until now.
func (e *events) forget(id string) (awaited bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, awaited = e.replies[id]
	delete(e.replies, id)
	return awaited
}

// answered hands a reply to the request that waits for it, and reports whether there
// was one: a reply that comes too late is dropped. many is how many requests to many
// there were.
func (e *events) answered(id json.RawMessage, r reply, many uint64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := string(bytes.Trim(id, `"`))
	if take, ok := e.replies[key]; ok {
		delete(e.replies, key)
		take(r)
	}
	asked := e.requests
	if number, ok := strings.CutPrefix(key, manyPrefix); ok {
		key, asked = number, many
	}
	n, err := strconv.ParseUint(key, 10, 64)
	return err == nil && 0 < n && n <= asked
}

// awaited reports whether somebody waits for a reply.
func (e *events) awaited() bool {
	if e == nil {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.replies) > 0
}

// fail answers all requests with an error.
func (e *events) fail(err error) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, take := range e.replies {
		delete(e.replies, id)
		take(reply{err: err})
	}
}

// refuse sends an error reply. An error that is not meant for the peer is called
// internal there, and reported here.
func (e *Event) refuse(err error) {
	if public := EventReplier(nil); !errors.As(err, &public) {
		e.Socket.conn.Report(fmt.Errorf("websocket: event %q: %w", e.Name, err))
	}
	e.Socket.SendJSON(e.errorReply(err))
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
	p, err := prepareEvent(envelope.NewEvent(event, []byte(`"`+id+`"`)), args)
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
	waiting := s.useEvents()
	if s.conn.InCallback() {
		g.replies <- answer{s, reply{err: ErrInCallback}}
		return false
	}
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
