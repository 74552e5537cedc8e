// Package events lets the parts of a program hear of each other without knowing
// each other: typed events, handled at once or from a queue.
//
//	bus := events.New()
//	app.Register(bus)
//
//	events.On(bus, func(ctx context.Context, e UserCreated) error { return mail.Welcome(ctx, e.Email) })
//
//	err := events.Emit(ctx, bus, UserCreated{Email: "ada@example.com"})      // handled when it returns
//	err = events.EmitAsync(ctx, bus, UserCreated{Email: "ada@example.com"})  // queued
//
// An event is a value of any type, and its handlers are those of exactly that
// type. The Bus itself emits [AppStarted], [AppStopping], [RequestDone],
// [SocketOpened] and [SocketClosed].
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
	// ErrStop, returned by a stage of a pipeline, ends an event without that
	// being a failure.
	ErrStop = errors.New("events: event stopped")
	// ErrQueueFull is returned by EmitAsync when the queue has no place.
	ErrQueueFull = errors.New("events: queue is full")
	// ErrClosed is returned by EmitAsync once the App has stopped.
	ErrClosed = errors.New("events: bus is closed")
)

var errGoexit = errors.New("events: a handler has ended its goroutine (runtime.Goexit)")

// Options configures a Bus. The zero value is complete.
type Options struct {
	Queue   int // events that may wait for EmitAsync; 0: 1,024
	Workers int // queued events handled at once; 0: 1, which keeps their order
}

// Bus brings events to their handlers. It is a plugin of an App. All functions
// that take one are safe from any goroutine.
type Bus struct {
	app    *nextrush.App // nil before Install
	queue  queue
	mu     sync.RWMutex         // guards topics
	topics map[reflect.Type]any // *topic[T] by T
}

// topic is what happens to the events of one type. It never changes: another one
// takes its place.
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
		panic("events: the App has no bus: add the line app.Register(events.New()) before")
	}
	return b
}

// On registers h to run for every event of type T, after the handlers that were added
// before, until off is called. All handlers get an event, also when one fails.
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

// Pipe adds a stage that every event of type T goes through before its handlers,
// after the stages that were added before, until off is called. What it returns
// goes on in the event's place; an error ends the event.
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

// Emit has an event handled before it returns: by the stages, then by the
// handlers, in the order in which they were added. It returns the error of the
// stage that ended the event, nil for ErrStop, or those of the handlers, joined.
// A panic is an error, a *nextrush.PanicError, too. If a handler ends the goroutine
// (runtime.Goexit), the others get the event before Emit ends with it.
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

// EmitAsync queues an event and returns at once: ErrQueueFull if the queue
// has no place for it, ErrClosed once the App has stopped. While it stops, handlers of
// queued events can queue more. The handlers' context
// has the values of ctx, and ends when the App's time for stopping is up, not
// with ctx. What they return is logged.
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

// listens reports whether anything happens to events of type T.
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

// runHandlers calls each of them, also after one that ends the goroutine.
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
