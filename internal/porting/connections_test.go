package porting

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

// mux serves a handler at /ws of a ServeMux, over TCP, as a program does that has no App.
func mux(t *testing.T, srv *websocket.Server, ws http.HandlerFunc) (url string) {
	t.Helper()
	m := http.NewServeMux()
	m.HandleFunc("/ws", ws)
	server := httptest.NewServer(m)
	t.Cleanup(func() {
		srv.Close()
		server.Close()
	})
	return server.URL + "/ws"
}

// upgrading serves sockets with a handler.
func upgrading(t *testing.T, h func(*websocket.Socket) error) (url string) {
	t.Helper()
	srv := websocket.NewServer(websocket.Options{})
	return mux(t, srv, func(w http.ResponseWriter, r *http.Request) { srv.Upgrade(w, r, h) })
}

func dial(t *testing.T, url string) *websocket.Socket {
	t.Helper()
	s, err := websocket.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(websocket.StatusNormalClosure, "") })
	return s
}

func expect(t *testing.T, s *websocket.Socket, texts ...string) {
	t.Helper()
	for _, want := range texts {
		if got := next(t, s); got.Text() != want {
			t.Fatalf("got %q, want %q", got.Text(), want)
		}
	}
}

func next(t *testing.T, s *websocket.Socket) websocket.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	m, err := s.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// writeCounter counts what is written to its connections.
type writeCounter struct {
	net.Listener
	writes *atomic.Int64
}

func (l writeCounter) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return countedConn{conn, l.writes}, err
}

type countedConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never ", what)
		}
	}
}

// held opens a socket that reads nothing and answers nothing, and tells how it ends.
func held(t *testing.T, opts websocket.Options) (s *nextrushtest.Socket, ended <-chan websocket.StatusCode) {
	t.Helper()
	codes := make(chan websocket.StatusCode, 1)
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
	app.EnableWebSocket(opts)
	app.WS("/", func(s *websocket.Socket, _ *nextrush.Context) error {
		s.OnClose(func(code websocket.StatusCode, _ string) { codes <- code })
		s.OnMessage(func(websocket.Message) { s.SendBinary(make([]byte, 16<<20)) })
		return nil
	})
	s = nextrushtest.Listen(t, app).Dial("/", &websocket.DialOptions{Options: websocket.Options{PingInterval: -1}})
	s.Hold()
	return s, codes
}

// What those do who bring connections of gorilla/websocket and its like, without an App.
func TestPortedConnections(t *testing.T) {
	rows{
		"upgrade": func(t *testing.T) {
			type key struct{}
			returned := make(chan bool)
			srv := websocket.NewServer(websocket.Options{})
			url := mux(t, srv, func(w http.ResponseWriter, r *http.Request) {
				defer close(returned)
				r = r.WithContext(context.WithValue(r.Context(), key{}, "ann"))
				err := srv.Upgrade(w, r, func(s *websocket.Socket) error {
					<-returned
					<-r.Context().Done()
					return errors.Join(s.Context().Err(), s.Send(s.Context().Value(key{})))
				})
				if err != nil {
					t.Error(err)
				}
			})
			expect(t, dial(t, url), "ann")
		},
		"refusals": func(t *testing.T) {
			srv := websocket.NewServer(websocket.Options{VerifyClient: func(r *http.Request) error {
				if r.FormValue("user") == "" {
					return &websocket.HandshakeError{Status: 401, Message: "log in"}
				}
				return nil
			}})
			url := mux(t, srv, func(w http.ResponseWriter, r *http.Request) {
				h, err := srv.Accept(w, r)
				if e, ok := errors.AsType[*websocket.HandshakeError](err); ok {
					w.WriteHeader(e.Status)
					json.NewEncoder(w).Encode(said{e.Message})
					return
				}
				h.Socket().Set("user", r.FormValue("user"))
				h.Open(func(s *websocket.Socket) error { return s.Send(s.Get("user")) })
			})
			_, err := websocket.Dial(t.Context(), url, nil)
			if e, ok := errors.AsType[*websocket.HandshakeError](err); !ok || e.Status != 401 || string(e.Body) != `{"text":"log in"}`+"\n" {
				t.Error(err)
			}
			expect(t, dial(t, url+"?user=ann"), "ann")
		},
		"messages": func(t *testing.T) {
			kept := make(chan websocket.Message, 3)
			url := upgrading(t, func(s *websocket.Socket) error {
				s.OnMessage(func(m websocket.Message) {
					kept <- m.Clone()
					var in said
					if m.Type == websocket.Binary {
						s.Send(len(m.Bytes()))
					} else if err := m.JSON(&in); err != nil {
						s.Send("no JSON")
					} else {
						s.Send(in.Text)
					}
				})
				return nil
			})
			s := dial(t, url)
			s.SendJSON(said{"hi"})
			s.Send("oops") // which closes nothing
			s.SendBinary([]byte{1, 2, 3})
			expect(t, s, "hi", "no JSON", "3")
			for _, want := range []string{`{"text":"hi"}`, "oops", "\x01\x02\x03"} {
				if got := (<-kept).Text(); got != want {
					t.Errorf("kept %q, want %q", got, want)
				}
			}
		},
		"read loop": func(t *testing.T) {
			ended := make(chan error, 1)
			url := upgrading(t, func(s *websocket.Socket) error {
				for {
					ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
					m, err := s.Receive(ctx)
					cancel()
					switch {
					case err == nil:
						s.SendMessage(m)
					case errors.Is(err, context.DeadlineExceeded):
						s.Send("late")
					default:
						ended <- err
						return err
					}
				}
			})
			s := dial(t, url)
			expect(t, s, "late", "late")
			s.Send("hi")
			for next(t, s).Text() != "hi" { // behind others that were late
			}
			s.Close(websocket.StatusNormalClosure, "bye")
			e, ok := errors.AsType[*websocket.CloseError](<-ended)
			if !ok || e.Code != websocket.StatusNormalClosure || e.Reason != "bye" || !e.Remote {
				t.Error(e)
			}
		},
		"sending": func(t *testing.T) {
			const senders, each = 8, 100
			type tick struct{ From, N int }
			url := upgrading(t, func(s *websocket.Socket) error {
				s.SendText("text")
				s.SendBinary([]byte("bytes"))
				s.Send([]byte("bytes"))
				s.SendJSON([]int{1})
				for i := range senders { // without a lock around the socket
					go func() {
						for n := range each {
							s.SendJSON(tick{i, n})
						}
					}()
				}
				return nil
			})
			s := dial(t, url)
			for _, want := range []websocket.MessageType{websocket.Text, websocket.Binary, websocket.Binary, websocket.Text} {
				if m := next(t, s); m.Type != want {
					t.Errorf("%q is %s", m.Text(), m.Type)
				}
			}
			var ns [senders]int
			for range senders * each {
				var got tick
				if err := next(t, s).JSON(&got); err != nil || got.N != ns[got.From] {
					t.Fatalf("%+v, want number %d, %v", got, ns[got.From], err)
				}
				ns[got.From]++
			}
		},
		"those that a filter picks": func(t *testing.T) {
			srv := websocket.NewServer(websocket.Options{})
			url := mux(t, srv, func(w http.ResponseWriter, r *http.Request) {
				admin := r.FormValue("admin") != ""
				srv.Upgrade(w, r, func(s *websocket.Socket) error {
					s.Set("admin", admin)
					return s.Send("welcome")
				})
			})
			ann, bob := dial(t, url+"?admin=1"), dial(t, url)
			expect(t, ann, "welcome")
			expect(t, bob, "welcome")
			p, err := websocket.Prepare("for admins")
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range srv.Sockets() {
				if admin, _ := websocket.Value[bool](s, "admin"); admin {
					s.SendPrepared(p)
				}
			}
			srv.All().Send("for all")
			expect(t, ann, "for admins", "for all")
			expect(t, bob, "for all")
		},
		"many messages in one write": func(t *testing.T) {
			const messages = 100
			var writes atomic.Int64
			srv := websocket.NewServer(websocket.Options{})
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				srv.Upgrade(w, r, func(s *websocket.Socket) error {
					s.OnMessage(func(m websocket.Message) {
						writes.Store(0)
						for range messages {
							s.SendMessage(m)
						}
					})
					return nil
				})
			}))
			server.Listener = writeCounter{server.Listener, &writes}
			server.Start()
			t.Cleanup(func() {
				srv.Close()
				server.Close()
			})
			s := dial(t, server.URL)
			s.Send("hi")
			for range messages {
				expect(t, s, "hi")
			}
			if n := writes.Load(); n == 0 || n > messages/10 {
				t.Errorf("%d writes", n)
			}
		},
		"a peer that does not read": func(t *testing.T) {
			s, ended := held(t, websocket.Options{WriteTimeout: 100 * time.Millisecond, PingInterval: -1})
			s.Send("send me more than fits")
			if code := <-ended; code != websocket.StatusAbnormalClosure {
				t.Errorf("ended with %d", code)
			}
		},
		"a peer that does not answer pings": func(t *testing.T) {
			_, ended := held(t, websocket.Options{PingInterval: 50 * time.Millisecond, PongTimeout: 50 * time.Millisecond})
			if code := <-ended; code != websocket.StatusAbnormalClosure {
				t.Errorf("ended with %d", code)
			}
		},
		"pings": func(t *testing.T) {
			url := upgrading(t, func(s *websocket.Socket) error {
				s.OnPing(func(b []byte) { s.Send("ping " + string(b)) })
				s.OnPong(func(b []byte) { s.Send("pong " + string(b)) })
				return s.Ping([]byte("a"))
			})
			s, answered := dial(t, url), make(chan string, 1)
			s.OnPong(func(b []byte) { answered <- string(b) })
			expect(t, s, "pong a")
			s.Ping([]byte("b"))
			expect(t, s, "ping b")
			if got := <-answered; got != "b" {
				t.Errorf("a pong with %q", got)
			}
		},
		"hub": func(t *testing.T) {
			srv := websocket.NewServer(websocket.Options{})
			url := mux(t, srv, func(w http.ResponseWriter, r *http.Request) {
				srv.Upgrade(w, r, func(s *websocket.Socket) error {
					s.OnMessage(func(m websocket.Message) {
						srv.All().Send(m)
						s.To("tea").Send("somebody spoke")
					})
					return errors.Join(s.Join("tea"), s.Send("welcome"))
				})
			})
			ann, bob := dial(t, url), dial(t, url)
			expect(t, ann, "welcome")
			expect(t, bob, "welcome")
			ann.Send("hi")
			expect(t, ann, "hi")
			expect(t, bob, "hi", "somebody spoke")
			srv.To("tea").Send("tea is ready")
			expect(t, ann, "tea is ready")
			expect(t, bob, "tea is ready")
			bob.Close(websocket.StatusNormalClosure, "")
			eventually(t, "one alone", func() bool { return srv.Stats().Connections == 1 && len(srv.SocketsIn("tea")) == 1 })
			ann.Close(websocket.StatusNormalClosure, "")
			eventually(t, "nobody", func() bool { return srv.Stats().Connections == 0 && len(srv.Rooms()) == 0 })
		},
		"only sending": func(t *testing.T) {
			var senders sync.WaitGroup
			cause := make(chan error, 1)
			url := upgrading(t, func(s *websocket.Socket) error {
				senders.Go(func() {
					for s.Context().Err() == nil {
						s.Send("tick")
						time.Sleep(time.Millisecond)
					}
					cause <- context.Cause(s.Context())
				})
				return nil
			})
			s := dial(t, url)
			for range 100 { // more than the server keeps of what nobody takes
				s.Send(strings.Repeat("x", 1000))
			}
			expect(t, s, "tick", "tick")
			s.Close(websocket.StatusNormalClosure, "")
			senders.Wait()
			if e, ok := errors.AsType[*websocket.CloseError](<-cause); !ok || e.Code != websocket.StatusNormalClosure {
				t.Error(e)
			}
		},
	}.run(t)
}
