package events_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/events"
	"github.com/nextrush/nextrush/websocket"
)

type created struct{ name string }
type removed struct{}

// notes is a list that handlers add to.
type notes struct {
	mu   sync.Mutex // guards list
	list []string
}

func (n *notes) add(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, what)
}

func (n *notes) want(t *testing.T, want ...string) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.Equal(n.list, want) {
		t.Errorf("got %q, want %q", n.list, want)
	}
}

func (n *notes) handler(prefix string, err error) func(context.Context, created) error {
	return func(_ context.Context, e created) error {
		n.add(prefix + e.name)
		return err
	}
}

func TestEmitCallsTheHandlersOfTheTypeInOrder(t *testing.T) {
	var n notes
	bus := events.New()
	broken, failed := errors.New("broken"), errors.New("failed")
	events.On(bus, n.handler("1 ", broken))
	off := events.On(bus, n.handler("2 ", nil))
	events.On(bus, n.handler("3 ", failed))
	events.On(bus, func(context.Context, removed) error { n.add("removed"); return nil })
	events.On(bus, func(context.Context, *created) error { n.add("pointer"); return nil })
	err := events.Emit(t.Context(), bus, created{"a"})
	if !errors.Is(err, broken) || !errors.Is(err, failed) {
		t.Errorf("error %v", err)
	}
	n.want(t, "1 a", "2 a", "3 a")
	off()
	off()
	events.Emit(t.Context(), bus, created{"b"})
	n.want(t, "1 a", "2 a", "3 a", "1 b", "3 b")
}

func TestStagesChangeAndStopEvents(t *testing.T) {
	refused := errors.New("refused")
	for _, tt := range []struct {
		name string
		end  error
		err  error
		want []string
	}{
		{"both pass it on", nil, nil, []string{"A!"}},
		{"the second stops it", events.ErrStop, nil, nil},
		{"the second refuses it", refused, refused, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var n notes
			bus := events.New()
			events.On(bus, n.handler("", nil))
			events.Pipe(bus, func(_ context.Context, e created) (created, error) {
				return created{strings.ToUpper(e.name)}, nil
			})
			off := events.Pipe(bus, func(_ context.Context, e created) (created, error) {
				return created{e.name + "!"}, tt.end
			})
			if err := events.Emit(t.Context(), bus, created{"a"}); err != tt.err {
				t.Errorf("error %v", err)
			}
			n.want(t, tt.want...)
			off()
			events.Emit(t.Context(), bus, created{"b"})
			n.want(t, append(tt.want, "B")...)
		})
	}
}

func TestAPanicIsAnErrorAndTheOthersGetTheEvent(t *testing.T) {
	var n notes
	bus := events.New()
	events.On(bus, func(context.Context, created) error { panic("oops") })
	events.On(bus, n.handler("", nil))
	var p *nextrush.PanicError
	if err := events.Emit(t.Context(), bus, created{"a"}); !errors.As(err, &p) || p.Value != "oops" {
		t.Errorf("error %v", err)
	}
	n.want(t, "a")
	events.Pipe(bus, func(context.Context, created) (created, error) { panic("stage") })
	if err := events.Emit(t.Context(), bus, created{"b"}); !errors.As(err, &p) || p.Value != "stage" {
		t.Errorf("error %v", err)
	}
	n.want(t, "a")
}

func TestQueuedEventsKeepTheirOrderAndOutliveTheirContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		var n notes
		bus := events.New()
		events.On(bus, func(ctx context.Context, e created) error {
			time.Sleep(time.Second)
			n.add(fmt.Sprint(e.name, ctx.Value(key{}), ctx.Err()))
			return nil
		})
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, 7))
		events.EmitAsync(ctx, bus, created{"a"})
		events.EmitAsync(ctx, bus, created{"b"})
		cancel()
		n.want(t)
		time.Sleep(3 * time.Second)
		n.want(t, "a7 <nil>", "b7 <nil>")
	})
}

func TestAFullQueueRefusesAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n notes
		bus := events.New(events.Options{Queue: 2, Workers: 2})
		release := make(chan struct{})
		events.On(bus, func(_ context.Context, e created) error {
			<-release
			n.add(e.name)
			return nil
		})
		for _, tt := range []struct {
			name string
			want error
		}{{"1", nil}, {"2", nil}, {"3", nil}, {"4", nil}, {"5", events.ErrQueueFull}} {
			if err := events.EmitAsync(t.Context(), bus, created{tt.name}); err != tt.want {
				t.Errorf("event %s: %v, want %v", tt.name, err, tt.want)
			}
			synctest.Wait() // the worker has taken an event
		}
		if d := bus.Dropped(); d != 1 {
			t.Errorf("dropped %d", d)
		}
		close(release)
		synctest.Wait()
		if len(n.list) != 4 {
			t.Errorf("handled %q", n.list)
		}
	})
}

func TestStopHandlesWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n notes
		bus := events.New()
		events.On(bus, func(_ context.Context, e created) error {
			time.Sleep(time.Second)
			n.add(e.name)
			return nil
		})
		for _, name := range []string{"a", "b", "c"} {
			events.EmitAsync(t.Context(), bus, created{name})
		}
		if err := bus.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		n.want(t, "a", "b", "c")
		if err := events.EmitAsync(t.Context(), bus, created{"d"}); err != events.ErrClosed {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestStopHandlesWhatIsQueuedMeanwhile(t *testing.T) {
	for _, workers := range []int{1, 4} {
		var first, second, third atomic.Int64
		bus := events.New(events.Options{Workers: workers})
		var failed atomic.Value
		events.On(bus, func(ctx context.Context, _ created) error {
			first.Add(1)
			if err := events.EmitAsync(ctx, bus, removed{}); err != nil {
				failed.Store(err)
			}
			return nil
		})
		events.On(bus, func(ctx context.Context, _ removed) error {
			second.Add(1)
			return events.EmitAsync(ctx, bus, "third")
		})
		events.On(bus, func(context.Context, string) error { third.Add(1); return nil })
		for range 50 {
			events.EmitAsync(t.Context(), bus, created{})
		}
		if err := bus.Stop(t.Context()); err != nil || failed.Load() != nil || bus.Dropped() != 0 {
			t.Errorf("Stop: %v; EmitAsync: %v; dropped %d", err, failed.Load(), bus.Dropped())
		}
		if first.Load() != 50 || second.Load() != 50 || third.Load() != 50 {
			t.Errorf("%d workers: handled %d, %d, %d", workers, first.Load(), second.Load(), third.Load())
		}
		if err := events.EmitAsync(t.Context(), bus, created{}); err != events.ErrClosed {
			t.Errorf("afterwards: %v", err)
		}
	}
}

func TestStopEndsAnEventThatQueuesItselfForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := events.New(events.Options{Workers: 2})
		var last atomic.Value
		events.On(bus, func(ctx context.Context, e created) error {
			time.Sleep(time.Millisecond)
			if err := events.EmitAsync(ctx, bus, e); err != nil {
				last.Store(err)
			}
			return nil
		})
		events.EmitAsync(t.Context(), bus, created{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := bus.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop: %v", err)
		}
		synctest.Wait()
		time.Sleep(time.Second)
		if last.Load() != events.ErrClosed {
			t.Errorf("the last one: %v", last.Load())
		}
	})
}

func TestAHandlerThatEndsItsGoroutineIsCountedAndTheRestIsHandled(t *testing.T) {
	for _, workers := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			var n notes
			var log bytes.Buffer
			app := nextrush.New(nextrush.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			bus := events.New(events.Options{Queue: 10, Workers: workers})
			app.Register(bus)
			events.On(bus, func(_ context.Context, e created) error {
				if e.name == "2" || e.name == "9" {
					runtime.Goexit()
				}
				return nil
			})
			events.On(bus, n.handler("", nil))
			for i := range 10 {
				if err := events.EmitAsync(t.Context(), bus, created{fmt.Sprint(i)}); err != nil {
					t.Errorf("event %d: %v", i, err)
				}
			}
			if err := bus.Stop(t.Context()); err != nil || bus.Dropped() != 2 {
				t.Errorf("Stop: %v, dropped %d", err, bus.Dropped())
			}
			slices.Sort(n.list)
			n.want(t, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
			if strings.Count(log.String(), "Goexit") != 2 {
				t.Errorf("the log is %s", log.String())
			}
		})
	}
}

func TestStopEndsHandlersWhenTheTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n notes
		bus := events.New()
		events.On(bus, func(ctx context.Context, e created) error {
			<-ctx.Done()
			n.add(e.name)
			return ctx.Err()
		})
		for _, name := range []string{"a", "b", "c"} {
			events.EmitAsync(t.Context(), bus, created{name})
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := bus.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "2 events") {
			t.Errorf("error %v", err)
		}
		synctest.Wait()
		n.want(t, "a")
		if d := bus.Dropped(); d != 2 {
			t.Errorf("dropped %d", d)
		}
	})
}

func TestFailuresOfQueuedEventsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		app := nextrush.New(nextrush.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		bus := events.New()
		app.Register(bus)
		events.On(bus, func(context.Context, created) error { panic("oops") })
		events.EmitAsync(t.Context(), bus, created{"a"})
		synctest.Wait()
		for _, part := range []string{"events_test.created", "oops", "stack="} {
			if !strings.Contains(log.String(), part) {
				t.Errorf("no %s in %s", part, log.String())
			}
		}
	})
}

func TestTheAppsLifeAsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n notes
		app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
		bus := events.New()
		app.Register(bus)
		app.EnableWebSocket(websocket.Options{})
		app.WSUse(func(_ *websocket.Socket, c *nextrush.Context, next func() error) error {
			if c.Query("token") == "" {
				return nextrush.NewError(401)
			}
			return next()
		})
		app.Get("/users/:id", func(c *nextrush.Context) error { return c.Text("hello") })
		app.Get("/panics", func(*nextrush.Context) error { panic("oops") })
		app.WS("/chat/:room", func(s *websocket.Socket, _ *nextrush.Context) error { return nil })

		events.On(bus, func(_ context.Context, e events.AppStarted) error { n.add("started"); return nil })
		events.On(bus, func(_ context.Context, e events.AppStopping) error { n.add("stopping"); return nil })
		events.On(bus, func(_ context.Context, e events.RequestDone) error {
			n.add(fmt.Sprint(e.Method, " ", e.Route, " ", e.Status, " ", e.Size))
			return nil
		})
		events.On(bus, func(_ context.Context, e events.SocketOpened) error {
			n.add("opened " + e.Route + " " + e.Socket.Path())
			return nil
		})
		events.On(bus, func(ctx context.Context, e events.SocketClosed) error {
			n.add(fmt.Sprint("closed ", e.Route, " ", e.Code, " ", ctx.Err()))
			return nil
		})

		c := nextrushtest.New(t, app)
		c.Get("/users/7")
		synctest.Wait()
		c.Get("/panics")
		synctest.Wait()
		c.DialError("/chat/a")
		synctest.Wait()
		s := c.Dial("/chat/b?token=x")
		synctest.Wait()
		s.Close(websocket.StatusNormalClosure, "")
		time.Sleep(time.Second) // until the engine has gone to rest
		app.Shutdown(t.Context())
		// Two of them come from the queue, before or after the socket's.
		got := slices.Clone(n.list)
		i := slices.Index(got, "GET /chat/:room 101 0")
		if i != 4 && i != 5 {
			t.Fatalf("events %q", got)
		}
		n.list = slices.Delete(n.list, i, i+1)
		n.want(t, "started", "GET /users/:id 200 5", "GET /panics 500 0", "GET /chat/:room 401 0",
			"opened /chat/:room /chat/b", "closed /chat/:room 1000 <nil>", "stopping")
	})
}

func TestAHandlerOfAppStartedCanEndTheStart(t *testing.T) {
	app := nextrush.New()
	bus := events.New()
	app.Register(bus)
	broken := errors.New("broken")
	events.On(bus, func(context.Context, events.AppStarted) error { return broken })
	if err := app.Start(t.Context()); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

func TestHandlersComeAndGoWhileEventsAreEmitted(t *testing.T) {
	bus := events.New(events.Options{Workers: 4})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				off := events.On(bus, func(context.Context, created) error { return nil })
				events.Emit(t.Context(), bus, created{})
				events.EmitAsync(t.Context(), bus, created{})
				off()
			}
		})
	}
	wg.Wait()
	if err := bus.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestMistakesPanicAndNameTheFix(t *testing.T) {
	for want, mistake := range map[string]func(){
		"events.New()": func() { events.Of(nextrush.New()) },
		"On: the":      func() { events.On[created](events.New(), nil) },
		"Pipe: the":    func() { events.Pipe[created](events.New(), nil) },
	} {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.Contains(text, want) {
					t.Errorf("panic %q", text)
				}
			}()
			mistake()
		})
	}
}

type userCreated struct{ Email string }

func Example() {
	app := nextrush.New()
	app.Register(events.New())
	bus := events.Of(app)

	events.Pipe(bus, func(_ context.Context, e userCreated) (userCreated, error) {
		if e.Email == "" {
			return e, errors.New("no address")
		}
		e.Email = strings.ToLower(e.Email)
		return e, nil
	})
	events.On(bus, func(_ context.Context, e userCreated) error {
		fmt.Println("welcome", e.Email)
		return nil
	})

	fmt.Println(events.Emit(context.Background(), bus, userCreated{"Ada@Example.com"}))
	fmt.Println(events.Emit(context.Background(), bus, userCreated{}))
	// Output:
	// welcome ada@example.com
	// <nil>
	// no address
}
