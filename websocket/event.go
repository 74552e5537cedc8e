package websocket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const (
	maxEventID    = 128 // bytes of an id that a peer chose
	internalError = "internal error"
	envelopeEvent = "event"
	envelopeAck   = "ack"
	envelopeError = "error"
)

// envelope is an event on the wire.
type envelope struct {
	Type      string          `json:"type"`
	Event     string          `json:"event,omitempty"`
	ID        json.RawMessage `json:"id,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"`
	Message   string          `json:"message,omitempty"`
	Errors    any             `json:"errors,omitempty"`
	Timestamp int64           `json:"timestamp,omitempty"` // Unix milliseconds
}

// Event is an event from the peer, or its reply to a Request. It owns its
// bytes.
type Event struct {
	Name   string
	Socket *Socket
	args   []json.RawMessage
	id     json.RawMessage
}

// Args are the event's arguments as JSON.
func (e *Event) Args() []json.RawMessage { return e.args }

// Bind decodes argument i into v. A missing argument is an error.
func (e *Event) Bind(i int, v any) error {
	if i < 0 || i >= len(e.args) {
		return &EventError{Message: fmt.Sprintf("argument %d is missing", i)}
	}
	if err := json.Unmarshal(e.args[i], v); err != nil {
		return &EventError{Message: fmt.Sprintf("argument %d: %s", i, jsonProblem(err))}
	}
	return nil
}

// WantsReply reports whether the peer waits for a reply.
func (e *Event) WantsReply() bool { return len(e.id) > 0 }

// Reply answers an event that wants a reply; it does nothing for another.
func (e *Event) Reply(args ...any) error {
	if !e.WantsReply() {
		return nil
	}
	data, err := encodeArgs(args)
	if err != nil {
		return err
	}
	return e.Socket.SendJSON(envelope{Type: envelopeAck, ID: e.id, Data: data})
}

// EventError is an error whose text is meant for the peer.
type EventError struct {
	Message string
	Errors  any // details, such as what was wrong with each field
}

func (e *EventError) Error() string { return "websocket: event: " + e.Message }

// EventReply is what an error reply carries.
func (e *EventError) EventReply() (message string, errors any) { return e.Message, e.Errors }

// EventReplier is an error that says what an error reply carries.
type EventReplier interface {
	EventReply() (message string, details any)
}

// jsonProblem tells what is wrong with JSON without naming Go types.
func jsonProblem(err error) string {
	var t *json.UnmarshalTypeError
	if errors.As(err, &t) {
		if t.Field != "" {
			return fmt.Sprintf("%s must not be a JSON %s", t.Field, t.Value)
		}
		return "must not be a JSON " + t.Value
	}
	return "malformed JSON"
}

// events is a socket's handlers and awaited replies, guarded by its mu.
type events struct {
	handlers map[string][]handler
	next     uint64
	replies  map[string]chan reply
}

type handler struct {
	f    func(*Event) error
	once bool
}

func (h handler) isOnce() bool { return h.once }

type reply struct {
	event *Event
	err   error
}

// takeReplies empties the list of awaited replies and returns it. A nil e has none.
func (e *events) takeReplies() map[string]chan reply {
	if e == nil {
		return nil
	}
	replies := e.replies
	e.replies = make(map[string]chan reply)
	return replies
}

func (s *Socket) eventsLocked() *events {
	e := s.events.Load()
	if e == nil {
		e = &events{handlers: make(map[string][]handler), replies: make(map[string]chan reply)}
		s.events.Store(e)
	}
	return e
}

// hasHandlers reports whether any event has a handler.
func (s *Socket) hasHandlers() bool {
	e := s.events.Load()
	if e == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(e.handlers) > 0
}

// On registers f to run with each event of that name. Events are text messages in
// the form of Emit. Once a handler is set, unknown events get an error reply; those
// that want no reply go to OnMessage if that is set.
func (s *Socket) On(event string, f func(*Event)) { s.on(event, plainHandler(f), false) }

// Once registers f to run with the next event of that name.
func (s *Socket) Once(event string, f func(*Event)) { s.on(event, plainHandler(f), true) }

func plainHandler(f func(*Event)) func(*Event) error {
	return func(e *Event) error {
		f(e)
		return nil
	}
}

func (s *Socket) on(event string, f func(*Event) error, once bool) {
	s.addHandler(event, handler{f, once})
	s.conn.Consume()
}

func (s *Socket) addHandler(event string, h handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.eventsLocked()
	e.handlers[event] = append(e.handlers[event], h)
}

// Off removes all handlers of an event.
func (s *Socket) Off(event string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.events.Load(); e != nil {
		delete(e.handlers, event)
	}
}

// On registers h to run with each event of that name, with its first argument
// decoded and validated. An error is answered with an error reply: with its own text
// if it is an EventReplier, as *EventError is, as "internal error"
// otherwise; a *CloseError closes the socket.
func On[In any](s *Socket, event string, h func(*Socket, In) error) {
	s.on(event, withArgument(func(_ *Event, in In) error { return h(s, in) }), false)
}

// Handle is On for events that want a reply: what h returns is the reply. The
// context ends with the socket.
func Handle[In, Out any](s *Socket, event string, h func(context.Context, *Socket, In) (Out, error)) {
	s.on(event, withArgument(func(e *Event, in In) error {
		out, err := h(s.Context(), s, in)
		if err != nil {
			return err
		}
		return e.Reply(out)
	}), false)
}

func withArgument[In any](h func(*Event, In) error) func(*Event) error {
	return func(e *Event) error {
		in, err := argument[In](e)
		if err != nil {
			return err
		}
		return h(e, in)
	}
}

// argument decodes and validates the first argument. A missing one is the zero
// value, for the validator to judge.
func argument[In any](e *Event) (in In, err error) {
	if len(e.args) > 0 {
		if err := e.Bind(0, &in); err != nil {
			return in, err
		}
	}
	if check := e.Socket.eng.opts.Validate; check != nil {
		err = check(&in)
	}
	return in, err
}

// Emit sends an event:
//
//	{"type":"event","event":"chat","data":[…],"timestamp":1700000000000}
func (s *Socket) Emit(event string, args ...any) error {
	data, err := encodeEvent(event, args, nil)
	if err != nil {
		return err
	}
	return s.conn.Send(wire.OpText, data)
}

func encodeEvent(event string, args []any, id []byte) ([]byte, error) {
	data, err := encodeArgs(args)
	if err != nil {
		return nil, err
	}
	return encodeJSON(envelope{
		Type: envelopeEvent, Event: event, ID: id, Data: data, Timestamp: time.Now().UnixMilli(),
	})
}

func encodeArgs(args []any) (json.RawMessage, error) {
	if len(args) == 0 {
		return json.RawMessage("[]"), nil
	}
	return encodeJSON(args)
}

// incoming is an envelope from the peer.
type incoming struct {
	Type    string          `json:"type"`
	Event   json.RawMessage `json:"event"`
	ID      json.RawMessage `json:"id"`
	Data    json.RawMessage `json:"data"`
	Message json.RawMessage `json:"message"`
	Errors  json.RawMessage `json:"errors"`

	args []json.RawMessage // of Data
}

// parseEnvelope reports false for a message that is not an envelope.
func parseEnvelope(m Message) (env incoming, ok bool) {
	text := bytes.TrimLeft(m.data, " \t\r\n")
	if m.Type != Text || len(text) == 0 || text[0] != '{' {
		return env, false
	}
	if json.Unmarshal(text, &env) != nil {
		return env, false
	}
	env.args = splitArgs(env.Data)
	return env, true
}

// dispatch reports whether the message was an event, a reply, or an error that
// answers a request.
func (s *Socket) dispatch(m Message) bool {
	env, ok := parseEnvelope(m)
	if !ok {
		return false
	}
	d := s.claim(&env)
	s.perform(d)
	return d.claimed
}

// delivery is what there is to do for an envelope.
type delivery struct {
	claimed  bool
	event    *Event
	refusal  error // to answer it with; nil: handlers run
	handlers []handler
}

// claim finds whom an envelope is for. A reply is handed over at once.
func (s *Socket) claim(env *incoming) delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.events.Load() == nil {
		return delivery{}
	}
	switch env.Type {
	case envelopeEvent:
		return s.claimEventLocked(env)
	case envelopeAck:
		return delivery{claimed: s.answeredLocked(env.ID, reply{event: &Event{Socket: s, args: env.args}})}
	case envelopeError:
		e := &EventError{}
		if json.Unmarshal(env.Message, &e.Message) != nil {
			e.Message = internalError
		}
		if len(env.Errors) > 0 {
			e.Errors = env.Errors
		}
		return delivery{claimed: s.answeredLocked(env.ID, reply{err: e})}
	}
	return delivery{}
}

// splitArgs takes an array apart; anything else is one argument.
func splitArgs(data json.RawMessage) []json.RawMessage {
	if len(data) == 0 || string(data) == "null" {
		return nil
	}
	var args []json.RawMessage
	if json.Unmarshal(data, &args) == nil {
		return args
	}
	return []json.RawMessage{data}
}

func (s *Socket) claimEventLocked(env *incoming) delivery {
	e := &Event{Socket: s, args: env.args}
	if validID(env.ID) {
		e.id = env.ID
	}
	if json.Unmarshal(env.Event, &e.Name) != nil || e.Name == "" {
		return delivery{true, e, &EventError{Message: "event must be a name"}, nil}
	}
	handlers, some := s.events.Load().take(e.Name)
	switch {
	case len(handlers) > 0:
		return delivery{true, e, nil, handlers}
	case !some || s.onMessage.Load() != nil && !e.WantsReply():
		return delivery{}
	}
	return delivery{true, e, &EventError{Message: "unknown event"}, nil}
}

// perform runs the handlers of an event, or refuses it.
func (s *Socket) perform(d delivery) {
	if d.refusal != nil {
		s.refuse(d.event, d.refusal)
	}
	for _, h := range d.handlers {
		s.protect(func() {
			if err := h.f(d.event); err != nil {
				s.eventFailed(d.event, err)
			}
		})
	}
}

// validID takes strings and numbers of a reasonable length for an id.
func validID(id json.RawMessage) bool {
	return len(id) > 0 && len(id) <= maxEventID && (id[0] == '"' || id[0] == '-' || id[0] >= '0' && id[0] <= '9')
}

// take returns the handlers of an event, of which those for one run are taken
// out, and tells whether any event has one.
func (e *events) take(name string) (list []handler, some bool) {
	list, some = e.handlers[name], len(e.handlers) > 0
	if once := handler.isOnce; slices.ContainsFunc(list, once) {
		e.handlers[name] = slices.DeleteFunc(slices.Clone(list), once)
	}
	return list, some
}

func (s *Socket) eventFailed(e *Event, err error) {
	if s.closedBy(err) {
		return
	}
	s.refuse(e, err)
}
