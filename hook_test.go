package nextrush

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

// wayOut is how a hook can end, other than by returning.
var wayOut = map[string]func(){
	"Goexit": runtime.Goexit,
	"panic":  func() { panic("oops") },
}

// stopper is a plugin that does something when it stops.
type stopper struct{ stop func(context.Context) error }

func (stopper) Name() string                     { return "stopper" }
func (stopper) Install(*App) error               { return nil }
func (s stopper) Stop(ctx context.Context) error { return s.stop(ctx) }

func TestAHookThatLeavesWithoutReturningEndsTheStart(t *testing.T) {
	for name, leave := range wayOut {
		app := New()
		app.OnStart(func(context.Context) error { leave(); return nil })
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		result := make(chan error, 1)
		go func() { result <- app.Serve(ln) }()
		if err := <-result; err == nil || !strings.Contains(err.Error(), "OnStart") {
			t.Errorf("%s: %v", name, err)
		}
		if err := app.Start(t.Context()); err == nil {
			t.Errorf("%s: a second Start succeeds", name)
		}
	}
}

func TestAHookThatLeavesWithoutReturningDoesNotStopTheShutdown(t *testing.T) {
	for name, leave := range wayOut {
		var n notes
		app := New()
		app.Register(stopper{func(context.Context) error { n.add("stopped"); leave(); return nil }})
		app.Register(step{name: "a", notes: &n})
		app.BeforeShutdown(func(context.Context) { leave() })
		app.OnShutdown(func(context.Context) error { n.add("down 1"); return nil })
		app.OnShutdown(func(context.Context) error { leave(); return nil })
		app.Get("/", text("hello"))
		addr, stop := serve(t, app)
		get(t, http.DefaultClient, "http://"+addr)
		err := stop()
		for _, part := range []string{"BeforeShutdown", "OnShutdown", `plugin "stopper"`} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s: no %s in %v", name, part, err)
			}
		}
		if got := strings.Join(n.list, ","); got != "install a,start a,down 1,stop a,stopped" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestHooksThatIgnoreTheirDeadlineDoNotHoldTheShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		defer close(never)
		var n notes
		app := New()
		app.Register(step{name: "a", notes: &n}, stopper{func(context.Context) error { <-never; return nil }})
		app.BeforeShutdown(func(context.Context) { <-never })
		app.OnShutdown(func(context.Context) error { n.add("down"); return nil })
		app.OnShutdown(func(context.Context) error { <-never; return nil })
		if err := app.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err := app.Shutdown(ctx)
		if took := time.Since(began); took > time.Second+3*time.Second {
			t.Errorf("it took %v", took)
		}
		for _, part := range []string{"BeforeShutdown", "OnShutdown", `plugin "stopper"`} {
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), part) {
				t.Errorf("no %s in %v", part, err)
			}
		}
		if got := strings.Join(n.list, ","); got != "install a,start a,down,stop a" {
			t.Errorf("%s", got)
		}
	})
}

func TestHooksRunToTheirEndThoughTheTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n notes
		app := New()
		app.OnShutdown(func(context.Context) error { time.Sleep(500 * time.Millisecond); n.add("down"); return nil })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := app.Shutdown(ctx); err != nil || len(n.list) != 1 {
			t.Errorf("%v, %q", err, n.list)
		}
	})
}

func TestAWSMiddlewareThatLeavesWithoutReturningHoldsNoPlace(t *testing.T) {
	for name, leave := range wayOut {
		app := New()
		app.EnableWebSocket(websocket.Options{MaxConnections: 1})
		app.WSUse(func(_ *websocket.Socket, c *Context, next func() error) error {
			if c.Query("leave") != "" {
				leave()
			}
			return next()
		})
		app.WS("/ws", func(s *websocket.Socket, _ *Context) error { return s.SendText("hello") })
		addr, stop := serve(t, app)
		for range 3 {
			if s, err := websocket.Dial(t.Context(), "ws://"+addr+"/ws?leave=1", nil); err == nil {
				s.Close(websocket.StatusNormalClosure, "")
				t.Errorf("%s: admitted", name)
			}
		}
		s, err := websocket.Dial(t.Context(), "ws://"+addr+"/ws", nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s.Close(websocket.StatusNormalClosure, "")
		stop()
	}
}
