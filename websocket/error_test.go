package websocket

import (
	"bytes"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// overWires are the networks on which a peer can reset its connection.
var overWires = []network{overTCP, overTLS, portable}

// The usual hub: one mutex around the sockets, under which some send and which
// OnError takes. No Send may run it.
func TestOnErrorMayTakeALockUnderWhichOthersSend(t *testing.T) {
	for _, c := range []struct {
		network
		resets int
	}{{overTCP, 10_000}, {overTLS, 500}, {portable, 2000}} {
		t.Run(c.name, func(t *testing.T) {
			h := hubOf{conns: make(map[*Socket]bool), gone: make(chan bool, c.resets)}
			st := c.serve(t, Options{Logger: quiet}, h.join)
			over := make(chan bool)
			defer close(over)
			go h.tick(t, over)
			for range c.resets {
				peer := st.connect(t)
				peer.shake()
				peer.reset()
				waitFor(t, h.gone, soon, "the end of a socket that was reset")
			}
		})
	}
}

type hubOf struct {
	mu    sync.Mutex // guards conns
	conns map[*Socket]bool
	gone  chan bool
}

func (h *hubOf) join(s *Socket) error {
	h.mu.Lock()
	h.conns[s] = true
	h.mu.Unlock()
	s.OnError(func(error) { h.leave(s) })
	s.OnClose(func(StatusCode, string) {
		h.leave(s)
		h.gone <- true
	})
	return nil
}

func (h *hubOf) leave(s *Socket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, s)
}

func (h *hubOf) tick(t *testing.T, over <-chan bool) {
	for {
		h.mu.Lock()
		for s := range h.conns {
			callOne(t, "SendText", func() { s.SendText("tick") })
		}
		h.mu.Unlock()
		select {
		case <-over:
			return
		default:
			runtime.Gosched()
		}
	}
}

// With context takeover messages are compressed and queued in one order: OnError
// does not run where that is kept.
func TestOnErrorMaySendWithContextTakeover(t *testing.T) {
	const resets = 100
	for _, n := range overWires {
		t.Run(n.name, func(t *testing.T) {
			var srv *Server
			ready, gone := make(chan bool), make(chan bool, 10*resets)
			text := bytes.Repeat([]byte("text"), 150)
			st := n.serve(t, Options{Logger: quiet, Compression: takeover.Compression}, func(s *Socket) error {
				<-ready
				s.OnError(func(error) {
					s.Send(text)
					srv.Broadcast(text)
				})
				s.OnClose(func(StatusCode, string) { gone <- true })
				return nil
			})
			srv = st.srv
			close(ready)
			finished := make(chan bool)
			defer close(finished)
			sent := make(chan bool)
			go func() {
				for {
					srv.Broadcast(text)
					select {
					case sent <- true:
					case <-finished:
						return
					default:
					}
				}
			}()
			for range resets {
				peer := st.connect(t)
				peer.shake(offer + "permessage-deflate")
				peer.reset()
				waitFor(t, gone, soon, "the end of a socket that was reset")
				waitFor(t, sent, soon, "the return of Broadcast")
			}
		})
	}
}

// The time-outs of others go on while an OnError that tells of one blocks.
func TestOnErrorThatBlocksDelaysNoTimeouts(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		g := newGate(t)
		gone := make(chan bool, 3)
		var first atomic.Bool
		st := n.serve(t, Options{PingInterval: 200 * time.Millisecond, PongTimeout: 200 * time.Millisecond, Logger: quiet}, func(s *Socket) error {
			s.OnError(func(error) {
				if first.CompareAndSwap(false, true) {
					g.pass(s)
				}
			})
			s.OnClose(func(StatusCode, string) { gone <- true })
			return nil
		})
		for range 3 {
			peer := st.connect(t)
			peer.shake()
			go peer.read(peer.reader) // and never answers
		}
		wait(t, g.entered, "OnError")
		for range 2 {
			waitFor(t, gone, soon, "the time-out of another socket")
		}
		g.release()
		waitFor(t, gone, soon, "the end of the first")
	})
}

// A peer resets while its handler has not returned: OnError runs in no goroutine
// that polls for others.
func TestOnErrorOfAnUnreadSocketDelaysNobody(t *testing.T) {
	for _, n := range overWires {
		t.Run(n.name, func(t *testing.T) {
			g, handlers := newGate(t), newGate(t)
			st := n.serve(t, Options{Logger: quiet}, func(s *Socket) error {
				if s.UserAgent() == "marked" {
					s.OnError(func(error) { g.pass(s) })
					handlers.pass(s)
				}
				return echo(s)
			})
			var others []*raw
			for range 16 {
				others = append(others, st.raw(t))
			}
			peer := st.connect(t)
			peer.shake(marked)
			s := wait(t, handlers.entered, "the handler")
			peer.reset()
			if !n.portable { // the other does not read, and so learns nothing
				waitFor(t, s.Context().Done(), soon, "the end of the socket")
			}
			for _, o := range others {
				o.echoSoon(t)
			}
		})
	}
}

func (c *raw) echoSoon(t *testing.T) {
	t.Helper()
	c.say("echo")
	f := waitFor(t, c.frames, soon, "another socket's echo")
	if f.Op != wire.OpText || string(f.payload) != "echo" {
		t.Fatalf("opcode %d %q", f.Op, f.payload)
	}
}

// What is sent to sockets that wait for Receive is written by a goroutine of ours
// for all of them: no OnError runs there.
func TestOnErrorOfASocketThatReceivesDelaysNoMessages(t *testing.T) {
	for _, n := range overWires {
		t.Run(n.name, func(t *testing.T) {
			g, handlers := newGate(t), newGate(t)
			st := n.serve(t, Options{Logger: quiet}, func(s *Socket) error {
				if s.UserAgent() == "marked" {
					s.OnError(func(error) { g.pass(s) })
				}
				if _, err := s.Receive(s.Context()); err != nil {
					return err
				}
				handlers.pass(s) // one more message waits
				return nil
			})
			start := func(lines ...string) (*raw, *Socket) {
				peer := st.raw(t, lines...)
				peer.write(bytes.Repeat(client("1 000 0001", "x"), 2))
				return peer, wait(t, handlers.entered, "the first message")
			}
			other, s := start()
			victim, dead := start(marked)
			victim.reset()
			for end := time.Now().Add(soon); dead.State() != StateClosed && time.Now().Before(end); {
				dead.Send("x")
			}
			for range 3 {
				if err := s.Send("hi"); err != nil {
					t.Fatal(err)
				}
				if f := waitFor(t, other.frames, soon, "a message for another socket"); string(f.payload) != "hi" {
					t.Fatalf("opcode %d %q", f.Op, f.payload)
				}
			}
		})
	}
}
