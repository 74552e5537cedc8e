package nextrushtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

// seen is what a handler says of the request that it got.
type seen struct {
	Method, Type, Body, Auth, Host string
}

func mirror() *nextrush.App {
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	app.Any("/mirror", func(c *nextrush.Context) error {
		body, err := c.Body()
		if err != nil {
			return err
		}
		return c.SetHeader("X-Seen", c.Method()).JSON(seen{c.Method(), c.Header("Content-Type"), string(body), c.Header("Authorization"), c.Host()})
	})
	app.Post("/files", func(c *nextrush.Context) error {
		file, err := c.FormFile("picture")
		if err != nil {
			return err
		}
		f, err := file.Open()
		if err != nil {
			return err
		}
		defer f.Close()
		content, err := io.ReadAll(f)
		if err != nil {
			return err
		}
		return c.Text(c.Request().FormValue("title") + " " + file.Filename + " " + file.Header.Get("Content-Type") + " " + string(content))
	})
	app.Post("/login", func(c *nextrush.Context) error {
		return c.SetCookie(&http.Cookie{Name: "user", Value: "ann", Secure: true, Path: "/"}).NoContent()
	})
	app.Get("/me", func(c *nextrush.Context) error { return c.Text(c.Cookie("user")) })
	app.WS("/ws", func(s *websocket.Socket, c *nextrush.Context) error {
		return s.Send(c.Host() + " " + c.Header("Authorization") + " " + c.Header("X-Own") + " " + c.Cookie("user"))
	})
	return app
}

func TestBodiesAreSentAsTheirTypeSays(t *testing.T) {
	c := nextrushtest.New(t, mirror())
	for _, tt := range []struct {
		body       any
		sent, kind string
	}{
		{nil, "", ""},
		{"a=1", "a=1", "application/x-www-form-urlencoded"},
		{url.Values{"a": {"b c"}}, "a=b+c", "application/x-www-form-urlencoded"},
		{json.RawMessage(`{"a":`), `{"a":`, "application/json"},
		{[]byte("raw"), "raw", "application/octet-stream"},
		{strings.NewReader("raw"), "raw", "application/octet-stream"},
		{map[string]int{"a": 1}, `{"a":1}`, "application/json"},
	} {
		c.Post("/mirror", tt.body).WantStatus(200).WantJSON(seen{"POST", tt.kind, tt.sent, "", "app.test"})
	}
	c.With("Content-Type", "text/csv").Post("/mirror", "a,b").WantJSON(seen{"POST", "text/csv", "a,b", "", "app.test"})
}

func TestEachMethodHasAName(t *testing.T) {
	c := nextrushtest.New(t, mirror())
	for method, got := range map[string]*nextrushtest.Response{
		"GET": c.Get("/mirror"), "HEAD": c.Head("/mirror"), "POST": c.Post("/mirror", nil), "PUT": c.Put("/mirror", nil),
		"PATCH": c.Patch("/mirror", nil), "DELETE": c.Delete("/mirror"), "OPTIONS": c.Options("/mirror"),
	} {
		got.WantStatus(200).WantHeader("X-Seen", method).WantHeader("X-None", "")
	}
}

func TestWithAddsToACopy(t *testing.T) {
	c := nextrushtest.New(t, mirror())
	ann := c.With("Authorization", "Bearer x").With("Host", "api.test")
	ann.Get("/mirror").WantJSON(`{"Auth": "Bearer x", "Method": "GET", "Type": "", "Body": "", "Host": "api.test"}`)
	c.Get("/mirror").WantJSON(seen{Method: "GET", Host: "app.test"})
	ann.With("Authorization", "").Get("/mirror").WantJSON(seen{Method: "GET", Host: "api.test"})
}

func TestFilesAreSentAsForms(t *testing.T) {
	c := nextrushtest.New(t, mirror())
	form := nextrushtest.Multipart{}.Field("title", "Cat")
	c.Post("/files", form.File("picture", "a.png", []byte("png"))).WantStatus(200).WantText("Cat a.png image/png png")
	c.Post("/files", form).WantStatus(400)
}

func TestCookiesAreKeptPerBrowser(t *testing.T) {
	c := nextrushtest.New(t, mirror())
	ann, other := c.WithCookies(), c.WithCookies()
	ann.Post("/login", nil).WantStatus(204)
	ann.Get("/me").WantText("ann")
	ann.With("X-Own", "1").Get("/me").WantText("ann")
	other.Get("/me").WantText("")
	c.Post("/login", nil).WantStatus(204)
	c.Get("/me").WantText("")
}

func TestSocketsHaveTheClientsHeaderAndCookies(t *testing.T) {
	c := nextrushtest.New(t, mirror()).WithCookies().With("Authorization", "Bearer x").With("Host", "api.test")
	c.Post("/login", nil)
	c.Dial("/ws", &websocket.DialOptions{Header: http.Header{"X-Own": {"1"}}}).Expect("api.test Bearer x 1 ann")
	c.With("Authorization", "").Dial("/ws").Expect("api.test   ann")
}

// failing notes what a test says, and goes on.
type failing struct {
	testing.TB
	said []string
}

func (f *failing) Helper()                   {}
func (f *failing) Errorf(s string, _ ...any) { f.said = append(f.said, s) }
func (f *failing) Error(...any)              { f.said = append(f.said, "error") }

func TestWhatIsNotAsWantedFailsTheTestOfFor(t *testing.T) {
	f := &failing{TB: t}
	r := nextrushtest.New(t, mirror()).For(f).Get("/mirror")
	r.WantStatus(200).WantHeader("X-Seen", "GET")
	if len(f.said) != 0 {
		t.Error(f.said)
	}
	r.WantStatus(404).WantHeader("X-Seen", "PUT").WantText("x").WantJSON("{}").WantJSON("{").WantJSON(func() {})
	if len(f.said) != 6 {
		t.Errorf("%d failures: %q", len(f.said), f.said)
	}
}

// flood sends until the queue of a socket that does not read is full.
func flood(opts websocket.Options, full chan<- error) func() *nextrush.App {
	return func() *nextrush.App {
		app := nextrush.New()
		app.EnableWebSocket(opts)
		app.WS("/flood", func(s *websocket.Socket, _ *nextrush.Context) error {
			s.OnMessage(func(websocket.Message) {
				for {
					if err := s.Send(strings.Repeat("x", 1000)); err != nil {
						full <- err
						return
					}
				}
			})
			return nil
		})
		return app
	}
}

func TestASlowReaderIsFelt(t *testing.T) {
	full := make(chan error, 1)
	opts := websocket.Options{SendQueue: 100_000, PingInterval: -1}
	nextrushtest.EachDriver(t, flood(opts, full), func(t *testing.T, c *nextrushtest.Client) {
		s := c.Dial("/flood")
		s.Hold()
		s.Send("go")
		if err := <-full; err == nil {
			t.Error("no error")
		}
		s.Release()
		for { // what was queued before, then the close
			m, err := s.Receive(t.Context())
			if err != nil {
				break
			}
			if len(m.Bytes()) != 1000 {
				t.Fatalf("a message of %d bytes", len(m.Bytes()))
			}
		}
		s.ExpectClose(websocket.StatusTryAgainLater)
	})
}

func TestWhatIsHeldArrivesLater(t *testing.T) {
	nextrushtest.EachDriver(t, mirrorSockets, func(t *testing.T, c *nextrushtest.Client) {
		s, other := c.Dial("/echo"), c.Dial("/echo")
		s.Hold()
		s.Send("a")
		s.Send("b")
		other.Send("c")
		other.Expect("c")
		s.Release()
		s.Expect("a")
		s.Expect("b")
	})
}

func mirrorSockets() *nextrush.App { return app(websocket.Options{}) }

func TestAHeldSocketCanBeClosedAndCut(t *testing.T) {
	nextrushtest.EachDriver(t, mirrorSockets, func(t *testing.T, c *nextrushtest.Client) {
		s, cut := c.Dial("/echo"), c.Dial("/echo")
		s.Hold()
		cut.Hold()
		cut.Disconnect()
	})
}

func TestAHeldSocketDoesNotAnswerPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan websocket.StatusCode, 1)
		app := nextrush.New()
		app.EnableWebSocket(websocket.Options{})
		app.WS("/", func(s *websocket.Socket, _ *nextrush.Context) error {
			s.OnClose(func(code websocket.StatusCode, _ string) { gone <- code })
			return nil
		})
		s := nextrushtest.New(t, app).Dial("/", &websocket.DialOptions{Options: websocket.Options{PingInterval: -1}})
		s.Hold()
		<-gone // after the pings that nobody answers
	})
}

// What came before a reply does not keep it from being read, and is still there.
func TestARequestReadsPastWhatHasNotBeenRead(t *testing.T) {
	nextrushtest.EachDriver(t, func() *nextrush.App {
		app := nextrush.New()
		app.EnableWebSocket(websocket.Options{})
		app.WS("/", func(s *websocket.Socket, c *nextrush.Context) error {
			websocket.Handle(s, "double", func(_ context.Context, s *websocket.Socket, n int) (int, error) {
				s.Send("working")
				return 2 * n, nil
			})
			return errors.Join(s.Send("welcome"), s.Emit("news", 1))
		})
		return app
	}, func(t *testing.T, c *nextrushtest.Client) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		s := c.Dial("/")
		for n := range 3 {
			if got, err := websocket.Ask[int, int](ctx, s, "double", n); got != 2*n || err != nil {
				t.Fatalf("got %d, %v", got, err)
			}
		}
		s.Expect("welcome")
		s.ExpectEvent("news", nil)
		for range 3 {
			s.Expect("working")
		}
		s.Send("bye")
		if _, err := s.Request(ctx, "nobody"); err == nil {
			t.Error("an event that nobody handles has a reply")
		}
		s.Disconnect()
		if _, err := s.Request(ctx, "double", 1); !errors.Is(err, websocket.ErrClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// A test may end before its App is served.
func TestATestThatAsksNothingPasses(t *testing.T) {
	for range 200 {
		t.Run("", func(t *testing.T) { nextrushtest.New(t, app(websocket.Options{})) })
	}
}
