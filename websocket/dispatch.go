package websocket

import (
	"errors"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/envelope"
	"github.com/nextrush/nextrush/websocket/internal/events"
	"github.com/nextrush/nextrush/websocket/internal/protocol"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

type (
	eventTable = events.Table[*Event]
	reply      = events.Reply[*Event]
	handler    = events.Handler[*Event]
)

// useEvents makes the socket's events if it has none.
func (s *Socket) useEvents() *eventTable {
	if s.events.Load() == nil {
		s.events.CompareAndSwap(nil, events.New[*Event]())
	}
	return s.events.Load()
}

// delivery is what there is to do for an envelope.
type delivery struct {
	claimed    bool
	event      *Event // nil if there is nothing
	refusal    error  // to answer it with; nil: handlers run
	handlers   []handler
	middleware []events.Middleware[*Event]
	timed      bool // to be
}

// dispatch reports whether the message was an event, a reply, or an error that
// answers a request.
func (s *Socket) dispatch(m Message) bool {
	env, ok := s.parse(m)
	if !ok {
		return false
	}
	d := s.claim(&env)
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
func (s *Socket) claim(env *envelope.In) delivery {
	e := s.events.Load()
	if e == nil {
		return delivery{}
	}
	switch env.Type {
	case envelope.Event:
		return s.claimEvent(e, env)
	case envelope.Ack:
		return delivery{claimed: e.Answer(env.ID, reply{Event: newEvent(env, s)}, s.ns.asked.Load())}
	case envelope.Error:
		return delivery{claimed: e.Answer(env.ID, reply{Err: failure(env)}, s.ns.asked.Load())}
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
		d.handlers = []handler{{Do: func(*Event) error { return s.conn.Send(wire.OpText, protocol.PongOf(t)) }}}
	}
	return d
}

func (s *Socket) claimEvent(e *eventTable, env *envelope.In) delivery {
	ev := newEvent(env, s)
	if envelope.ValidID(env.ID) {
		ev.id = env.ID
	}
	if ev.Name = env.Name(); ev.Name == "" {
		return delivery{claimed: true, event: ev, refusal: &EventError{Message: "event must be a name"}}
	}
	f, ok := e.Find(ev.Name, s.onMessage.Load() != nil && !ev.WantsReply())
	if !ok {
		return delivery{}
	}
	d := delivery{claimed: true, event: ev, handlers: f.Handlers, middleware: f.Middleware}
	d.timed = s.ns.opts.TimeEvents && f.Named // so that a peer makes up no names
	if f.Unknown {
		d.refusal = &EventError{Message: "unknown event"}
	}
	return d
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
		d.do(func() error { return h.Do(d.event) })
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
	for _, h := range d.event.Socket.events.Load().Take(d.event.Name) {
		if failed := h.Do(d.event); err == nil {
			err = failed
		} else if failed != nil {
			err = errors.Join(err, failed)
		}
	}
	return err
}
