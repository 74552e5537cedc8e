package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/websocket"
)

const (
	pluginName = "events"
	socketKey  = "github.com/nextrush/nextrush/plugins/events"
)

// AppStarted is emitted before the App serves. If a handler returns an error, the App
// does not start.
type AppStarted struct{ App *nextrush.App }

// AppStopping is emitted when Shutdown begins, while the App still serves.
type AppStopping struct{ App *nextrush.App }

// RequestDone is queued when a request has been handled; that of a socket has status
// 101. It is dropped if the queue is full.
type RequestDone struct {
	ID, Method, Route, Path string
	Status                  int
	Size                    int64 // bytes of the body
	Duration                time.Duration
	Err                     error // what the handlers returned; if one panicked, an error that says so
}

var errPanicked = errors.New("events: a handler panicked")

// SocketOpened is emitted after the upgrade of a socket.
type SocketOpened struct {
	Socket *websocket.Socket
	Route  string
}

// SocketClosed is emitted when a socket has ended, after its SocketOpened.
type SocketClosed struct {
	Socket *websocket.Socket
	Route  string
	Code   websocket.StatusCode
	Reason string
}

// Name is "events".
func (b *Bus) Name() string { return pluginName }

// Install watches the App. Register the bus before plugins that emit while they
// stop: it stops after them.
func (b *Bus) Install(app *nextrush.App) error {
	b.app = app
	app.Use(b.watch)
	app.WSUse(func(s *websocket.Socket, c *nextrush.Context, next func() error) error {
		if listens[SocketOpened](b) || listens[SocketClosed](b) {
			c.Set(socketKey, s)
		}
		return next()
	})
	app.OnStart(func(ctx context.Context) error { return Emit(ctx, b, AppStarted{app}) })
	app.BeforeShutdown(func(ctx context.Context) { emit(ctx, b, AppStopping{app}) })
	return nil
}

// Stop returns when the queued events, and those that handlers queue meanwhile, have
// been handled. Then no more are accepted. If the time is up first, the error says how
// many events were left.
func (b *Bus) Stop(ctx context.Context) error { return b.queue.drain(ctx) }

// Dropped returns how many events were not queued, were left when the App stopped, or
// were not handled completely because a handler called runtime.Goexit.
func (b *Bus) Dropped() int64 {
	b.queue.mu.Lock()
	defer b.queue.mu.Unlock()
	return b.queue.dropped
}

// watch emits the events of a request, and of its socket if it is an upgrade.
func (b *Bus) watch(c *nextrush.Context) error {
	begin := time.Now()
	err := errPanicked
	defer func() {
		if listens[RequestDone](b) {
			b.requestDone(c, time.Since(begin), err)
		}
	}()
	err = c.Next()
	if s, ok := nextrush.Value[*websocket.Socket](c, socketKey); ok && c.StatusCode() == http.StatusSwitchingProtocols {
		b.socketOpened(c, s)
	}
	return err
}

func (b *Bus) requestDone(c *nextrush.Context, took time.Duration, err error) {
	status := c.StatusCode()
	if status == 0 {
		status = nextrush.StatusOf(err)
	}
	// The queue may be full, which Dropped counts.
	_ = EmitAsync(c.Request().Context(), b, RequestDone{
		ID: c.ID(), Method: c.Method(), Route: c.Route(), Path: c.Path(),
		Status: status, Size: c.BytesWritten(), Duration: took, Err: err,
	})
}

func (b *Bus) socketOpened(c *nextrush.Context, s *websocket.Socket) {
	route := c.Route()
	emit(s.Context(), b, SocketOpened{s, route})
	s.OnClose(func(code websocket.StatusCode, reason string) {
		emit(context.WithoutCancel(s.Context()), b, SocketClosed{s, route, code, reason})
	})
}

// emit is Emit with its error logged.
func emit[T any](ctx context.Context, b *Bus, event T) { b.report(event, Emit(ctx, b, event)) }

func (b *Bus) report(event any, err error) {
	if err == nil {
		return
	}
	log := slog.Default()
	if b.app != nil {
		log = b.app.Log()
	}
	var p *nextrush.PanicError
	if errors.As(err, &p) {
		log = log.With("stack", string(p.Stack))
	}
	log.Error("event handler failed", "event", fmt.Sprintf("%T", event), "error", err)
}
