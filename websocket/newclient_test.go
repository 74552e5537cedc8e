package websocket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

// impatient waits hardly at all before it tries again.
var impatient = websocket.Backoff{Base: time.Millisecond, Cap: time.Millisecond, First: time.Millisecond}

var quiet = slog.New(slog.DiscardHandler)

// phases has what a client does from now on.
func phases(c *websocket.Client) <-chan websocket.ClientPhase {
	all := make(chan websocket.ClientPhase, 1000)
	c.OnState(func(s websocket.ClientState) { all <- s.Phase })
	return all
}

// await waits until a client does that.
func await(t *testing.T, all <-chan websocket.ClientPhase, phase websocket.ClientPhase) {
	t.Helper()
	for end := time.After(2 * time.Minute); ; {
		select {
		case p := <-all:
			if p == phase {
				return
			}
		case <-end:
			t.Fatal("it is never ", phase)
		}
	}
}

// gate is a network between clients and one server after the other.
type gate struct {
	net.Listener
	mu     sync.Mutex // guards the fields below
	target string     // empty: nobody
	conns  []net.Conn
}

func newGate(t *testing.T) *gate {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{Listener: l}
	t.Cleanup(func() { l.Close(); g.cut() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go g.forward(c)
		}
	}()
	return g
}

func (g *gate) url() string { return "ws://" + g.Addr().String() + "/" }

func (g *gate) lead(target string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.target = target
}

func (g *gate) forward(c net.Conn) {
	g.mu.Lock()
	to, err := net.Dial("tcp", g.target)
	if err != nil {
		g.mu.Unlock()
		c.Close()
		return
	}
	g.conns = append(g.conns, c, to)
	g.mu.Unlock()
	var copies sync.WaitGroup
	for _, pair := range [][2]net.Conn{{c, to}, {to, c}} {
		copies.Go(func() {
			io.Copy(pair[1], pair[0])
			pair[1].(*net.TCPConn).CloseWrite()
		})
	}
	copies.Wait()
	c.Close()
	to.Close()
}

// cut resets all connections.
func (g *gate) cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.conns {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	g.conns = nil
}

// serve has a server behind the gate until stop is called.
func (g *gate) serve(t *testing.T, srv *websocket.Server, h func(*websocket.Socket) error) (stop func()) {
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { srv.Upgrade(w, r, h) }))
	g.lead(ts.Listener.Addr().String())
	stop = sync.OnceFunc(func() {
		srv.Close()
		ts.Close()
	})
	t.Cleanup(stop)
	return stop
}

// start runs a client until the test ends.
func start(t *testing.T, c *websocket.Client) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if !errors.Is(err, context.Canceled) {
				t.Error("Run:", err)
			}
		case <-time.After(30 * time.Second):
			t.Error("Run does not return")
		}
	})
}

func TestAClientSpeaksWithItsServer(t *testing.T) {
	g := newGate(t)
	got := make(chan string, 10)
	g.serve(t, websocket.NewServer(websocket.Options{Logger: quiet}), func(s *websocket.Socket) error {
		s.On("note", func(e *websocket.Event) {
			var text string
			e.BindAll(&text)
			got <- fmt.Sprint(text, e.Bytes())
			s.Emit("noted", text, []byte{1, 2})
		})
		websocket.Handle(s, "double", func(_ context.Context, s *websocket.Socket, n int) (int, error) {
			if n < 0 {
				return 0, &websocket.EventError{Message: "too small", Errors: []string{"n"}}
			}
			return 2 * n, nil
		})
		s.On("ask me", func(*websocket.Event) {
			go func() {
				for _, event := range []string{"name", "refuse", "secret", "panic", "what"} {
					e, err := s.Request(context.Background(), event)
					var name string
					if err == nil {
						err = e.Bind(0, &name)
					}
					got <- fmt.Sprint(name, err)
				}
			}()
		})
		s.OnMessage(func(m websocket.Message) { s.Send(m) })
		go func() {
			if d, err := s.Probe(context.Background()); d <= 0 || err != nil {
				t.Error(d, err)
			}
		}()
		return nil
	})
	c := websocket.NewClient(g.url(), &websocket.ClientOptions{Backoff: impatient, Dial: websocket.DialOptions{Options: websocket.Options{Logger: quiet}}})
	noted, messages, failed := make(chan string, 1), make(chan string, 1), make(chan error, 9)
	c.On("noted", func(e *websocket.Event) {
		var text string
		var b []byte
		if err := e.BindAll(&text, &b); err != nil {
			t.Error(err)
		}
		noted <- fmt.Sprint(text, b, e.Socket == nil, e.Meta().At.IsZero(), e.WantsReply(), e.Reply("x"))
	})
	c.OnMessage(func(m websocket.Message) { messages <- m.Text() })
	c.OnError(func(err error) { failed <- err })
	c.Handle("name", func(context.Context, *websocket.Event) (any, error) { return "Ann", nil })
	c.Handle("refuse", func(context.Context, *websocket.Event) (any, error) {
		return nil, &websocket.EventError{Message: "no"}
	})
	c.Handle("secret", func(context.Context, *websocket.Event) (any, error) { return nil, errors.New("secret") })
	c.Handle("panic", func(context.Context, *websocket.Event) (any, error) { panic("boom") })
	if err := c.Emit("note", "hi", []byte{7}); err != nil { // waits
		t.Error(err)
	}
	start(t, c)
	want := func(from chan string, want string) {
		t.Helper()
		select {
		case text := <-from:
			if text != want {
				t.Errorf("got %q, not %q", text, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("no %q", want)
		}
	}
	want(got, "hi[7]")
	want(noted, "hi[1 2] true false false <nil>")
	c.Send("plain")
	want(messages, "plain")
	if out, err := websocket.Ask[int, int](t.Context(), c, "double", 21); out != 42 || err != nil {
		t.Error(out, err)
	}
	var refused *websocket.EventError
	if _, err := websocket.Ask[int, int](t.Context(), c.Repeat(""), "double", -1); !errors.As(err, &refused) || refused.Message != "too small" {
		t.Error(err)
	}
	c.Emit("ask me")
	for _, text := range []string{"Ann<nil>", "websocket: event: no", "websocket: event: internal error", "websocket: event: internal error", "websocket: event: unknown event"} {
		want(got, text)
	}
	for _, text := range []string{`websocket: event "secret": secret`, "panic: boom"} {
		if err := <-failed; err.Error() != text {
			t.Error(err)
		}
	}
	if s := c.State(); s.Phase != websocket.ClientOpen || s.Err != nil || c.ID() == "" {
		t.Errorf("%+v", s)
	}
}

func TestAClientConnectsAgain(t *testing.T) {
	g := newGate(t)
	sessions := make(chan string, 100)
	handler := func(s *websocket.Socket) error {
		s.On("n", func(e *websocket.Event) {
			var n int
			e.Bind(0, &n)
			sessions <- fmt.Sprint(n)
		})
		return nil
	}
	stop := g.serve(t, websocket.NewServer(websocket.Options{Logger: quiet}), handler)
	c := websocket.NewClient(g.url(), &websocket.ClientOptions{Backoff: impatient})
	var states []string
	var mu sync.Mutex
	c.OnState(func(s websocket.ClientState) {
		mu.Lock()
		defer mu.Unlock()
		states = append(states, s.Phase.String())
	})
	gaps := make(chan websocket.Gap, 9)
	c.OnGap(func(g websocket.Gap) { gaps <- g })
	now := phases(c)
	start(t, c)
	await(t, now, websocket.ClientOpen)
	lost := make(chan error, 1)
	go func() {
		_, err := c.Request(t.Context(), "never answered")
		lost <- err
	}()
	stop()
	g.cut()
	await(t, now, websocket.ClientWaiting)
	c.Emit("n", 1)
	c.Emit("n", 2)
	g.serve(t, websocket.NewServer(websocket.Options{Logger: quiet}), handler)
	if first, second := <-sessions, <-sessions; first != "1" || second != "2" {
		t.Error(first, second)
	}
	if gap := <-gaps; gap.Room != "" || gap.Why != "session" {
		t.Error(gap)
	}
	err := <-lost
	var e *websocket.LostError
	var refused *websocket.EventError // it has waited for the new one
	if !(errors.As(err, &e) && e.Ran == websocket.RanUnknown) && !errors.As(err, &refused) {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(states[:3], []string{"connecting", "open", "waiting"}) || states[len(states)-1] != "open" {
		t.Error(states)
	}
}

func TestRunEnds(t *testing.T) {
	status := 0
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
		}
		w.WriteHeader(status)
	}))
	defer ts.Close()
	token := func(context.Context, websocket.TokenReason) (string, error) { return "t", nil }
	run := func(o *websocket.ClientOptions) error {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		o.Backoff = impatient
		return websocket.NewClient(ts.URL, o).Run(ctx)
	}
	for _, status = range []int{403, 401, 404} {
		var refused *websocket.HandshakeError
		if err := run(&websocket.ClientOptions{Token: token}); !errors.As(err, &refused) || refused.Status != status {
			t.Error(status, err)
		}
	}
	if err := run(&websocket.ClientOptions{Token: func(context.Context, websocket.TokenReason) (string, error) {
		return "", fmt.Errorf("logged out: %w", websocket.ErrNoCredential)
	}}); !errors.Is(err, websocket.ErrNoCredential) || !errors.Is(err, websocket.ErrClosed) {
		t.Error(err)
	}
	for name, o := range map[string]*websocket.ClientOptions{
		"negative": {Stable: -1}, "Buffer": {Buffer: websocket.Buffer{Bytes: -1}},
		"Level": {Dial: websocket.DialOptions{Options: websocket.Options{Compression: websocket.Compression{Level: 17}}}},
	} {
		if err := run(o); err == nil || !bytes.Contains([]byte(err.Error()), []byte(name)) {
			t.Error(name, err)
		}
	}
	if err := websocket.NewClient("ftp://a.example", nil).Run(t.Context()); err == nil {
		t.Error("no error of an address")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := websocket.NewClient("ws://127.0.0.1:1", nil).Run(ctx); err != context.Canceled {
		t.Error(err)
	}
}

func TestTheStateTellsWhyThereIsNoConnection(t *testing.T) {
	g := newGate(t)
	g.Close()
	c := websocket.NewClient(g.url(), &websocket.ClientOptions{Backoff: impatient})
	why := make(chan error, 1000)
	c.OnState(func(s websocket.ClientState) {
		if s.Phase == websocket.ClientWaiting && s.Attempt == 2 && !s.Until.IsZero() {
			why <- s.Err
		}
	})
	start(t, c)
	err := <-why
	var end *websocket.CloseError
	var failed *net.OpError
	if !errors.As(err, &end) || end.Code != websocket.StatusAbnormalClosure || !errors.As(err, &failed) || strings.Count(err.Error(), "refused") != 1 {
		t.Error(err)
	}
}

func TestAClientIsClosedInACallback(t *testing.T) {
	g := newGate(t)
	ended := make(chan websocket.StatusCode, 9)
	g.serve(t, websocket.NewServer(websocket.Options{Logger: quiet}), func(s *websocket.Socket) error {
		s.OnClose(func(code websocket.StatusCode, _ string) { ended <- code })
		return nil
	})
	c := websocket.NewClient(g.url(), nil)
	var request error
	c.OnState(func(s websocket.ClientState) {
		if s.Phase == websocket.ClientOpen {
			if err := c.Run(t.Context()); err != websocket.ErrRunning {
				t.Error(err)
			}
			c.Emit("x")
			c.Close()
			_, request = c.Request(context.Background(), "y")
		}
	})
	for range 2 { // it may run again
		err := c.Run(t.Context())
		var end *websocket.CloseError
		if !errors.As(err, &end) || end.Code != websocket.StatusNormalClosure || end.Remote {
			t.Error(err)
		}
		if code := <-ended; code != websocket.StatusNormalClosure {
			t.Error(code)
		}
		if !errors.Is(request, websocket.ErrClosed) || !errors.Is(c.Emit("z"), websocket.ErrClosed) {
			t.Error(request)
		}
	}
}

func TestARequestInACallbackIsAnswered(t *testing.T) {
	g := newGate(t)
	g.serve(t, websocket.NewServer(websocket.Options{Logger: quiet}), func(s *websocket.Socket) error {
		websocket.Handle(s, "time", func(context.Context, *websocket.Socket, any) (string, error) { return "noon", nil })
		return s.Emit("begin")
	})
	c := websocket.NewClient(g.url(), nil)
	answer := make(chan string, 1)
	c.On("begin", func(*websocket.Event) {
		out, err := websocket.Ask[any, string](context.Background(), c, "time", nil)
		answer <- fmt.Sprint(out, err)
	})
	start(t, c)
	if got := <-answer; got != "noon<nil>" {
		t.Error(got)
	}
}

func TestRequestsOfAClientEndInTime(t *testing.T) {
	g := newGate(t)
	c := websocket.NewClient(g.url(), &websocket.ClientOptions{Backoff: impatient, RequestTimeout: 20 * time.Millisecond,
		Buffer: websocket.Buffer{Messages: 2, Age: time.Millisecond}})
	_, err := c.Request(context.Background(), "x")
	var late *websocket.TimeoutError
	if !errors.As(err, &late) || late.Sent || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := c.Request(ctx, "x"); !errors.As(err, &late) || late.Sent {
		t.Error(err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	cancel()
	if _, err := c.Request(ctx, "x"); err != context.Canceled {
		t.Error(err)
	}
	if err := c.Volatile().Emit("x"); err != websocket.ErrDropped {
		t.Error(err)
	}
	if err := errors.Join(c.Within(time.Hour).Emit("x"), c.Within(time.Hour).Emit("x")); err != nil {
		t.Error(err)
	}
	if err := c.Emit("x"); err != websocket.ErrBufferFull {
		t.Error(err)
	}
	var lost *websocket.LostError
	if _, err := c.Request(t.Context(), "x"); !errors.As(err, &lost) || lost.Ran != websocket.RanNo || !errors.Is(err, websocket.ErrBufferFull) {
		t.Error(err)
	}
	if err := c.Emit("x", make(chan int)); err == nil {
		t.Error("a channel was sent")
	}
	if n, size := c.Buffered(); n != 2 || size == 0 {
		t.Error(n, size)
	}
}

// A message that is longer than the client takes would only come again.
func TestAMessageThatIsTooLongForAClientEndsIt(t *testing.T) {
	g := newGate(t)
	g.serve(t, websocket.NewServer(websocket.Options{Logger: quiet, Resume: websocket.Resume{For: time.Minute}}), func(s *websocket.Socket) error {
		return s.Send(bytes.Repeat([]byte("x"), 2000))
	})
	o := &websocket.ClientOptions{Dial: websocket.DialOptions{Options: websocket.Options{MaxMessageSize: 1000, Logger: quiet}}}
	err := websocket.NewClient(g.url(), o).Run(t.Context())
	var end *websocket.CloseError
	if !errors.As(err, &end) || end.Code != websocket.StatusMessageTooBig || end.Remote {
		t.Error(err)
	}
}

func TestAPlainServerIsGotAlongWith(t *testing.T) {
	g := newGate(t)
	g.serve(t, websocket.NewServer(websocket.Options{Logger: quiet}), func(s *websocket.Socket) error {
		if s.Protocol() != "" {
			t.Error(s.Protocol())
		}
		websocket.Handle(s, "len", func(_ context.Context, _ *websocket.Socket, b []byte) (int, error) { return len(b), nil })
		return nil
	})
	c := websocket.NewClient(g.url(), &websocket.ClientOptions{Plain: true})
	start(t, c)
	if n, err := websocket.Ask[[]byte, int](t.Context(), c, "len", []byte("four")); n != 4 || err != nil {
		t.Error(n, err)
	}
}

// A server that reads slowly makes messages wait where they are counted.
func TestASlowServerFillsTheBuffer(t *testing.T) {
	g := newGate(t)
	release, got := make(chan bool), make(chan int, 1<<20)
	g.serve(t, websocket.NewServer(websocket.Options{Logger: quiet}), func(s *websocket.Socket) error {
		s.On("n", func(e *websocket.Event) {
			<-release
			var n int
			e.Bind(0, &n)
			got <- n
		})
		return nil
	})
	c := websocket.NewClient(g.url(), &websocket.ClientOptions{Buffer: websocket.Buffer{Age: time.Hour}})
	now := phases(c)
	start(t, c)
	await(t, now, websocket.ClientOpen)
	sent, body := 0, bytes.Repeat([]byte("x"), 10_000)
	for c.Emit("n", sent, body) == nil {
		sent++
	}
	if err := c.Emit("n", sent, body); err != websocket.ErrBufferFull {
		t.Error(err)
	}
	close(release)
	for n := range sent {
		if m := <-got; m != n {
			t.Fatalf("%d has come as %d", m, n)
		}
	}
	if s := c.State(); s.Phase != websocket.ClientOpen {
		t.Error(s)
	}
}
