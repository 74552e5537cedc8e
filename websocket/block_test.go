package websocket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// marked is a header line that tells a test's handler which peer is meant.
const marked = "User-Agent: marked"

// gate blocks those who pass it until it opens.
type gate struct {
	entered chan *Socket
	open    chan struct{}
}

func newGate(t testing.TB) *gate {
	g := &gate{make(chan *Socket, 1000), make(chan struct{})}
	t.Cleanup(g.release)
	return g
}

func (g *gate) pass(s *Socket) {
	g.entered <- s
	<-g.open
}

func (g *gate) release() {
	select {
	case <-g.open:
	default:
		close(g.open)
	}
}

// More sockets than the engine may have goroutines that poll block in a
// callback; all others, old and new, are answered meanwhile.
func TestACallbackThatBlocksDelaysOnlyItsOwnSocket(t *testing.T) {
	end := func(peer *raw) { peer.write(client("1 000 1000", closePayload(1000, ""))) }
	for name, c := range map[string]struct {
		server  func(*Options, func(*Socket))
		arm     func(*Socket, func(*Socket))
		provoke func(*raw)
	}{
		"the handler": {arm: func(s *Socket, block func(*Socket)) { block(s) }},
		"OnConnection": {server: func(o *Options, block func(*Socket)) {
			o.OnConnection = func(s *Socket) { block(s) }
		}},
		"OnMessage": {
			arm:     func(s *Socket, block func(*Socket)) { s.OnMessage(func(Message) { block(s) }) },
			provoke: func(peer *raw) { peer.say("x") },
		},
		"an event's handler": {
			arm:     func(s *Socket, block func(*Socket)) { s.On("e", func(*Event) { block(s) }) },
			provoke: func(peer *raw) { peer.say(`{"type":"event","event":"e"}`) },
		},
		"OnPing": {
			arm:     func(s *Socket, block func(*Socket)) { s.OnPing(func([]byte) { block(s) }) },
			provoke: func(peer *raw) { peer.write(client("1 000 1001", "")) },
		},
		"OnPong": {
			arm:     func(s *Socket, block func(*Socket)) { s.OnPong(func([]byte) { block(s) }) },
			provoke: func(peer *raw) { peer.write(client("1 000 1010", "")) },
		},
		"OnError": {
			arm:     func(s *Socket, block func(*Socket)) { s.OnError(func(error) { block(s) }) },
			provoke: func(peer *raw) { peer.write(unmasked("1 000 0001", "x")) },
		},
		"OnError of the server": {
			server: func(o *Options, block func(*Socket)) {
				o.OnError = func(s *Socket, _ error) { block(s) }
			},
			provoke: func(peer *raw) { peer.write(unmasked("1 000 0001", "x")) },
		},
		"OnClose": {
			arm:     func(s *Socket, block func(*Socket)) { s.OnClose(func(StatusCode, string) { block(s) }) },
			provoke: end,
		},
		"OnDisconnect": {
			server: func(o *Options, block func(*Socket)) {
				o.OnDisconnect = func(s *Socket, _ StatusCode, _ string) { block(s) }
			},
			provoke: end,
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, n network) {
				g := newGate(t)
				block := func(s *Socket) {
					if s.UserAgent() == "marked" {
						g.pass(s)
					}
				}
				var opts Options
				if c.server != nil {
					c.server(&opts, block)
				}
				st := n.serve(t, opts, func(s *Socket) error {
					if c.arm != nil && s.UserAgent() == "marked" {
						c.arm(s, block)
						return nil
					}
					return echo(s)
				})
				var others []*raw
				for range 16 {
					others = append(others, st.raw(t))
				}
				for range 4*runtime.GOMAXPROCS(0) + 4 {
					peer := st.raw(t, marked)
					if c.provoke != nil {
						go c.provoke(peer)
					}
					wait(t, g.entered, "the callback")
				}
				others = append(others, st.raw(t))
				for i := range 5 {
					for j, o := range others {
						text := fmt.Sprint(i, j)
						o.say(text)
						o.expect(wire.OpText, text)
					}
				}
				g.release()
				st.raw(t).alive()
			})
		})
	}
}

// What waited for a blocked callback is handled when it returns, in order.
func TestMessagesWaitForTheCallback(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		g := newGate(t)
		st := n.serve(t, Options{}, func(s *Socket) error {
			s.OnMessage(func(m Message) {
				if m.Text() == "block" {
					g.pass(s)
				}
				s.SendMessage(m)
			})
			return nil
		})
		peer := st.raw(t)
		peer.say("block")
		wait(t, g.entered, "the callback")
		var all []byte
		for i := range 100 {
			all = append(all, client("1 000 0001", fmt.Sprint(i))...)
		}
		go peer.write(all)
		for range 4 * runtime.GOMAXPROCS(0) { // everybody who polls has polled again
			other := st.raw(t)
			other.alive()
			other.alive()
		}
		select {
		case f := <-peer.frames:
			t.Errorf("opcode %d %q came while the callback blocked", f.Op, f.payload)
		default:
		}
		g.release()
		peer.expect(wire.OpText, "block")
		for i := range 100 {
			peer.expect(wire.OpText, fmt.Sprint(i))
		}
	})
}

// What a callback has sent, to its own peer and to others, does not wait for
// its return; and others may send to the socket whose callback blocks.
func TestWhatACallbackSentLeavesWhileItBlocks(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		g := newGate(t)
		servers := make(chan *Server, 1)
		st := n.serve(t, Options{PingInterval: -1}, func(s *Socket) error {
			s.Join("room")
			s.OnMessage(func(Message) {
				srv := <-servers
				s.Ping([]byte("ping")) // would overtake the others
				s.Send("own")
				s.Broadcast("others")
				s.To("room").Send("room")
				srv.Broadcast("all")
				srv.To("room").Emit("event")
				g.pass(s)
				s.Send("after")
			})
			return nil
		})
		servers <- st.srv
		peer, other := st.raw(t), st.raw(t)
		eventually(t, "the start of both", func() bool { return len(st.srv.SocketsIn("room")) == 2 })
		peer.say("go")
		s := wait(t, g.entered, "the callback")
		peer.expect(wire.OpPing, "ping")
		for _, want := range []string{"own", "all"} {
			peer.expect(wire.OpText, want)
		}
		peer.event()
		for _, want := range []string{"others", "room", "all"} {
			other.expect(wire.OpText, want)
		}
		other.event()
		s.Send("from outside")
		peer.expect(wire.OpText, "from outside")
		st.srv.Broadcast("again")
		peer.expect(wire.OpText, "again")
		g.release()
		peer.expect(wire.OpText, "after")
	})
}

// A peer whose socket's callback blocks cannot send without end: its bytes
// stay where the system keeps them, not with us.
func TestABlockedCallbackPushesBack(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		g := newGate(t)
		st := n.serve(t, Options{}, func(s *Socket) error {
			s.OnMessage(func(Message) { g.pass(s) })
			return nil
		})
		peer := st.raw(t)
		peer.say("block")
		wait(t, g.entered, "the callback")
		flood := bytes.Repeat(client("1 000 0010", strings.Repeat("x", 1000)), 64)
		sent := 0
		for sent < 256<<20 {
			peer.conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			k, err := peer.conn.Write(flood)
			sent += k
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if sent >= 256<<20 {
			t.Error("the peer was never stopped")
		}
		if got := st.srv.Stats().BytesReceived; got > 64<<10 {
			t.Errorf("%d bytes were read for a socket whose callback blocks", got)
		}
		st.raw(t).alive()
	})
}

func TestShutdownAwaitsCallbacksUntilItsContextEnds(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		g := newGate(t)
		st, _, _, _ := meet(t, n, Options{CloseTimeout: 50 * time.Millisecond, OnDisconnect: func(s *Socket, _ StatusCode, _ string) { g.pass(s) }})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 2)
		go func() { done <- st.srv.Shutdown(ctx) }()
		wait(t, g.entered, "OnDisconnect")
		cancel()
		if err := wait(t, done, "the end of Shutdown"); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
		go func() { done <- st.srv.Shutdown(t.Context()) }()
		g.release()
		if err := wait(t, done, "the end of the second Shutdown"); err != nil {
			t.Error(err)
		}
	})
}

// A write that has not come back may have reached the peer whole: a peer that
// answers at once is not slow.
func TestAWriteThatHasNotReturnedDoesNotFillTheQueue(t *testing.T) {
	const size = 10 << 10
	returns := make(chan struct{})
	lagging := network{"", true, func(t testing.TB) (net.Listener, func() (net.Conn, error)) {
		l, dial := listenTCP(t)
		return lagListener{l, returns}, dial
	}}
	sockets := make(chan *Socket, 1)
	st := lagging.serve(t, Options{SendQueue: size}, func(s *Socket) error { sockets <- s; return nil })
	defer close(returns)
	peer := st.raw(t)
	s := wait(t, sockets, "the handler")
	for i := range 3 {
		if err := s.SendBinary(make([]byte, size)); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		peer.expect(wire.OpBinary, string(make([]byte, size)))
		if i < 2 {
			returns <- struct{}{}
		}
	}
	if err := s.SendBinary(make([]byte, size)); err != nil {
		t.Errorf("behind a write that has not returned: %v", err)
	}
	if err := s.SendBinary(nil); !errors.Is(err, ErrSlowConsumer) {
		t.Errorf("behind a full queue: %v", err)
	}
}

// lagListener accepts connections whose large writes return when they are let.
type lagListener struct {
	net.Listener
	returns chan struct{}
}

func (l lagListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return lagConn{c, l.returns}, err
}

type lagConn struct {
	net.Conn
	returns chan struct{}
}

func (c lagConn) Write(b []byte) (n int, err error) {
	n, err = c.Conn.Write(b)
	if n >= 10<<10 {
		<-c.returns
	}
	return n, err
}

// The peer answers our close frame at once, and the end is to come with that, not
// with CloseTimeout.
func TestAHandlerThatStaysKeepsNoSocketFromClosing(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*site, *Socket)
		code StatusCode
	}{
		"closed":    {func(_ *site, s *Socket) { s.Close(StatusNormalClosure, "") }, StatusNormalClosure},
		"shut down": {func(st *site, _ *Socket) { go st.srv.Shutdown(context.Background()) }, StatusGoingAway},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, n network) {
				handling, ended := make(chan *Socket, 1), make(chan error, 1)
				st := n.serve(t, Options{CloseTimeout: -1, PingInterval: -1}, func(s *Socket) error {
					handling <- s
					<-s.Context().Done()
					ended <- context.Cause(s.Context())
					return nil
				})
				peer := st.raw(t)
				c.end(st, wait(t, handling, "the handler"))
				peer.expectClose(c.code)
				peer.write(client("1 000 1000", closePayload(int(c.code), "")))
				var closed *CloseError
				if err := wait(t, ended, "the end"); !errors.As(err, &closed) || closed.Code != c.code {
					t.Errorf("the cause is %v", err)
				}
			})
		})
	}
}

// What Receive has not taken stops the reading, but only until we close.
func TestAMessageThatNobodyTakesKeepsNoSocketFromClosing(t *testing.T) {
	for _, n := range []network{overTCP, overTLS, portable} {
		t.Run(n.name, func(t *testing.T) {
			taken, ended := make(chan *Socket, 1), make(chan bool)
			st := n.serve(t, Options{CloseTimeout: -1, PingInterval: -1}, func(s *Socket) error {
				if _, err := s.Receive(s.Context()); err != nil {
					return err
				}
				taken <- s
				<-s.Context().Done()
				close(ended)
				return nil
			})
			peer := st.raw(t)
			for range 3 {
				peer.say("the first is taken")
			}
			wait(t, taken, "a message").Close(StatusNormalClosure, "")
			peer.expectClose(StatusNormalClosure)
			peer.write(client("1 000 1000", closePayload(1000, "")))
			wait(t, ended, "the end")
		})
	}
}

// quicken shows the engine that a handler is quick enough to run where it polls.
func quicken(t *testing.T, peer *raw) {
	t.Helper()
	for range 300 {
		peer.say("quick")
		peer.expect(wire.OpText, "quick")
	}
}

// What a callback has sent to others leaves although it ends its goroutine, and so
// does what others are sent later.
func TestABroadcastBeforeGoexitLeaves(t *testing.T) {
	st := overTCP.serve(t, Options{Logger: quiet}, func(s *Socket) error {
		s.OnMessage(func(m Message) {
			if m.Text() == "exit" {
				s.Broadcast("bye")
				runtime.Goexit()
			}
			s.SendMessage(m)
		})
		return nil
	})
	other, peer := st.raw(t), st.raw(t)
	other.alive()
	quicken(t, peer)
	peer.say("exit")
	other.expect(wire.OpText, "bye")
	st.srv.Broadcast("later")
	other.expect(wire.OpText, "later")
}

// A callback finds its own connection lost, the last of its loop, broadcasts and
// blocks.
func TestABroadcastOfALostSocketLeavesWhileItsCallbackBlocks(t *testing.T) {
	g, lost := newGate(t), make(chan *raw, 1)
	st := overTCP.serve(t, Options{Logger: quiet}, func(s *Socket) error {
		big := make([]byte, 70<<10)
		s.OnMessage(func(m Message) {
			if m.Text() != "block" {
				s.SendMessage(m)
				return
			}
			(<-lost).reset()
			for s.SendBinary(big) == nil {
			}
			for len(s.ns.srv.Sockets()) > 1 {
				runtime.Gosched()
			}
			s.Broadcast("news")
			g.pass(s)
		})
		return nil
	})
	other, peer := st.raw(t), st.raw(t)
	other.alive()
	quicken(t, peer)
	lost <- peer
	peer.say("block")
	wait(t, g.entered, "the callback")
	other.expect(wire.OpText, "news")
}
