package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/websocket"
)

// app is a program behind the gate until stop is called.
func (g *gate) app(t *testing.T, o websocket.Options, h func(*websocket.Socket, *nextrush.Context) error) (app *nextrush.App, stop func()) {
	o.Logger = quiet
	app = nextrush.New()
	app.EnableWebSocket(o)
	app.WS("/", h)
	ts := httptest.NewServer(app)
	g.lead(ts.Listener.Addr().String())
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		app.Shutdown(ctx)
		ts.Close()
	})
	t.Cleanup(stop)
	return app, stop
}

var keeping = websocket.Rooms{
	"tea*":  {History: websocket.History{Messages: 10_000, Bytes: 64 << 20}},
	"open":  {History: websocket.History{Messages: 100}, Join: func(*websocket.Socket, string) error { return nil }},
	"crowd": {Presence: true, LeaveDelay: -1},
}

// listener is a client's program that notes which numbers have come.
type listener struct {
	c       *websocket.Client
	got     chan int
	gaps    atomic.Int32 // of rooms
	resumed atomic.Int32
}

func newListener(t *testing.T, g *gate) *listener {
	l := &listener{c: websocket.NewClient(g.url(), &websocket.ClientOptions{Backoff: impatient, RequestTimeout: 30 * time.Second,
		Buffer: websocket.Buffer{Messages: 10_000, Bytes: 1 << 20, Age: time.Minute}}), got: make(chan int, 100_000)}
	l.c.On("n", func(e *websocket.Event) {
		var n int
		e.Bind(0, &n)
		l.got <- n
	})
	l.c.OnGap(func(g websocket.Gap) {
		if g.Room != "" {
			l.gaps.Add(1)
		}
	})
	l.c.OnState(func(s websocket.ClientState) {
		if s.Resumed {
			l.resumed.Add(1)
		}
	})
	start(t, l.c)
	return l
}

// numbers waits for the next n of them, which have to come in order.
func (l *listener) numbers(t *testing.T, from, n int) {
	t.Helper()
	for i := range n {
		select {
		case m := <-l.got:
			if m != from+i {
				t.Fatalf("%d has come, not %d", m, from+i)
			}
		case <-time.After(60 * time.Second):
			t.Fatalf("%d has not come: %+v", from+i, l.c.State())
		}
	}
}

// Clients are cut again and again while everybody speaks. What is sent to the room comes
// once and in order, by its history or by resuming; with resuming that is so for what
// clients send, too; each request settles, and runs once at most.
func TestClientsMissNothingUnderCuts(t *testing.T) {
	const clients, events = 6, 400
	for name, o := range map[string]websocket.Options{
		"history": {Rooms: keeping},
		"resume":  {Rooms: keeping, Resume: websocket.Resume{For: time.Minute, Bytes: 1 << 20}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGate(t)
			var mu sync.Mutex
			heard, ran := map[int][]int{}, map[string]int{}
			app, _ := g.app(t, o, func(s *websocket.Socket, _ *nextrush.Context) error {
				websocket.On(s, "up", func(_ *websocket.Socket, in [2]int) error {
					mu.Lock()
					defer mu.Unlock()
					heard[in[0]] = append(heard[in[0]], in[1])
					return nil
				})
				websocket.Handle(s, "ask", func(_ context.Context, _ *websocket.Socket, id string) (string, error) {
					mu.Lock()
					defer mu.Unlock()
					ran[id]++
					return id, nil
				})
				return s.Join("tea")
			})
			var all []*listener
			for range clients {
				all = append(all, newListener(t, g))
			}
			for _, l := range all { // they are in the room
				within(t, l.c.Room("tea").Joined)
			}
			done, cutting := make(chan bool), make(chan bool)
			go func() {
				defer close(cutting)
				for tick := time.NewTicker(60 * time.Millisecond); ; {
					select {
					case <-tick.C:
						g.cut()
					case <-done:
						tick.Stop()
						return
					}
				}
			}()
			pace := time.NewTicker(2 * time.Millisecond)
			defer pace.Stop()
			var asking sync.WaitGroup
			for i := range events {
				app.WebSockets().To("tea").Emit("n", i)
				for c, l := range all {
					if err := l.c.Emit("up", [2]int{c, i}); err != nil {
						t.Error(err)
					}
					if i%10 != 0 {
						continue
					}
					id := fmt.Sprint(c, "-", i)
					asking.Go(func() {
						out, err := websocket.Ask[string, string](context.Background(), l.c, "ask", id)
						var lost *websocket.LostError
						mu.Lock()
						defer mu.Unlock()
						switch {
						case err == nil && out == id && ran[id] == 1:
						case name == "history" && errors.As(err, &lost) && ran[id] <= 1:
						default:
							t.Errorf("%s: %q, %v, and it ran %d times", id, out, err, ran[id])
						}
					})
				}
				<-pace.C
			}
			close(done)
			<-cutting
			for _, l := range all {
				l.numbers(t, 0, events)
				if n := l.gaps.Load(); n > 0 {
					t.Errorf("%d gaps", n)
				}
				if n := l.resumed.Load(); (n > 0) != (name == "resume") {
					t.Errorf("resumed %d times", n)
				}
			}
			asking.Wait()
			if name != "resume" {
				return
			}
			for c := range all {
				within(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(heard[c]) >= events })
				if !slices.IsSorted(heard[c]) || len(slices.Compact(heard[c])) != events {
					t.Errorf("client %d was heard with %v", c, heard[c])
				}
			}
		})
	}
}

// Servers are killed and others take their place, which know nothing, while a room
// speaks: whoever misses something is told so before the next event, and each request
// settles.
func TestAClientIsToldWhatARestartHasCost(t *testing.T) {
	const clients, restarts, each = 5, 6, 40
	g := newGate(t)
	serve := func() (*websocket.Server, func()) {
		srv := websocket.NewServer(websocket.Options{Rooms: keeping, Logger: quiet})
		return srv, g.serve(t, srv, func(s *websocket.Socket) error {
			websocket.Handle(s, "ask", func(_ context.Context, _ *websocket.Socket, n int) (int, error) { return n, nil })
			return s.Join("tea")
		})
	}
	srv, kill := serve()
	const gap = -1
	heard := make([]chan int, clients)
	var all []*listener
	for i := range clients {
		l, told := newListener(t, g), make(chan int, 10_000)
		all, heard[i] = append(all, l), told
		l.c.On("n", func(e *websocket.Event) {
			var n int
			e.Bind(0, &n)
			told <- n
		})
		l.c.OnGap(func(g websocket.Gap) {
			if g.Room == "tea" {
				told <- gap
			}
		})
		within(t, l.c.Room("tea").Joined)
	}
	var asking sync.WaitGroup
	for n := range restarts * each {
		if n > 0 && n%each == 0 {
			kill()
			g.cut()
			srv, kill = serve()
		}
		srv.To("tea").Emit("n", n)
		asking.Go(func() {
			out, err := websocket.Ask[int, int](context.Background(), all[n%clients].c, "ask", n)
			var lost *websocket.LostError
			if out != n && !errors.As(err, &lost) {
				t.Error(n, out, err)
			}
		})
		runtime.Gosched()
	}
	asking.Wait()
	for i, l := range all {
		within(t, l.c.Room("tea").Joined)
		last := restarts * each
		srv.To("tea").Emit("n", last+i) // all others get it, too
		before, gaps := gap, 0
		for before < last+i {
			switch n := <-heard[i]; {
			case n == gap:
				gaps++
			case n <= before || n > before+1 && gaps == 0 && before != gap:
				t.Fatalf("%d after %d, and %d gaps", n, before, gaps)
			default:
				before, gaps = n, 0
			}
		}
	}
}

// A server that stops hands its clients over to the next one: what was asked of it is
// still answered, and there is no time without a connection.
func TestAClientIsHandedOver(t *testing.T) {
	g := newGate(t)
	type arrival struct {
		server string
		n      int
	}
	opened, heard, release := make(chan string, 10), make(chan arrival, 100), make(chan bool)
	serve := func(name string) func(*websocket.Socket, *nextrush.Context) error {
		return func(s *websocket.Socket, _ *nextrush.Context) error {
			websocket.On(s, "up", func(_ *websocket.Socket, n int) error { heard <- arrival{name, n}; return nil })
			websocket.Handle(s, "slow", func(context.Context, *websocket.Socket, any) (string, error) {
				<-release
				return name, nil
			})
			opened <- name
			return s.Join("tea")
		}
	}
	_, stop := g.app(t, websocket.Options{Rooms: keeping, Resume: websocket.Resume{For: time.Minute}, DrainWindow: 10 * time.Second}, serve("first"))
	c := websocket.NewClient(g.url(), &websocket.ClientOptions{Backoff: impatient})
	now := phases(c)
	gaps := make(chan websocket.Gap, 10)
	c.OnGap(func(g websocket.Gap) { gaps <- g })
	start(t, c)
	await(t, now, websocket.ClientOpen)
	if name := <-opened; name != "first" {
		t.Fatal(name)
	}
	within(t, c.Room("tea").Joined)
	c.Emit("up", 1)
	if a := <-heard; a != (arrival{"first", 1}) {
		t.Error(a)
	}
	answer := make(chan string, 1)
	go func() {
		out, err := websocket.Ask[any, string](context.Background(), c, "slow", nil)
		answer <- fmt.Sprint(out, err)
	}()
	g.app(t, websocket.Options{Rooms: keeping}, serve("second"))
	stopped := make(chan bool)
	go func() {
		stop()
		close(stopped)
	}()
	if name := <-opened; name != "second" {
		t.Fatal(name)
	}
	select {
	case text := <-answer:
		t.Error("it has been answered: ", text)
	default:
	}
	close(release)
	if text := <-answer; text != "first<nil>" {
		t.Error(text)
	}
	<-stopped
	c.Emit("up", 2)
	if a := <-heard; a != (arrival{"second", 2}) {
		t.Error(a)
	}
	if gap := <-gaps; gap.Room != "tea" || gap.Why != "epoch" { // it is told that the second knows nothing of the first
		t.Error(gap)
	}
	for len(now) > 0 {
		if p := <-now; p != websocket.ClientOpen {
			t.Error("it was ", p)
		}
	}
}

func TestARoomOfAClient(t *testing.T) {
	g := newGate(t)
	app, _ := g.app(t, websocket.Options{Rooms: keeping}, func(s *websocket.Socket, c *nextrush.Context) error {
		s.SetUser(c.Header("Authorization"), nil)
		return s.Join("crowd")
	})
	srv := app.WebSockets()
	before, err := srv.Position(t.Context(), "open")
	if err != nil {
		t.Fatal(err)
	}
	srv.To("open").Emit("n", 1)
	srv.To("open").Emit("n", 2)
	l := newListener(t, g)
	room := l.c.Room("open")
	var events []string
	room.On("n", func(e *websocket.Event) {
		m := e.Meta()
		events = append(events, fmt.Sprint(m.Room, m.Offset, m.Replayed, m.At.IsZero()))
	})
	if ok, err := room.JoinFrom(t.Context(), before); !ok || err != nil {
		t.Fatal(ok, err)
	}
	srv.To("open").Emit("n", 3)
	l.numbers(t, 1, 3)
	if p, ok := room.Position(); !ok || p.Offset != before.Offset+3 || !room.Joined() || room.Name() != "open" {
		t.Error(p, ok)
	}
	room.Since(before)
	l.numbers(t, 1, 3)
	done := make(chan bool)
	l.c.OnMessage(func(websocket.Message) { close(done) })
	srv.All().Send("done")
	<-done
	if want := "[open1 true false open2 true false open3 false false open1 true false open2 true false open3 true false]"; fmt.Sprint(events) != want {
		t.Error(events)
	}
	if err := room.Leave(t.Context()); err != nil || room.Joined() {
		t.Error(err)
	}
	var refused *websocket.EventError
	if _, err := l.c.Room("secret").Join(t.Context()); !errors.As(err, &refused) {
		t.Error(err)
	}
}

func TestAClientKnowsWhoIsThere(t *testing.T) {
	g := newGate(t)
	g.app(t, websocket.Options{Rooms: keeping}, func(s *websocket.Socket, c *nextrush.Context) error {
		s.SetUser(c.Header("Authorization"), nil)
		return s.Join("crowd")
	})
	as := func(name string) *websocket.ClientOptions {
		return &websocket.ClientOptions{Backoff: impatient, Token: func(context.Context, websocket.TokenReason) (string, error) { return name, nil }}
	}
	ann, bob := websocket.NewClient(g.url(), as("ann")), websocket.NewClient(g.url(), as("bob"))
	changes := make(chan websocket.PresenceChange, 10)
	room := ann.Room("crowd")
	room.OnPresence(func(c websocket.PresenceChange) { changes <- c })
	start(t, ann)
	if c := <-changes; !c.Sync || fmt.Sprint(c.Joined) != "[Bearer ann]" {
		t.Error(c)
	}
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() { gone <- bob.Run(ctx) }()
	if c := <-changes; c.Sync || fmt.Sprint(c.Joined) != "[Bearer bob]" {
		t.Error(c)
	}
	if err := bob.Room("crowd").Show(map[string]string{"name": "Bob"}); err != nil {
		t.Error(err)
	}
	<-changes
	list, n := room.Present()
	if n != 2 || len(list) != 2 || list[1].User != "Bearer bob" || string(list[1].Data) != `{"name":"Bob"}` {
		t.Errorf("%d %+v", n, list)
	}
	leave()
	<-gone
	if c := <-changes; fmt.Sprint(c.Left) != "[Bearer bob]" {
		t.Error(c)
	}
}

// within waits until f is true.
func within(t *testing.T, f func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !f(); {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
		runtime.Gosched()
	}
}
