package websocket

import (
	"encoding/json"
	"slices"
	"sync"
)

// events is a socket's handlers and awaited replies. A nil one has none.
type events struct {
	mu       sync.Mutex // guards the fields below
	handlers map[string][]handler
	requests uint64 // sent so far
	replies  map[string]chan reply
}

type handler struct {
	f    func(*Event) error
	once bool
}

func (h handler) isOnce() bool { return h.once }

// useEvents makes the socket's events if it has none.
func (s *Socket) useEvents() *events {
	if s.events.Load() == nil {
		s.events.CompareAndSwap(nil, &events{handlers: make(map[string][]handler), replies: make(map[string]chan reply)})
	}
	return s.events.Load()
}

func (e *events) add(name string, h handler) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.handlers[name] = append(e.handlers[name], h)
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
	return len(e.handlers) > 0
}

// delivery is what there is to do for an envelope.
type delivery struct {
	claimed  bool
	event    *Event
	refusal  error // to answer it with; nil: handlers run
	handlers []handler
}

// dispatch reports whether the message was an event, a reply, or an error that
// answers a request.
func (s *Socket) dispatch(m Message) bool {
	env, ok := parseEnvelope(m)
	if !ok {
		return false
	}
	d := s.events.Load().claim(&env, s)
	d.run()
	return d.claimed
}

// claim finds whom an envelope is for. A reply is handed over at once.
func (e *events) claim(env *incoming, s *Socket) delivery {
	if e == nil {
		return delivery{}
	}
	switch env.Type {
	case envelopeEvent:
		return e.claimEvent(env, s)
	case envelopeAck:
		return delivery{claimed: e.answered(env.ID, reply{event: &Event{Socket: s, args: env.args}})}
	case envelopeError:
		return delivery{claimed: e.answered(env.ID, reply{err: env.eventError()})}
	}
	return delivery{}
}

func (e *events) claimEvent(env *incoming, s *Socket) delivery {
	ev := &Event{Socket: s, args: env.args}
	if validID(env.ID) {
		ev.id = env.ID
	}
	if json.Unmarshal(env.Event, &ev.Name) != nil || ev.Name == "" {
		return delivery{true, ev, &EventError{Message: "event must be a name"}, nil}
	}
	handlers, some := e.take(ev.Name)
	switch {
	case len(handlers) > 0:
		return delivery{true, ev, nil, handlers}
	case !some || s.onMessage.Load() != nil && !ev.WantsReply():
		return delivery{}
	}
	return delivery{true, ev, &EventError{Message: "unknown event"}, nil}
}

// take returns the handlers of an event, of which those for one run are taken
// out, and tells whether any event has one.
func (e *events) take(name string) (list []handler, some bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	list, some = e.handlers[name], len(e.handlers) > 0
	if once := handler.isOnce; slices.ContainsFunc(list, once) {
		e.handlers[name] = slices.DeleteFunc(slices.Clone(list), once)
	}
	return list, some
}

// run runs the handlers of an event, or refuses it.
func (d delivery) run() {
	if d.refusal != nil {
		d.event.refuse(d.refusal)
	}
	for _, h := range d.handlers {
		d.event.Socket.protect(func() {
			if err := h.f(d.event); err != nil && !d.event.Socket.closedBy(err) {
				d.event.refuse(err)
			}
		})
	}
}
