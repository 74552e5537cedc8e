package auth_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/auth"
	"github.com/nextrush/nextrush/websocket"
)

type credentials struct {
	Token string `json:"token"`
}

// withSockets adds /ws, for users known before the 101, and /first, for those whose
// token is in the first message. Both greet, handle "refresh" and echo.
func withSockets(t *testing.T, a *auth.Plugin) *nextrush.App {
	t.Helper()
	app := appWith(t, a)
	app.EnableWebSocket(websocket.Options{Protocols: []string{auth.Subprotocol}, PingInterval: -1})
	serve := func(s *websocket.Socket) error {
		websocket.Handle(s, "refresh", func(_ context.Context, s *websocket.Socket, in credentials) (bool, error) {
			return true, a.Refresh(s, in.Token)
		})
		s.OnMessage(func(m websocket.Message) { s.Send("echo " + m.Text()) })
		return s.Send("hello " + auth.SocketUser(s).ID)
	}
	app.With(auth.Require()).WS("/ws", func(s *websocket.Socket, c *nextrush.Context) error {
		if auth.User(c) != auth.SocketUser(s) {
			t.Error("the context has another user than the socket")
		}
		return serve(s)
	})
	app.WS("/first", func(s *websocket.Socket, c *nextrush.Context) error {
		user, err := a.FirstMessage(s, 5*time.Second)
		if err != nil {
			return err
		}
		if user.ID != auth.SocketUser(s).ID {
			t.Error("the message names another user than the socket")
		}
		return serve(s)
	})
	return app
}

// wantClose wants the socket to be closed with 4401, after the time in.
func wantClose(t *testing.T, s *nextrushtest.Socket, in time.Duration, reason string) {
	t.Helper()
	since := time.Now()
	_, err := s.Receive(t.Context())
	var end *websocket.CloseError
	if !errors.As(err, &end) || end.Code != auth.StatusUnauthorized || end.Reason != reason {
		t.Errorf("got %v, want 4401 %q", err, reason)
	}
	// A token's times are whole seconds.
	if took := time.Since(since).Round(time.Second); took != in {
		t.Errorf("closed after %v, want %v", took, in)
	}
}

func TestSocketsAreOpenedWithATokenInAnyPlace(t *testing.T) {
	opts := withSecret()
	opts.Cookie = "token"
	a := auth.New(opts)
	c := nextrushtest.New(t, withSockets(t, a))
	token := issue(t, a, auth.Principal{ID: "ann"})
	for _, test := range []struct {
		name     string
		dial     websocket.DialOptions
		protocol string
	}{
		{"header", websocket.DialOptions{Header: http.Header{"Authorization": {"Bearer " + token}}}, ""},
		{"cookie", websocket.DialOptions{Header: http.Header{"Cookie": {"token=" + token}}}, ""},
		{"subprotocol", websocket.DialOptions{Protocols: []string{"bearer", token}}, "bearer"},
		{"subprotocol after another", websocket.DialOptions{Protocols: []string{"chat", "bearer", token}}, "bearer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := c.Dial("/ws", &test.dial)
			s.Expect("hello ann")
			if s.Protocol() != test.protocol {
				t.Errorf("protocol %q, want %q", s.Protocol(), test.protocol)
			}
			s.Send("hi")
			s.Expect("echo hi")
		})
	}
}

func TestSocketsWithoutAGoodTokenAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := withSecret()
		opts.Cookie = "token"
		a := auth.New(opts)
		c := nextrushtest.New(t, withSockets(t, a))
		token := issue(t, a, auth.Principal{ID: "ann"})
		for _, test := range []struct {
			name   string
			dial   websocket.DialOptions
			status int
		}{
			{"none", websocket.DialOptions{}, 401},
			{"bad header", websocket.DialOptions{Header: http.Header{"Authorization": {"Bearer x"}}}, 401},
			{"token without bearer", websocket.DialOptions{Protocols: []string{token}}, 401},
			{"token before bearer", websocket.DialOptions{Protocols: []string{token, "bearer"}}, 401},
			{"bearer without token", websocket.DialOptions{Protocols: []string{"bearer"}}, 401},
			{"bad token", websocket.DialOptions{Protocols: []string{"bearer", token[:len(token)-4] + "AAAA"}}, 401},
			{"cookie from another origin", websocket.DialOptions{Header: http.Header{"Cookie": {"token=" + token}, "Origin": {"https://evil.test"}}}, 403},
		} {
			if e := c.DialError("/ws", &test.dial); e.Status != test.status {
				t.Errorf("%s: %v", test.name, e)
			}
		}
	})
}

func TestTokenIsNeverEchoed(t *testing.T) {
	a := auth.New(withSecret())
	server := httptest.NewServer(withSockets(t, a))
	defer server.Close()
	token := issue(t, a, auth.Principal{ID: "ann"})
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: bearer, %s\r\n\r\n", token)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header["Sec-Websocket-Protocol"]; resp.StatusCode != 101 || len(got) != 1 || got[0] != "bearer" {
		t.Errorf("%d, protocol %q", resp.StatusCode, got)
	}
}

func TestBearerThatTheServerDoesNotAnswerNamesTheFix(t *testing.T) {
	a := auth.New(withSecret())
	var logged error
	app := nextrush.New(nextrush.Options{ErrorHandler: func(c *nextrush.Context, err error) {
		logged = err
		c.Status(500).Text("")
	}})
	app.Register(a)
	app.EnableWebSocket(websocket.Options{})
	app.WS("/ws", func(*websocket.Socket, *nextrush.Context) error { return nil })
	token := issue(t, a, auth.Principal{ID: "ann"})
	e := nextrushtest.New(t, app).DialError("/ws", &websocket.DialOptions{Protocols: []string{"bearer", token}})
	if e.Status != 500 || logged == nil || !strings.Contains(logged.Error(), "websocket.Options.Protocols") {
		t.Errorf("got %v, %v", e, logged)
	}
}

func TestSocketIsClosedWhenItsTokenExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := auth.New(withSecret())
		c := nextrushtest.New(t, withSockets(t, a))
		token := issue(t, a, auth.Principal{ID: "ann"})
		header := &websocket.DialOptions{Header: http.Header{"Authorization": {"Bearer " + token}}}
		s := c.Dial("/ws", header)
		s.Expect("hello ann")
		wantClose(t, s, 15*time.Minute, "the token has expired")
		if e := c.DialError("/ws", header); e.Status != 401 {
			t.Errorf("got %v", e)
		}
	})
}

func TestRefreshKeepsASocketOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := auth.New(withSecret())
		c := nextrushtest.New(t, withSockets(t, a))
		s := c.Dial("/ws", &websocket.DialOptions{Protocols: []string{"bearer", issue(t, a, auth.Principal{ID: "ann"})}})
		s.Expect("hello ann")
		refresh := func(token string) error {
			_, err := s.Request(t.Context(), "refresh", credentials{token})
			return err
		}
		time.Sleep(14 * time.Minute)
		if err := refresh(issue(t, a, auth.Principal{ID: "ann"})); err != nil {
			t.Error(err)
		}
		time.Sleep(14 * time.Minute) // the first token has expired
		s.Send("hi")
		s.Expect("echo hi")
		for name, token := range map[string]string{"bad": "x", "empty": "", "somebody else's": issue(t, a, auth.Principal{ID: "bob"})} {
			err := refresh(token)
			if err == nil || !strings.Contains(err.Error(), "the token is not valid") {
				t.Errorf("%s: %v", name, err)
			}
		}
		wantClose(t, s, time.Minute, "the token has expired")
	})
}

func TestFirstMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := auth.New(withSecret())
		c := nextrushtest.New(t, withSockets(t, a))
		token := issue(t, a, auth.Principal{ID: "ann"})

		s := c.Dial("/first")
		s.Send(credentials{token})
		s.Send("sent at once")
		s.Expect("hello ann")
		s.Expect("echo sent at once")
		if _, err := s.Request(t.Context(), "refresh", credentials{token}); err != nil {
			t.Error(err)
		}
		wantClose(t, s, 15*time.Minute, "the token has expired")

		wantClose(t, c.Dial("/first"), 5*time.Second, "no token came in time")
		for _, first := range []string{"hi", "{}", `{"token":7}`, `{"token":"x"}`, token} {
			s := c.Dial("/first")
			s.Send(first)
			wantClose(t, s, 0, "the token is not valid")
		}
		late := c.Dial("/first")
		late.Send(credentials{token})
		wantClose(t, late, 0, "the token has expired")

		known := c.Dial("/first", &websocket.DialOptions{Protocols: []string{"bearer", issue(t, a, auth.Principal{ID: "bob"})}})
		known.Expect("hello bob")
	})
}
