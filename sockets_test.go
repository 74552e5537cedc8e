package nextrush

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/internal/apptest"
	"github.com/nextrush/nextrush/websocket"
)

// served is an app on a port of its own until the test ends.
func served(t *testing.T, app *App) *apptest.Server {
	t.Helper()
	srv := apptest.Serve(app)
	t.Cleanup(func() {
		if err := srv.Stop(); err != nil {
			t.Error(err)
		}
	})
	return srv
}

func dial(t *testing.T, url, path string) (*websocket.Socket, error) {
	t.Helper()
	s, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(url, "http")+path, nil)
	if err == nil {
		t.Cleanup(func() { s.Close(websocket.StatusNormalClosure, "") })
	}
	return s, err
}

func receive(t *testing.T, s *websocket.Socket) string {
	t.Helper()
	m, err := s.Receive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return m.Text()
}

func TestAWebSocketRouteHasParamsValuesAndMiddleware(t *testing.T) {
	app := New()
	app.EnableWebSocket(websocket.Options{})
	app.Use(func(c *Context) error {
		c.Set("user", "ada")
		return c.Next()
	})
	app.WSUse(func(s *websocket.Socket, c *Context, next func() error) error {
		s.Set("n", 7)
		c.Set("late", "set")
		s.Send("first")
		return next()
	})
	app.Group("/chat").WS("/:room", func(s *websocket.Socket, c *Context) error {
		user, _ := Value[string](c, "user")
		late, _ := Value[string](c, "late")
		s.Send(c.Param("room") + " " + user + " " + late)
		s.OnMessage(func(m websocket.Message) { s.Send("Echo: " + m.Text()) })
		return c.Context().Err()
	})
	s, err := dial(t, served(t, app).URL, "/chat/go")
	if err != nil {
		t.Fatal(err)
	}
	if got := receive(t, s); got != "first" {
		t.Errorf("got %q", got)
	}
	if got := receive(t, s); got != "go ada set" {
		t.Errorf("got %q", got)
	}
	s.Send("hi")
	if got := receive(t, s); got != "Echo: hi" {
		t.Errorf("got %q", got)
	}
	if n := app.WebSocketStats().Connections; n != 1 || len(app.WebSocketConnections()) != 1 {
		t.Errorf("%d connections", n)
	}
	app.WSBroadcast("all")
	if got := receive(t, s); got != "all" {
		t.Errorf("got %q", got)
	}
}

func TestAJoinBeforeThe101IsInForceWhenTheClientSeesIt(t *testing.T) {
	app := New()
	app.EnableWebSocket(websocket.Options{})
	app.WSUse(func(s *websocket.Socket, _ *Context, next func() error) error {
		if err := s.Join("general"); err != nil {
			return err
		}
		return next()
	})
	app.WS("/", func(*websocket.Socket, *Context) error { return nil })
	srv := served(t, app)
	for range 20 {
		s, err := dial(t, srv.URL, "/")
		if err != nil {
			t.Fatal(err)
		}
		app.WSTo("general").Send("hi")
		if got := receive(t, s); got != "hi" {
			t.Fatalf("got %q", got)
		}
	}
}

func TestRefusedUpgradesHaveAStatus(t *testing.T) {
	for _, tt := range []struct {
		name   string
		mw     WSMiddleware
		status int
	}{
		{"an HTTPError gives its own", func(*websocket.Socket, *Context, func() error) error { return NewError(402) }, 402},
		{"another error is 500", func(*websocket.Socket, *Context, func() error) error { return errors.New("x") }, 500},
		{"no call of next is 403", func(*websocket.Socket, *Context, func() error) error { return nil }, 403},
		{"an error after next counts", func(_ *websocket.Socket, _ *Context, next func() error) error {
			next()
			return NewError(409)
		}, 409},
		{"a panic is 500", func(*websocket.Socket, *Context, func() error) error { panic("x") }, 500},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := New()
			app.EnableWebSocket(websocket.Options{})
			app.WSUse(tt.mw)
			app.WS("/", func(*websocket.Socket, *Context) error {
				t.Error("the handler ran")
				return nil
			})
			_, err := dial(t, served(t, app).URL, "/")
			var refused *websocket.HandshakeError
			if !errors.As(err, &refused) || refused.Status != tt.status {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestASocketMiddlewareMayAnswerByItself(t *testing.T) {
	var log logBuffer
	app := New(Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	app.EnableWebSocket(websocket.Options{})
	app.WSUse(func(_ *websocket.Socket, c *Context, _ func() error) error { return c.Redirect("/login") })
	app.WS("/", func(*websocket.Socket, *Context) error { return nil })
	var refused *websocket.HandshakeError
	if _, err := dial(t, served(t, app).URL, "/"); !errors.As(err, &refused) || refused.Status != 302 || log.String() != "" {
		t.Errorf("got %v, logged %q", err, &log)
	}
}

func TestAMiddlewareRefusesBeforeTheHandshake(t *testing.T) {
	app := New()
	app.EnableWebSocket(websocket.Options{})
	app.With(func(*Context) error { return NewError(401) }).WS("/", func(*websocket.Socket, *Context) error { return nil })
	_, err := dial(t, served(t, app).URL, "/")
	var refused *websocket.HandshakeError
	if !errors.As(err, &refused) || refused.Status != 401 {
		t.Fatalf("got %v", err)
	}
}

func TestAPlainGetToAWebSocketIs426(t *testing.T) {
	app := New()
	app.EnableWebSocket(websocket.Options{})
	app.WS("/", func(*websocket.Socket, *Context) error { return nil })
	w := do(t, app, "GET", "/", "")
	if w.Code != http.StatusUpgradeRequired || w.Header().Get("Upgrade") != "websocket" {
		t.Fatalf("status %d, header %v", w.Code, w.Header())
	}
}

func TestLoggersSee101(t *testing.T) {
	app := New()
	app.EnableWebSocket(websocket.Options{})
	status := make(chan int, 1)
	app.Use(func(c *Context) error {
		err := c.Next()
		status <- c.StatusCode()
		return err
	})
	app.WS("/", func(*websocket.Socket, *Context) error { return nil })
	if _, err := dial(t, served(t, app).URL, "/"); err != nil {
		t.Fatal(err)
	}
	if got := <-status; got != 101 {
		t.Fatalf("status %d", got)
	}
}

func TestEventsAreValidatedByTheAppsValidator(t *testing.T) {
	type in struct {
		Text string `json:"text" validate:"required"`
	}
	app := New()
	app.EnableWebSocket(websocket.Options{})
	app.WS("/", func(s *websocket.Socket, _ *Context) error {
		websocket.Handle(s, "say", func(_ context.Context, _ *websocket.Socket, v in) (string, error) {
			if v.Text == "fail" {
				return "", NewError(409, "taken")
			}
			return v.Text, nil
		})
		return nil
	})
	s, err := dial(t, served(t, app).URL, "/")
	if err != nil {
		t.Fatal(err)
	}
	s.OnMessage(func(websocket.Message) {})
	var failed *websocket.EventError
	if _, err = s.Request(t.Context(), "say", in{}); !errors.As(err, &failed) || failed.Errors == nil {
		t.Errorf("invalid: %v", err)
	}
	if _, err = s.Request(t.Context(), "say", in{"fail"}); !errors.As(err, &failed) || failed.Message != "taken" {
		t.Errorf("refused: %v", err)
	}
	if _, err = s.Request(t.Context(), "say", in{"x"}); err != nil {
		t.Error(err)
	}
}

func TestARuleThatPanicsForAnEventIsAnsweredAndNamed(t *testing.T) {
	var log logBuffer
	app := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	app.EnableWebSocket(websocket.Options{})
	type in struct {
		V any `json:"v" validate:"omitempty,min=1"`
	}
	app.WS("/", func(s *websocket.Socket, c *Context) error {
		websocket.Handle(s, "e", func(context.Context, *websocket.Socket, in) (string, error) { return "fine", nil })
		return nil
	})
	s, err := dial(t, served(t, app).URL, "/")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range [][2]string{{"true", `"message":"internal error"`}, {`"x"`, `"fine"`}} {
		s.SendText(`{"type":"event","event":"e","id":1,"data":[{"v":` + tt[0] + `}]}`)
		if got := receive(t, s); !strings.Contains(got, tt[1]) {
			t.Errorf("%s: %s, want %s", tt[0], got, tt[1])
		}
	}
	if !strings.Contains(log.String(), "the field V of") {
		t.Errorf("log %s", &log)
	}
}

func TestWSBeforeEnableWebSocketNamesTheMissingLine(t *testing.T) {
	defer func() {
		if s, _ := recover().(string); !strings.Contains(s, "app.EnableWebSocket(websocket.Options{})") {
			t.Fatalf("panic %q", s)
		}
	}()
	New().WS("/", func(*websocket.Socket, *Context) error { return nil })
}

func TestAMountedAppKeepsItsSockets(t *testing.T) {
	sub := New()
	sub.EnableWebSocket(websocket.Options{})
	sub.WS("/echo", func(s *websocket.Socket, _ *Context) error { return s.Send("sub") })
	app := New()
	app.Mount("/sub", sub)
	s, err := dial(t, served(t, app).URL, "/sub/echo")
	if err != nil {
		t.Fatal(err)
	}
	if got := receive(t, s); got != "sub" {
		t.Fatalf("got %q", got)
	}
}

func TestSocketsThatAreCutAreAnErrorOfShutdown(t *testing.T) {
	app := New()
	app.EnableWebSocket(websocket.Options{})
	release := make(chan bool)
	app.WS("/", func(s *websocket.Socket, _ *Context) error {
		<-release
		return nil
	})
	srv := apptest.Serve(app)
	defer srv.Close()
	if _, err := dial(t, srv.URL, "/"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := app.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
}

// What a handler says with a status of its own, its peer hears as 4000 and the
// status; what is our failure is 1011, and tells nothing.
func TestAnHTTPErrorOfASocketHandlerIsItsCloseCode(t *testing.T) {
	for _, tt := range []struct {
		name   string
		err    error
		code   websocket.StatusCode
		reason string
	}{
		{"not found", NewError(404, "no such room"), 4404, "no such room"},
		{"without a message", NewError(403), 4403, "Forbidden"},
		{"wrapped", fmt.Errorf("join: %w", NewError(409, "full")), 4409, "full"},
		{"with a cause", NewError(400, "bad").WithCause(errors.New("secret")), 4400, "bad"},
		{"the server's failure", NewError(503, "database is down"), 1011, "internal error"},
		{"another error", errors.New("secret"), 1011, "internal error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			app := New(Options{Logger: slog.New(slog.DiscardHandler)})
			app.EnableWebSocket(websocket.Options{})
			app.WS("/", func(*websocket.Socket, *Context) error { return tt.err })
			s, err := dial(t, served(t, app).URL, "/")
			if err != nil {
				t.Fatal(err)
			}
			var end *websocket.CloseError
			if _, err := s.Receive(t.Context()); !errors.As(err, &end) || end.Code != tt.code || end.Reason != tt.reason {
				t.Errorf("closed with %v, want %d %q", err, tt.code, tt.reason)
			}
		})
	}
}
