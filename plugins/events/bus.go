// Package events lets the parts of a program react to one another without importing
// one another: typed events, handled at once or from a queue.
//
//	bus := events.New()
//	app.Register(bus)
//
//	events.On(bus, func(ctx context.Context, e UserCreated) error { return mail.Welcome(ctx, e.Email) })
//
//	err := events.Emit(ctx, bus, UserCreated{Email: "ada@example.com"})      // handled when it returns
//	err = events.EmitAsync(ctx, bus, UserCreated{Email: "ada@example.com"})  // queued
//
// An event is a value of any type; the handlers for exactly that type get it. The Bus
// itself emits [AppStarted], [AppStopping], [RequestDone], [SocketOpened] and
// [SocketClosed].
package events

import (
	"context"
	"errors"
	"reflect"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/contain"
	"github.com/nextrush/nextrush/internal/opt"
)

// Errors that callers branch on.
var (
	// ErrStop is what a stage of a pipeline returns to end an event without a failure.
	ErrStop = errors.New("events: event stopped")
	// ErrQueueFull is returned by EmitAsync if the queue is full.
	ErrQueueFull = errors.New("events: queue is full")
	// ErrClosed is returned by EmitAsync after the App has stopped.
	ErrClosed = errors.New("events: bus is closed")
)

var errGoexit = errors.New("events: a handler has ended its goroutine (runtime.Goexit)")

// Options configures a Bus. The zero value is complete.
type Options struct {
	Queue   int // events that may wait for EmitAsync; 0: 1,024
	Workers int // queued events handled at once; 0: 1, which keeps their order
}

// Bus passes events to their handlers. It is a plugin of an App. All functions that
// take a Bus are safe from any goroutine.
type Bus struct {
	app    *nextrush.App // nil before Install
	queue  queue
	mu     sync.RWMutex         // guards topics
	topics map[reflect.Type]any // *topic[T] by T
}

// topic has the stages and handlers of the events of one type. It is never changed, but
// replaced.
type topic[T any] struct {
	stages   []*func(context.Context, T) (T, error)
	handlers []*func(context.Context, T) error
}

// New makes a bus.
func New(opts ...Options) *Bus {
	o := opt.First(opts)
	b := &Bus{topics: make(map[reflect.Type]any)}
	b.queue.init(o)
	return b
}

// Of returns the bus that is registered on an App. It panics if there is none.
func Of(app *nextrush.App) *Bus {
	b, ok := app.Plugin(pluginName).(*Bus)
	if !ok {
		panic("events: the App has no bus: add app.Register(events.New()) before this")
	}
	return b
}

// On adds a handler for events of type T, after those added before. It gets every event,
// even if another handler fails, until off is called.
func On[T any](b *Bus, h func(ctx context.Context, event T) error) (off func()) {
	if h == nil {
		panic("events: On: the handler is nil: give a function")
	}
	change(b, func(t *topic[T]) { t.handlers = append(slices.Clone(t.handlers), &h) })
	return func() {
		change(b, func(t *topic[T]) {
			t.handlers = slices.DeleteFunc(slices.Clone(t.handlers), func(p *func(context.Context, T) error) bool { return p == &h })
		})
	}
}

// Pipe adds a stage for events of type T, after those added before and before all
// handlers. The next stage, or the handlers, get the event that it returns; an error
// ends the event. It runs until off is called.
func Pipe[T any](b *Bus, stage func(ctx context.Context, event T) (T, error)) (off func()) {
	if stage == nil {
		panic("events: Pipe: the stage is nil: give a function")
	}
	change(b, func(t *topic[T]) { t.stages = append(slices.Clone(t.stages), &stage) })
	return func() {
		change(b, func(t *topic[T]) {
			t.stages = slices.DeleteFunc(slices.Clone(t.stages), func(p *func(context.Context, T) (T, error)) bool { return p == &stage })
		})
	}
}

// Emit runs the stages and then the handlers for an event, in the order in which they
// were added. It returns the error of the stage that ended the event, nil for ErrStop,
// or the errors of the handlers, joined. A panic becomes a *nextrush.PanicError. If a
// handler ends the goroutine (runtime.Goexit), the other handlers get the event first.
func Emit[T any](ctx context.Context, b *Bus, event T) error {
	t := find[T](b)
	for _, stage := range t.stages {
		var err error
		if event, err = runStage(ctx, *stage, event); errors.Is(err, ErrStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return errors.Join(runHandlers(ctx, t.handlers, event)...)
}

// EmitAsync queues an event and returns at once: ErrQueueFull if the queue is full,
// ErrClosed after the App has stopped. While the App stops, handlers of queued events
// can queue more. The handlers' context has the values of ctx; it ends when the App's
// time for stopping is up, not with ctx. Their errors are logged.
func EmitAsync[T any](ctx context.Context, b *Bus, event T) error {
	ctx = context.WithoutCancel(ctx)
	return b.queue.add(func(stop context.Context) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(stop, cancel)()
		err := errGoexit
		defer func() {
			if err == errGoexit {
				b.queue.drop()
			}
			contain.Run(func() { b.report(event, err) })
		}()
		err = Emit(ctx, b, event)
	})
}

// listens reports whether there are stages or handlers for events of type T.
func listens[T any](b *Bus) bool {
	t := find[T](b)
	return len(t.stages)+len(t.handlers) > 0
}

func find[T any](b *Bus) topic[T] {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if t, ok := b.topics[reflect.TypeFor[T]()].(*topic[T]); ok {
		return *t
	}
	return topic[T]{}
}

func change[T any](b *Bus, f func(*topic[T])) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var next topic[T]
	if t, ok := b.topics[reflect.TypeFor[T]()].(*topic[T]); ok {
		next = *t
	}
	f(&next)
	b.topics[reflect.TypeFor[T]()] = &next
}

func runStage[T any](ctx context.Context, stage func(context.Context, T) (T, error), event T) (out T, err error) {
	defer recovered(&err)
	return stage(ctx, event)
}

// runHandlers calls all handlers, even if one of them ends the goroutine.
func runHandlers[T any](ctx context.Context, handlers []*func(context.Context, T) error, event T) (errs []error) {
	if len(handlers) == 0 {
		return nil
	}
	defer func() { errs = append(errs, runHandlers(ctx, handlers[1:], event)...) }()
	return []error{runHandler(ctx, *handlers[0], event)}
}

func runHandler[T any](ctx context.Context, h func(context.Context, T) error, event T) (err error) {
	defer recovered(&err)
	return h(ctx, event)
}

// recovered turns a panic into an error.
func recovered(err *error) {
	if v := recover(); v != nil {
		*err = &nextrush.PanicError{Value: v, Stack: debug.Stack()}
	}
}
