package asyncapi

import (
	"context"
	"reflect"

	"github.com/nextrush/nextrush/websocket"
)

// Message is an Event or a Call.
type Message interface{ message() message }

type message struct {
	name, summary string
	in, out       reflect.Type // out: of the reply, nil if there is none
}

// Event is an event with one argument of type T.
type Event[T any] struct {
	Name    string
	Summary string
}

func (e Event[T]) message() message {
	return message{e.Name, e.Summary, reflect.TypeFor[T](), nil}
}

// On is websocket.On for this event.
func (e Event[T]) On(s *websocket.Socket, h func(*websocket.Socket, T) error) {
	websocket.On(s, e.Name, h)
}

// Emitter is a *websocket.Socket, or a websocket.Emitter for many.
type Emitter interface {
	Emit(event string, args ...any) error
}

// Emit sends the event. It is safe from any goroutine.
func (e Event[T]) Emit(to Emitter, data T) error { return to.Emit(e.Name, data) }

// Call is an event with a reply.
type Call[In, Out any] struct {
	Name    string
	Summary string
}

func (c Call[In, Out]) message() message {
	return message{c.Name, c.Summary, reflect.TypeFor[In](), reflect.TypeFor[Out]()}
}

// Handle is websocket.Handle for this event.
func (c Call[In, Out]) Handle(s *websocket.Socket, h func(context.Context, *websocket.Socket, In) (Out, error)) {
	websocket.Handle(s, c.Name, h)
}

// Request is websocket.Ask for this event: to is a *websocket.Socket, a
// *websocket.Client or a websocket.Manner, and the errors are those of its Request. It is
// safe from any goroutine, but must not be called in a callback of the same socket.
func (c Call[In, Out]) Request(ctx context.Context, to websocket.Requester, in In) (Out, error) {
	return websocket.Ask[In, Out](ctx, to, c.Name, in)
}
