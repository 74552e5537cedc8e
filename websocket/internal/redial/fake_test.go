package redial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// world is what surrounds a client, faked: time that stands until it is told to move, and
// connections whose server is the test. It lives in a bubble of synctest, which tells when
// nothing runs any more.
type world struct {
	t      testing.TB
	client *Client
	begin  time.Time

	mu    sync.Mutex // guards the fields below
	time  time.Time
	ids   int
	due   map[int]*fakeTimer
	conns []*fakeConn
	made  func(*fakeConn) // is told of each dialing; may be nil
}

type fakeTimer struct {
	at   time.Time
	f    func()
	ours bool // and not the client's
}

func newWorld(t testing.TB) *world {
	begin := time.UnixMilli(1_000_000)
	return &world{t: t, begin: begin, time: begin, due: make(map[int]*fakeTimer)}
}

// options has the defaults of the JavaScript client.
func (w *world) options(app App) Options {
	return Options{
		Dial: w.dial,
		Base: time.Second, Cap: 30 * time.Second, First: time.Second,
		Stable: 10 * time.Second, ConnectTimeout: 10 * time.Second, ProbeTimeout: 5 * time.Second, RequestTimeout: 10 * time.Second,
		Messages: 256, Bytes: 256 << 10, Age: 30 * time.Second,
		Clock: w, Random: func() float64 { return 0.5 }, App: app,
	}
}

func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.time
}

// now is the milliseconds since the world began.
func (w *world) now() int64 { return w.Now().Sub(w.begin).Milliseconds() }

func (w *world) AfterFunc(d time.Duration, f func()) (stop func() bool) { return w.after(d, f, false) }

// later does what is not the client's.
func (w *world) later(d time.Duration, f func()) { w.after(d, f, true) }

func (w *world) after(d time.Duration, f func(), ours bool) (stop func() bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	id := w.ids
	w.due[id] = &fakeTimer{w.time.Add(max(d, 0)), f, ours}
	return func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		_, waited := w.due[id]
		delete(w.due, id)
		return waited
	}
}

// timers counts those of the client.
func (w *world) timers() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.due {
		if !x.ours {
			n++
		}
	}
	return n
}

// settle lets everything run until it waits for time or for the test.
func (w *world) settle() {
	synctest.Wait()
	for w.client != nil && w.client.Work() {
		synctest.Wait()
	}
}

// advance moves the time, and runs what is due on the way.
func (w *world) advance(d time.Duration) {
	w.settle()
	until := w.Now().Add(d)
	for f := w.next(until); f != nil; f = w.next(until) {
		f()
		w.settle()
	}
	w.set(until)
	w.settle()
}

// next takes the first timer until then, and moves the time there.
func (w *world) next(until time.Time) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	first := 0
	for id, x := range w.due {
		if y := w.due[first]; !x.at.After(until) && (y == nil || x.at.Before(y.at) || x.at.Equal(y.at) && id < first) {
			first = id
		}
	}
	x := w.due[first]
	if x == nil {
		return nil
	}
	delete(w.due, first)
	if x.at.After(w.time) {
		w.time = x.at
	}
	return x.f
}

func (w *world) set(to time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.time = to
}

// adjust moves the clock alone: timers do not go by it.
func (w *world) adjust(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.time = w.time.Add(by)
	for _, x := range w.due {
		x.at = x.at.Add(by)
	}
}

// sleep moves the clock while nothing runs; then what is overdue does.
func (w *world) sleep(d time.Duration) {
	w.settle()
	w.set(w.Now().Add(d))
	w.advance(0)
}

// fakeConn is a connection as its server sees it.
type fakeConn struct {
	w        *world
	offer    *Offer
	accepted chan error // of the dialing
	protocol string
	in       chan Message
	closed   chan struct{} // after end

	mu      sync.Mutex // guards the fields below
	up      bool
	end     *End
	sent    []Message // by the client, not looked at yet
	pings   int
	code    int           // that the client has closed with; 0: it has not
	onSent  func(Message) // may be nil
	onClose func(code int)
}

func (w *world) dial(ctx context.Context, o *Offer) (Conn, error) {
	c := &fakeConn{w: w, offer: o, accepted: make(chan error, 1), in: make(chan Message, 4096), closed: make(chan struct{})}
	w.mu.Lock()
	w.conns = append(w.conns, c)
	made := w.made
	w.mu.Unlock()
	if made != nil {
		made(c)
	}
	select {
	case err := <-c.accepted:
		if err != nil {
			return nil, err
		}
		return c, nil
	case <-ctx.Done():
		c.Close(4001, "")
		return nil, ctx.Err()
	}
}

func (w *world) dials() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.conns)
}

func (w *world) last() *fakeConn {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.conns) == 0 {
		return nil
	}
	return w.conns[len(w.conns)-1]
}

// live counts connections that neither side has ended.
func (w *world) live() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		c.mu.Lock()
		if c.end == nil && c.code == 0 {
			n++
		}
		c.mu.Unlock()
	}
	return n
}

// ---- the client's side

func (c *fakeConn) Protocol() string { return c.protocol }

func (c *fakeConn) Receive() (Message, *End) {
	select {
	case m := <-c.in:
		return m, nil
	default:
	}
	select {
	case m := <-c.in:
		return m, nil
	case <-c.closed:
		select {
		case m := <-c.in: // had come before
			return m, nil
		default:
			return Message{}, c.end
		}
	}
}

func (c *fakeConn) Send(m Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.end != nil || c.code != 0:
	case c.onSent != nil:
		c.onSent(m)
	default:
		c.sent = append(c.sent, m)
	}
}

func (c *fakeConn) Buffered() int { return 0 }

// Ping is written as the ping of those who have no control frames.
func (c *fakeConn) Ping() {
	c.mu.Lock()
	c.pings++
	n := c.pings
	c.mu.Unlock()
	if c.protocol == "" {
		c.w.later(0, c.offer.Alive) // every WebSocket server answers
		return
	}
	c.Send(Message{Data: fmt.Appendf(nil, `{"type":"ping","t":%d}`, n)})
}

func (c *fakeConn) Close(code int, _ string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.code != 0 {
		return
	}
	c.code = code
	if c.onClose != nil {
		c.onClose(code)
	}
	c.w.later(time.Second, func() { c.over(Ended(1006, "", false, nil)) })
}

// ---- the server's side

func (c *fakeConn) accept(protocol string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.up {
		c.up, c.protocol = true, protocol
		c.accepted <- nil
	}
}

func (c *fakeConn) refuse(err error) {
	c.over(Ended(1006, "", false, nil))
	select {
	case c.accepted <- err:
	default:
	}
}

var errNetwork = errors.New("network")

// say sends a message; a text as it is, anything else as JSON.
func (c *fakeConn) say(v any) {
	data, ok := v.(string)
	if !ok {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		data = string(text)
	}
	c.write(Message{Data: []byte(data)})
}

func (c *fakeConn) write(m Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.up && c.end == nil {
		c.in <- m
	}
}

// over ends the connection.
func (c *fakeConn) over(end *End) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end == nil {
		c.end = end
		close(c.closed)
	}
}

// cut ends it with a code; 1006: without one.
func (c *fakeConn) cut(code int, reason string) {
	c.accept(protocol)
	c.over(Ended(code, reason, code != 1006, nil))
}
