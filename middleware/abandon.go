package middleware

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/header"
)

// abandoned is the rest of a chain, as nextrush.WrapMiddleware gives it.
type abandoned interface {
	http.Handler
	Abandon() bool // false: it has ended
}

// abandon runs the rest of the chain in a goroutine of its own, and no longer waits for
// it if the context's deadline passes before it has begun to answer.
func (l *late) abandon(c *nextrush.Context) error {
	app, route := c.App(), c.Route()
	if l.full(route) {
		return nextrush.NewError(http.StatusServiceUnavailable).WithCause(errTooLate)
	}
	isLate := false
	wait := nextrush.WrapMiddleware(func(rest http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a := &answer{w: w, header: cloneHeader(w.Header()), rest: rest.(abandoned)}
			a.count = func(n int) { l.count(app, route, n) }
			isLate = !a.serveInTime(r)
		})
	})
	err := c.Run(wait, giveUp) // giveUp within: errors are answered there
	if isLate {
		return nextrush.NewError(http.StatusServiceUnavailable).WithCause(context.DeadlineExceeded)
	}
	return err
}

// serveInTime reports whether rest has begun to answer or ended in time; then it has
// ended.
func (a *answer) serveInTime(r *http.Request) bool {
	deadline, _ := r.Context().Deadline()
	timer := time.NewTimer(time.Until(deadline)) // the context may end before, with the client
	defer timer.Stop()
	done := make(chan any, 1)
	go a.run(r, done)
	var panicked any
	select {
	case panicked = <-done:
	case <-timer.C:
		<-r.Context().Done()
		if a.leave() {
			return false
		}
		panicked = <-done
	}
	a.finish()
	if panicked != nil {
		panic(panicked)
	}
	return true
}

// run sends what the handlers have panicked with, or nil, to done.
func (a *answer) run(r *http.Request, done chan<- any) {
	var panicked any = http.ErrAbortHandler // of runtime.Goexit
	defer func() {
		if v := recover(); v != nil {
			panicked = v
		}
		a.ended()
		done <- panicked
	}()
	a.rest.ServeHTTP(a, r)
	panicked = nil
}

func cloneHeader(h http.Header) http.Header {
	if h = h.Clone(); h == nil {
		return make(http.Header)
	}
	return h
}

// answer is the writer of a handler that may be abandoned. It has no Unwrap: what gets
// past it could get into the next answer of the connection.
type answer struct {
	w      http.ResponseWriter
	rest   abandoned
	header http.Header // the handler's
	count  func(n int) // is told 1 when the handler is abandoned, and -1 when that has ended

	mu    sync.Mutex // guards what follows
	begun bool       // w is the handler's until that returns
	left  bool       // w is the handler's no more
}

// leave takes the answer from the handler, unless it has begun it or has ended.
func (a *answer) leave() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left = !a.begun && a.rest.Abandon()
	if a.left {
		a.count(1)
	}
	return a.left
}

func (a *answer) ended() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left {
		a.count(-1)
	}
}

// begin makes the answer the handler's.
func (a *answer) begin() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left {
		return http.ErrHandlerTimeout
	}
	if !a.begun {
		a.begun = true
		a.copyHeader()
	}
	return nil
}

// copyHeader makes the handler's header that of the answer.
func (a *answer) copyHeader() {
	h := a.w.Header()
	clear(h)
	maps.Copy(h, a.header.Clone())
}

// finish is called when the handler has ended. Of an answer that it had begun, only the
// trailer is left to send (RFC 9110 §6.5).
func (a *answer) finish() {
	if !a.begun {
		a.copyHeader()
		return
	}
	for name, values := range a.header {
		if strings.HasPrefix(name, http.TrailerPrefix) || header.HasToken(a.header["Trailer"], name) {
			a.w.Header()[name] = values
		}
	}
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(code int) {
	if code < 200 && code != http.StatusSwitchingProtocols {
		a.inform(code)
	} else if a.begin() == nil {
		a.w.WriteHeader(code)
	}
}

// inform sends a 1xx answer, with which the answer has not begun.
func (a *answer) inform(code int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left {
		return
	}
	before := a.w.Header().Clone()
	a.copyHeader()
	a.w.WriteHeader(code)
	clear(a.w.Header())
	maps.Copy(a.w.Header(), before)
}

func (a *answer) Write(b []byte) (int, error) {
	if err := a.begin(); err != nil {
		return 0, err
	}
	return a.w.Write(b)
}

// WriteString saves a copy if the writer before takes strings.
func (a *answer) WriteString(s string) (int, error) {
	if err := a.begin(); err != nil {
		return 0, err
	}
	return io.WriteString(a.w, s)
}

// ReadFrom lets the writer before use sendfile.
func (a *answer) ReadFrom(src io.Reader) (int64, error) {
	if err := a.begin(); err != nil {
		return 0, err
	}
	return io.Copy(a.w, src)
}

// FlushError begins the answer, too.
func (a *answer) FlushError() error {
	if err := a.begin(); err != nil {
		return err
	}
	return http.NewResponseController(a.w).Flush()
}

// Flush is FlushError for those that look for an http.Flusher.
func (a *answer) Flush() { a.FlushError() }

// Hijack takes the connection over in time.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if err := a.begin(); err != nil {
		return nil, nil, err
	}
	return http.NewResponseController(a.w).Hijack()
}

// The deadlines are the connection's, which may serve another request when the handler
// is late.

func (a *answer) SetReadDeadline(t time.Time) error {
	return a.control(func(w *http.ResponseController) error { return w.SetReadDeadline(t) })
}

func (a *answer) SetWriteDeadline(t time.Time) error {
	return a.control(func(w *http.ResponseController) error { return w.SetWriteDeadline(t) })
}

func (a *answer) EnableFullDuplex() error {
	return a.control((*http.ResponseController).EnableFullDuplex)
}

func (a *answer) control(f func(*http.ResponseController) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left {
		return http.ErrHandlerTimeout
	}
	return f(http.NewResponseController(a.w))
}

var errTooLate = errors.New("as many abandoned handlers of the route go on as may")

// late knows the handlers that were abandoned and go on.
type late struct {
	max int // of a route

	mu      sync.Mutex // guards what follows
	routes  map[string]int
	watches bool // for the end of the app
}

// full reports whether no more handlers of a route may be started.
func (l *late) full(route string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.routes[route] >= l.max
}

// count adds n to the handlers of a route. The first one has Shutdown log who is left.
func (l *late) count(app *nextrush.App, route string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.routes == nil {
		l.routes = make(map[string]int)
	}
	if l.routes[route] += n; l.routes[route] == 0 {
		delete(l.routes, route)
	}
	if !l.watches {
		l.watches = true
		context.AfterFunc(app.Context(), func() {
			if names := l.names(); names != "" {
				app.Log().Warn("abandoned handlers go on: Shutdown does not wait for them", "handlers", names)
			}
		})
	}
}

func (l *late) names() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var names []string
	for _, route := range slices.Sorted(maps.Keys(l.routes)) {
		names = append(names, fmt.Sprintf("%d of %s", l.routes[route], route))
	}
	return strings.Join(names, ", ")
}
