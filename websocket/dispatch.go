package websocket

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/envelope"
	"github.com/nextrush/nextrush/websocket/internal/protocol"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// events is a socket's handlers and awaited replies. A nil one has none.
type events struct {
	mu         sync.Mutex // guards the fields below
	middleware []func(*Event, func() error) error
	any        []handler // of every event
	handlers   map[string][]handler
	requests   uint64 // sent so far
	replies    map[string]func(reply)
}

type handler struct {
	f    func(*Event) error
	once bool
}

func (h handler) isOnce() bool { return h.once }

// useEvents makes the socket's events if it has none.
func (s *Socket) useEvents() *events {
	if s.events.Load() == nil {
		s.events.CompareAndSwap(nil, &events{handlers: make(map[string][]handler), replies: make(map[string]func(reply))})
	}
	return s.events.Load()
}

func (e *events) add(name string, h handler) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.handlers[name] = append(e.handlers[name], h)
}

func (e *events) addAny(h handler) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.any = append(e.any, h)
}

func (e *events) use(mw func(*Event, func() error) error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.middleware = append(e.middleware, mw)
}

func (e *events) remove(name string) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.handlers, name)
}

// handleSome reports whether any event has a handler.
func (e *events) handleSome() bool {
	if e == nil {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.someLocked()
}

func (e *events) someLocked() bool { return len(e.handlers) > 0 || len(e.any) > 0 }

// delivery is what there is to do for an envelope.
type delivery struct {
	claimed    bool
	event      *Event // nil if there is nothing
	refusal    error  // to answer it with; nil: handlers run
	handlers   []handler
	middleware []func(*Event, func() error) error
	timed      bool // to be
}

// dispatch reports whether the message was an event, a reply, or an error that
// answers a request.
func (s *Socket) dispatch(m Message) bool {
	env, ok := s.parse(m)
	if !ok {
		return false
	}
	d := s.events.Load().claim(&env, s)
	d.run()
	return d.claimed
}

// parse takes a message for an envelope, in one of the forms that the peer may use.
func (s *Socket) parse(m Message) (env envelope.In, ok bool) {
	if m.Type == Binary && !s.takesBytes() {
		return env, false
	}
	return m.envelope()
}

// claim finds whom an envelope is for. A reply is handed over at once.
func (e *events) claim(env *envelope.In, s *Socket) delivery {
	if e == nil {
		return delivery{}
	}
	switch env.Type {
	case envelope.Event:
		return e.claimEvent(env, s)
	case envelope.Ack:
		return delivery{claimed: e.answered(env.ID, reply{event: newEvent(env, s)}, s.ns.asked.Load())}
	case envelope.Error:
		return delivery{claimed: e.answered(env.ID, reply{err: failure(env)}, s.ns.asked.Load())}
	case envelope.Hello, envelope.Ping, envelope.Pong:
		return s.probed(env)
	}
	return delivery{}
}

// probed answers a ping that scripts can send, of a peer that speaks Protocol. What
// it says beside is not for handlers.
func (s *Socket) probed(env *envelope.In) delivery {
	if !s.takesBytes() {
		return delivery{}
	}
	d := delivery{claimed: true}
	if t := env.T; env.Type == envelope.Ping && envelope.ValidID(t) {
		d.event = &Event{Socket: s}
		d.handlers = []handler{{f: func(*Event) error { return s.conn.Send(wire.OpText, protocol.PongOf(t)) }}}
	}
	return d
}

func (e *events) claimEvent(env *envelope.In, s *Socket) delivery {
	ev := newEvent(env, s)
	if envelope.ValidID(env.ID) {
		ev.id = env.ID
	}
	if ev.Name = env.Name(); ev.Name == "" {
		return delivery{claimed: true, event: ev, refusal: &EventError{Message: "event must be a name"}}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	d := delivery{claimed: true, event: ev, middleware: e.middleware}
	d.timed = s.ns.opts.TimeEvents && len(e.handlers[ev.Name]) > 0 // so that a peer makes up no names
	switch {
	case len(e.handlers[ev.Name])+len(e.any) > 0:
		if len(d.middleware) == 0 { // else it decides whether Once has had its event
			d.handlers = e.takeLocked(ev.Name)
		}
	case !e.someLocked() || s.onMessage.Load() != nil && !ev.WantsReply():
		return delivery{}
	default:
		d.refusal = &EventError{Message: "unknown event"}
	}
	return d
}

func (e *events) take(name string) []handler {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.takeLocked(name)
}

// takeLocked returns the handlers of an event, of which those for one run are taken
// out.
func (e *events) takeLocked(name string) []handler {
	list := e.handlers[name]
	if once := handler.isOnce; slices.ContainsFunc(list, once) {
		e.handlers[name] = slices.DeleteFunc(slices.Clone(list), once)
	}
	if len(e.any) > 0 {
		list = slices.Concat(e.any, list)
	}
	return list
}

// run runs the handlers of an event, or refuses it, inside its middleware.
func (d delivery) run() {
	if d.timed {
		defer d.took(time.Now()) // also if one ends the goroutine
	}
	if len(d.middleware) > 0 {
		d.do(func() error { return d.runFrom(0) })
		return
	}
	if d.refusal != nil {
		d.event.refuse(d.refusal)
	}
	for _, h := range d.handlers {
		d.do(func() error { return h.f(d.event) })
	}
}

// do runs f, whose error is the reply.
func (d delivery) do(f func() error) {
	d.event.Socket.protect(func() {
		if err := f(); err != nil && !d.event.Socket.closedBy(err) {
			d.event.refuse(err)
		}
	})
}

// runFrom runs the middleware from the i-th on, and then the handlers.
func (d delivery) runFrom(i int) error {
	if i < len(d.middleware) {
		return d.middleware[i](d.event, func() error { return d.runFrom(i + 1) })
	}
	if d.refusal != nil {
		return d.refusal
	}
	var err error
	for _, h := range d.event.Socket.events.Load().take(d.event.Name) {
		if failed := h.f(d.event); err == nil {
			err = failed
		} else if failed != nil {
			err = errors.Join(err, failed)
		}
	}
	return err
}
