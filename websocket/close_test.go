package websocket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// endings are the ways in which an open socket ends; say "fail", "panic" or
// "close" to the handler of a socket that is served by ending.
var endings = map[string]func(st *site, s *Socket, peer *raw){
	"closed by us": func(_ *site, s *Socket, peer *raw) {
		s.Close(StatusNormalClosure, "")
		peer.expectClose(StatusNormalClosure)
	},
	"closed by the peer": func(_ *site, _ *Socket, peer *raw) {
		peer.write(client("1 000 1000", closePayload(1000, "")))
		peer.expectClose(StatusNormalClosure)
	},
	"lost":                func(_ *site, _ *Socket, peer *raw) { peer.conn.Close() },
	"reset":               func(_ *site, _ *Socket, peer *raw) { peer.reset() },
	"cut with all others": func(st *site, _ *Socket, _ *raw) { st.srv.Close() },
	"ended by a panic":    func(_ *site, _ *Socket, peer *raw) { peer.say("panic"); peer.expectClose(StatusInternalError) },
	"ended by a broken rule": func(_ *site, _ *Socket, peer *raw) {
		peer.write(unmasked("1 000 0001", "x"))
		peer.expectClose(StatusProtocolError)
	},
	"drained": func(st *site, _ *Socket, peer *raw) {
		go st.srv.Shutdown(context.Background())
		peer.expectClose(StatusGoingAway)
	},
}

// Who is told that a socket has ended finds it nowhere any more, and can ask in
// which rooms it was.
func TestASocketHasLeftEverythingWhenItsEndIsTold(t *testing.T) {
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, n network) {
				for range 20 {
					if !tellsAfterLeaving(t, n, end) {
						return
					}
				}
			})
		})
	}
}

func tellsAfterLeaving(t *testing.T, n network, end func(*site, *Socket, *raw)) bool {
	var st *site
	opened, told := make(chan *Socket, 1), make(chan bool)
	look := func(where string, s *Socket) {
		srv := s.ns.srv
		if slices.Contains(srv.SocketsIn("room"), s) || slices.Contains(srv.Rooms(), "room") {
			t.Errorf("%s: it is in its room", where)
		}
		if slices.Contains(srv.Sockets(), s) || srv.Socket(s.ID()) != nil || srv.Stats().Connections != 0 {
			t.Errorf("%s: it is among the server's sockets", where)
		}
		if got := s.Rooms(); !slices.Equal(got, []string{"room"}) {
			t.Errorf("%s: it was in %q", where, got)
		}
	}
	opts := Options{Logger: quiet, DrainWindow: -1, OnDisconnect: func(s *Socket, _ StatusCode, _ string) {
		look("OnDisconnect", s)
		close(told)
	}}
	st = n.serve(t, opts, func(s *Socket) error {
		s.OnMessage(func(Message) { panic("as told") })
		s.OnClose(func(StatusCode, string) { look("OnClose", s) })
		if err := s.Join("room"); err != nil {
			t.Error(err)
		}
		opened <- s
		return nil
	})
	peer := st.raw(t)
	end(st, wait(t, opened, "the handler"), peer)
	wait(t, told, "OnDisconnect")
	peer.conn.Close()
	st.close()
	return !t.Failed()
}

// However long a peer takes to read, as long as it reads, what was queued before
// the close frame arrives, and the close frame behind it.
func TestCloseTimeoutBeginsWithTheCloseFrame(t *testing.T) {
	const size = 20 << 20
	closing := func(s *Socket) error { return s.Close(StatusNormalClosure, "done") }
	for name, c := range map[string]struct {
		end  func(*site, *Socket) error
		code StatusCode
	}{
		"Close":             {func(_ *site, s *Socket) error { return closing(s) }, StatusNormalClosure},
		"a handler's error": {func(*site, *Socket) error { return &CloseError{Code: 4000} }, 4000},
		"Shutdown": {func(st *site, s *Socket) error {
			go st.srv.Shutdown(context.Background())
			return nil
		}, StatusGoingAway},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, n network) {
				var st *site
				opts := Options{CloseTimeout: 50 * time.Millisecond, DrainWindow: -1, PingInterval: -1, Logger: quiet}
				queued, told := make(chan *Socket, 1), make(chan end, 1)
				ready := make(chan bool)
				st = n.serve(t, opts, func(s *Socket) error {
					<-ready
					s.OnClose(func(code StatusCode, reason string) { told <- end{code, reason} })
					if err := s.SendBinary(make([]byte, size)); err != nil {
						t.Error(err)
					}
					queued <- s
					return c.end(st, s)
				})
				close(ready)
				peer := st.connect(t)
				peer.shake()
				s := wait(t, queued, "the handler")
				eventually(t, "the close", func() bool { return s.State() != StateOpen })
				outlast(t, opts.CloseTimeout)
				go peer.read(peer.reader)
				peer.expect(wire.OpBinary, string(make([]byte, size)))
				peer.expectClose(c.code)
				if got := wait(t, told, "OnClose"); got.code != c.code {
					t.Errorf("OnClose got %v", got)
				}
			})
		})
	}
}

// A peer that broke a rule is told so behind what was queued before.
func TestLingeringBeginsWithTheCloseFrame(t *testing.T) {
	const size = 20 << 20
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, Options{PingInterval: -1, Logger: quiet}, func(s *Socket) error {
			s.OnMessage(func(Message) { s.SendBinary(make([]byte, size)) })
			return nil
		})
		peer := st.connect(t)
		peer.shake()
		go peer.write(client("1 000 0001", "go"), unmasked("1 000 0001", "x"))
		eventually(t, "the close", func() bool {
			list := st.srv.Sockets()
			return len(list) == 1 && list[0].State() == StateClosing
		})
		outlast(t, time.Second)
		go peer.read(peer.reader)
		peer.expect(wire.OpBinary, string(make([]byte, size)))
		peer.expectClose(StatusProtocolError)
	})
}

// outlast returns when a socket that was closed now, and whose peer does not
// answer, has been cut for that: everything that began earlier, and takes no
// longer, is over.
func outlast(t *testing.T, d time.Duration) {
	t.Helper()
	_, _, s, told := meet(t, overTCP, Options{CloseTimeout: d})
	s.Close(StatusNormalClosure, "")
	wait(t, told, "the end of another socket's CloseTimeout")
}

// A handler that passes on how another socket ended has a code that must not be
// sent (RFC 6455 section 7.4.1); its own socket closes all the same.
func TestACloseErrorThatMustNotBeSentClosesWith1011(t *testing.T) {
	for _, code := range []StatusCode{1, 42, 999, 1004, 1006, 1015, 2999, 5000} {
		err := &CloseError{Code: code, Reason: "secret"}
		for name, h := range map[string]func(*Socket) error{
			"the handler": func(*Socket) error { return err },
			"wrapped":     func(*Socket) error { return errors.Join(errors.New("upstream"), err) },
			"an event": func(s *Socket) error {
				On(s, "e", func(*Socket, any) error { return err })
				return nil
			},
		} {
			t.Run(fmt.Sprint(name, " ", code), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { // time passes at once where nothing happens
					st := inMemory.serve(t, Options{Logger: quiet, PingInterval: -1}, h)
					peer := st.raw(t)
					peer.write(client("1 000 0001", `{"type":"event","event":"e","id":1}`))
					time.AfterFunc(soon, func() { peer.conn.Close() })
					peer.expectClose(StatusInternalError)
					st.settle(peer)
				})
			})
		}
	}
}

// An empty close frame stands for 1005, whoever sends it.
func TestCloseWithoutACodeIsToldAs1005(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st, peer, s, told := meet(t, n, Options{})
		if err := s.Close(0, ""); err != nil {
			t.Fatal(err)
		}
		peer.expectClose(StatusNoStatusRcvd)
		if got := wait(t, told, "OnClose"); got.code != StatusNoStatusRcvd {
			t.Errorf("OnClose got %v", got)
		}
		if got := st.srv.Stats().Closes; got[StatusNoStatusRcvd] != 1 || got[0] != 0 {
			t.Errorf("counted %v", got)
		}
	})
}

// Whoever sends while a peer goes is told that the socket has closed, and no more.
func TestSendBesideTheEnd(t *testing.T) {
	for name, end := range map[string]func(*raw, *Socket){
		"reset":        func(peer *raw, _ *Socket) { peer.reset() },
		"lost":         func(peer *raw, _ *Socket) { peer.conn.Close() },
		"closed by us": func(_ *raw, s *Socket) { s.Close(StatusNormalClosure, "") },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, n network) {
				opened := make(chan *Socket, 1)
				st := n.serve(t, Options{Logger: quiet, CloseTimeout: 50 * time.Millisecond}, func(s *Socket) error { opened <- s; return nil })
				for range 200 {
					peer := st.raw(t)
					s := wait(t, opened, "the handler")
					closed := make(chan bool)
					go func() {
						defer close(closed)
						callOne(t, "Send", func() {
							for s.SendText("text") == nil {
							}
						})
					}()
					end(peer, s)
					waitFor(t, closed, soon, "ErrClosed")
					peer.conn.Close()
					if t.Failed() {
						return
					}
				}
			})
		})
	}
}

// A server that closes at once resets the connection of a client that is sending. Its
// messages and its code have come before that.
func TestAClientThatSendsReadsWhyItIsClosed(t *testing.T) {
	const messages = 100
	for _, n := range []network{overTCP, portable} {
		t.Run(n.name, func(t *testing.T) {
			for range 20 {
				l, dial := n.listen(t)
				go closesAtOnce(l, messages)
				s, err := Dial(t.Context(), "ws://server.example/", &DialOptions{
					NetDial: func(context.Context, string, string) (net.Conn, error) { return dial() },
					Options: Options{DisablePolling: n.portable, SlowConsumer: DropNewest, CloseTimeout: soon},
				})
				if err != nil {
					t.Fatal(err)
				}
				var sending sync.WaitGroup
				sending.Go(func() {
					for err := error(nil); err == nil || errors.Is(err, ErrDropped); {
						err = s.Send("more")
					}
				})
				for i := range messages {
					if m, err := s.Receive(t.Context()); err != nil || m.Text() != fmt.Sprint(i) {
						t.Fatalf("message %d: %q, %v", i, m.Text(), err)
					}
				}
				var end *CloseError
				if _, err := s.Receive(t.Context()); !errors.As(err, &end) || end.Code != StatusPolicyViolation {
					t.Fatalf("the end is %v", err)
				}
				sending.Wait()
				l.Close()
			}
		})
	}
}

// closesAtOnce is a server that sends messages, closes with 1008, and reads nothing.
func closesAtOnce(l net.Listener, messages int) {
	conn, err := l.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	io.WriteString(conn, switching(r))
	var all []byte
	for i := range messages {
		all = wire.AppendFrame(all, wire.OpText, false, fmt.Append(nil, i))
	}
	time.Sleep(time.Millisecond) // the client has begun to send
	conn.Write(wire.AppendFrame(all, wire.OpClose, false, wire.AppendClose(nil, 1008, "")))
}

// wholeOnly is a listener whose connections cannot end one direction alone, as is that of
// golang.org/x/net/netutil.LimitListener.
type wholeOnly struct{ net.Listener }

func (l wholeOnly) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return struct{ net.Conn }{conn}, err
}

// Who floods is told so, and not reset, even if the connection cannot be ended in one
// direction. On a machine that stands still the time to linger may pass.
func TestABreachIsToldOverAnyConnection(t *testing.T) {
	whole := network{"tcp, ends as a whole", false, func(t testing.TB) (net.Listener, func() (net.Conn, error)) {
		l, dial := listenTCP(t)
		return wholeOnly{l}, dial
	}}
	for range 10 {
		if whole.takesAFlood(t) {
			return
		}
	}
	t.Error("connections are reset")
}

// takesAFlood reports whether the connection stays until the peer has sent all.
func (n network) takesAFlood(t *testing.T) bool {
	st := n.serve(t, Options{Logger: quiet, RateLimit: RateLimit{Messages: 1, Burst: 10}}, func(s *Socket) error {
		s.OnMessage(func(Message) {})
		return nil
	})
	defer st.close()
	peer := st.connect(t)
	peer.shake()
	for range 5000 {
		if !peer.write(client("1 000 0001", "again")) {
			return false
		}
	}
	f, err := readFrame(peer.reader)
	if err != nil || f.Op != wire.OpClose || string(f.payload[:2]) != closePayload(1008, "") {
		t.Fatalf("got %v, %v", f, err)
	}
	peer.hangUp(f.payload)
	return true
}
