package websocket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/envelope"
)

// Event is an event from the peer, or its reply to a Request. It owns its
// bytes.
type Event struct {
	Name   string
	Socket *Socket // nil: it has come to a [Client]
	args   []json.RawMessage
	id     json.RawMessage
	rare   *rareEvent // nil: nothing of that

	answered atomic.Bool
}

// rareEvent is what few events have.
type rareEvent struct {
	bytes   []byte
	key     string
	outcome *oneAnswer // of Once
	client  *Client    // that it has come to, instead of a socket; nil: none
	meta    Meta
}

// Meta is what an event that a [Client] has got says beside its arguments.
type Meta struct {
	At       time.Time // when the server has sent it; zero: it has not said
	Room     string    // whose history it is from; empty: none
	Offset   int64     // its place there
	Replayed bool      // it was missed, and came later
}

// Meta is zero for an event that has not come to a Client.
func (e *Event) Meta() Meta {
	if e.rare == nil {
		return Meta{}
	}
	return e.rare.meta
}

// newEvent is the event of an envelope, without its name.
func newEvent(env *envelope.In, s *Socket) *Event {
	e := &Event{Socket: s, args: env.Args}
	if key := env.RequestKey(); key != "" || env.Bytes != nil {
		e.rare = &rareEvent{bytes: env.Bytes, key: key}
	}
	return e
}

// Key is what a client gives a request that it may send again, on another connection
// too: [Once] answers the second with what the first was answered with. At most 128 bytes;
// empty: none.
func (e *Event) Key() string {
	if e.rare == nil {
		return ""
	}
	return e.rare.key
}

// Bytes are those that the peer has sent as the last argument of a binary event, or nil;
// Args does not have them. The event owns them. See [Protocol].
func (e *Event) Bytes() []byte {
	if e.rare == nil {
		return nil
	}
	return e.rare.bytes
}

// Args are the event's arguments as JSON.
func (e *Event) Args() []json.RawMessage { return e.args }

// Bind decodes argument i into v. A missing argument is an error. Into a *[]byte it
// gives bytes, whether they have come as a binary event or as base64.
func (e *Event) Bind(i int, v any) error {
	if i == len(e.args) && e.Bytes() != nil {
		return e.bindBytes(i, v)
	}
	if i < 0 || i >= len(e.args) {
		return &EventError{Message: fmt.Sprintf("argument %d is missing", i)}
	}
	if err := json.Unmarshal(e.args[i], v); err != nil {
		return &EventError{Message: fmt.Sprintf("argument %d: %s", i, jsonProblem(err))}
	}
	return nil
}

// bindBytes gives the bytes of argument i.
func (e *Event) bindBytes(i int, v any) error {
	switch v := v.(type) {
	case *[]byte:
		*v = bytes.Clone(e.Bytes())
	case *any:
		*v = bytes.Clone(e.Bytes())
	default:
		return &EventError{Message: fmt.Sprintf("argument %d must not be binary", i)}
	}
	return nil
}

// BindAll decodes the first arguments into vs, in their order, and validates each as On
// does. A missing argument is an error; more of them than vs are not.
func (e *Event) BindAll(vs ...any) error {
	for i, v := range vs {
		if err := e.Bind(i, v); err != nil {
			return err
		}
		if err := e.validate(v); err != nil {
			return err
		}
	}
	return nil
}

// validator is the Options.Validate that counts, or nil.
func (e *Event) validator() func(any) error {
	if e.Socket == nil {
		return e.rare.client.opts.Dial.Options.Validate
	}
	return e.Socket.ns.opts.Validate
}

// validate checks what v points at with Options.Validate.
func (e *Event) validate(v any) error {
	check := e.validator()
	if check == nil {
		return nil
	}
	return check(v)
}

// WantsReply reports whether the peer waits for a reply.
func (e *Event) WantsReply() bool { return len(e.id) > 0 }

// Reply answers an event that wants a reply; it does nothing for another. It may be called
// after the handler has returned, and from any goroutine. An event is answered once, by
// Reply, by ReplyError, or by the error of a handler: later answers are ErrReplied. The other
// errors are those of encoding and of sending.
func (e *Event) Reply(args ...any) error {
	if !e.WantsReply() {
		return nil
	}
	if e.answered.Swap(true) {
		return ErrReplied
	}
	err := e.reply(args)
	if err != nil {
		e.answered.Store(false) // for the error reply
	}
	return err
}

func (e *Event) reply(args []any) error {
	if once := e.once(); once != nil {
		return once.answer(e, args)
	}
	return e.Socket.sendEnvelope(envelope.Out{Type: envelope.Ack, ID: e.id}, args)
}

// once is the answer to all requests with the event's key; nil: it is not one of those.
func (e *Event) once() *oneAnswer {
	if e.rare == nil {
		return nil
	}
	return e.rare.outcome
}

// ReplyError answers an event as the error of a handler does, for handlers that have
// returned: with the error's own text if it is an EventReplier, as *EventError is, as
// "internal error" otherwise, which OnError is told; a *CloseError closes the socket. A
// peer that wants no reply is sent it, too. A nil error does nothing. ReplyError is safe
// from any goroutine, and returns what Reply does.
func (e *Event) ReplyError(err error) error {
	if err == nil || e.Socket == nil {
		return nil
	}
	if once := e.once(); once != nil && !e.answered.Load() {
		once.failed(e, err)
	}
	if e.Socket.closedBy(err) {
		return nil
	}
	return e.refuse(err)
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
	s.conn.Consume(func() { s.useEvents().Add(event, handler{Do: f, Once: once}) })
}

// OnAny registers f to run with each event, whatever its name, before its own handlers
// and as they do.
// An event that only f takes is not unknown: f answers it, or nobody does.
func (s *Socket) OnAny(f func(*Event)) {
	s.conn.Consume(func() { s.useEvents().AddAny(handler{Do: plainHandler(f)}) })
}

// UseEvents registers middleware for the events that arrive from now on. It runs as
// callbacks do, around the handlers of On, Once, OnAny and Handle, in the order of
// registration, and for events that are refused as unknown; not for what OnMessage or
// Receive gets. next runs the rest and returns its error; it is to be called before mw
// returns. What mw returns is the error reply, as for On. An event for which it does not
// call next ends there.
func (s *Socket) UseEvents(mw func(e *Event, next func() error) error) { s.useEvents().Use(mw) }

// Off removes all handlers of an event.
func (s *Socket) Off(event string) { s.events.Load().Remove(event) }

// On registers h to run with each event of that name, with its first argument
// decoded and validated. An error is answered with an error reply: with its own text
// if it is an EventReplier, as *EventError is, as "internal error"
// otherwise; a *CloseError closes the socket. If In is *Event, h gets the event itself,
// for several arguments: see [Event.BindAll].
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
	if event, ok := any(&in).(**Event); ok {
		*event = e
		return in, nil
	}
	if len(e.args) > 0 || e.Bytes() != nil {
		if err := e.Bind(0, &in); err != nil {
			return in, err
		}
	}
	return in, e.validate(&in)
}

// Emit sends an event:
//
//	{"type":"event","event":"chat","data":[…],"timestamp":1700000000000}
//
// If the last argument is a []byte, it is sent as it is to a peer that speaks
// [Protocol], and as base64 to another.
func (s *Socket) Emit(event string, args ...any) error {
	return s.sendEnvelope(envelope.NewEvent(event, nil), args)
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
