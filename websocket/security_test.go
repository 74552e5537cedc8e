package websocket

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/pulse"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

func TestFloodOfEmptyFragmentsIsEnded(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		peer := n.serve(t, Options{}, echo).raw(t)
		flood := client("0 000 0010", "")
		for range conn.MaxEmptyFragments + 10 {
			flood = append(flood, client("0 000 0000", "")...)
		}
		go peer.write(flood)
		peer.expectClose(StatusPolicyViolation)
	})
}

func TestManySmallFragmentsAreOneMessage(t *testing.T) {
	const count = 20000
	run(t, func(t *testing.T, n network) {
		peer := n.serve(t, Options{}, echo).raw(t)
		all := client("0 000 0010", "x")
		for range count - 2 {
			all = append(all, client("0 000 0000", "x")...)
		}
		go peer.write(append(all, client("1 000 0000", "x")...))
		peer.expect(wire.OpBinary, strings.Repeat("x", count))
	})
}

func TestMessageLimitIsExact(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, Options{MaxMessageSize: 1000}, echo)
		for _, c := range []struct {
			first, rest int // bytes of two fragments; rest < 0: one frame
			pass        bool
		}{{1000, -1, true}, {1001, -1, false}, {1002, -1, false}, {500, 500, true}, {500, 501, false}, {1000, 0, true}, {1000, 1, false}} {
			peer := st.raw(t)
			size := c.first
			if c.rest < 0 {
				go peer.write(client("1 000 0010", strings.Repeat("x", c.first)))
			} else {
				size += c.rest
				go peer.write(client("0 000 0010", strings.Repeat("x", c.first)), client("1 000 0000", strings.Repeat("x", c.rest)))
			}
			if c.pass {
				peer.expect(wire.OpBinary, strings.Repeat("x", size))
			} else {
				peer.expectClose(StatusMessageTooBig)
			}
		}
	})
}

// stalled is a bubble with one socket whose end is awaited.
func stalled(t *testing.T, opts Options, f func(peer *raw, s *Socket), want StatusCode, least, most time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		st, peer, s, told := meet(t, inMemory, opts)
		start := time.Now()
		f(peer, s)
		if got := wait(t, told, "OnClose"); got.code != want {
			t.Errorf("OnClose got %v, want %d", got, want)
		}
		if d := time.Since(start); d < least || d > most {
			t.Errorf("ended after %v, want %v to %v", d, least, most)
		}
		st.settle(peer)
	})
}

func TestMessageThatStopsHalfWayIsEnded(t *testing.T) {
	for name, opts := range map[string]Options{"with heartbeat": {}, "without": {PingInterval: -1}} {
		t.Run(name, func(t *testing.T) {
			stalled(t, opts, func(peer *raw, _ *Socket) {
				peer.write(client("0 000 0001", "half"))
				go func() {
					for range 30 { // lively otherwise
						if !peer.write(client("1 000 1010", "")) {
							return
						}
						time.Sleep(2 * time.Second)
					}
				}()
			}, StatusPolicyViolation, pulse.MessageStall, pulse.MessageStall+10*time.Second)
		})
	}
}

// The time-out of a message waits for no heartbeat.
func TestMessageThatStopsBetweenRareHeartbeatsIsEnded(t *testing.T) {
	const quiet = 20 * time.Second
	stalled(t, Options{PingInterval: 5 * time.Minute}, func(peer *raw, _ *Socket) {
		time.Sleep(quiet)
		peer.write(client("0 000 0001", "half"))
	}, StatusPolicyViolation, quiet+pulse.MessageStall, quiet+pulse.MessageStall+10*time.Second)
}

func TestMessageThatStopsWhileNothingIsReadGetsItsTime(t *testing.T) {
	stalled(t, Options{PingInterval: -1}, func(peer *raw, s *Socket) {
		peer.write(client("1 000 0001", "1"))
		s.Receive(context.Background())
		peer.write(slices.Concat(client("1 000 0001", "2"), client("0 000 0001", "half")))
		time.Sleep(40 * time.Second)
		s.Receive(context.Background())
	}, StatusPolicyViolation, 40*time.Second+pulse.MessageStall, 50*time.Second+pulse.MessageStall)
}

func TestPeerThatFallsSilentIsEnded(t *testing.T) {
	stalled(t, Options{}, func(*raw, *Socket) {}, StatusAbnormalClosure, 30*time.Second, 42*time.Second)
}

func TestPeerThatStopsInsideAHeaderIsEnded(t *testing.T) {
	stalled(t, Options{}, func(peer *raw, _ *Socket) { peer.write([]byte{0x81}) }, StatusAbnormalClosure, 30*time.Second, 42*time.Second)
}

func TestTrafficKeepsASocketAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, peer, s, _ := meet(t, inMemory, Options{})
		for range 20 {
			time.Sleep(9 * time.Second)
			peer.write(client("1 000 1010", ""))
		}
		synctest.Wait()
		if s.State() != StateOpen {
			t.Errorf("socket is %v", s.State())
		}
		st.settle(peer)
	})
}

func TestACallbackThatTakesLongIsNotThePeersSilence(t *testing.T) {
	stalled(t, Options{}, func(peer *raw, s *Socket) {
		s.OnMessage(func(Message) {
			time.Sleep(50 * time.Second)
			s.Close(4000, "")
		})
		peer.write(client("1 000 0001", "x"))
		go func() {
			for f := range peer.frames {
				peer.write(client("1 000 1010", string(f.payload)))
			}
		}()
	}, 4000, 50*time.Second, patience)
}

func TestHeartbeatMeasuresTheRoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, peer, s, _ := meet(t, inMemory, Options{})
		f, _ := peer.next()
		if f.Op != wire.OpPing {
			t.Fatalf("opcode %d, want a ping", f.Op)
		}
		time.Sleep(300 * time.Millisecond)
		peer.write(client("1 000 1010", string(f.payload)))
		synctest.Wait()
		if rtt := s.RTT(); rtt < 300*time.Millisecond || rtt > 350*time.Millisecond {
			t.Errorf("round trip is %v", rtt)
		}
		st.settle(peer)
	})
}

// A peer that never reads is cut, costs no more than its queue, and others are
// served meanwhile.
func TestPeerThatNeverReads(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy SlowConsumer
		err    error
		code   StatusCode
	}{
		{"CloseSlow", CloseSlow, ErrSlowConsumer, StatusTryAgainLater},
		{"DropNewest", DropNewest, ErrDropped, StatusAbnormalClosure},
		{"DropOldest", DropOldest, nil, StatusAbnormalClosure},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sockets := make(chan *Socket, 2)
				told := make(chan end, 2)
				opts := Options{SlowConsumer: c.policy, SendQueue: 10 << 10, PingInterval: -1,
					OnDisconnect: func(_ *Socket, code StatusCode, reason string) { told <- end{code, reason} }}
				st := inMemory.serve(t, opts, func(s *Socket) error { sockets <- s; return echo(s) })
				deaf := st.connect(t)
				deaf.shake()
				s := <-sockets
				other := st.raw(t)
				var last error
				for range 100 {
					if err := s.SendBinary(make([]byte, 1000)); err != nil {
						last = err
						break
					}
					if s.Buffered() > 12<<10 {
						t.Fatalf("%d bytes wait", s.Buffered())
					}
				}
				if !errors.Is(last, c.err) {
					t.Errorf("error is %v, want %v", last, c.err)
				}
				other.alive()
				got := st.srv.Stats()
				if (got.SlowConsumers == 1) != (c.policy == CloseSlow) || (got.Dropped > 0) != (c.policy != CloseSlow) {
					t.Errorf("stats: %d slow, %d dropped", got.SlowConsumers, got.Dropped)
				}
				if e := wait(t, told, "OnDisconnect"); e.code != c.code {
					t.Errorf("ended with %v, want %d", e, c.code)
				}
				st.settle(deaf, other)
			})
		})
	}
}

func TestDropOldestKeepsOrderAndTheLatest(t *testing.T) {
	sockets := make(chan *Socket, 1)
	st := inMemory.serve(t, Options{SlowConsumer: DropOldest, SendQueue: 1000}, func(s *Socket) error { sockets <- s; return nil })
	peer := st.connect(t)
	peer.shake()
	s := wait(t, sockets, "the handler")
	for i := range 100 {
		if err := s.SendBinary(append(make([]byte, 99), byte(i))); err != nil {
			t.Fatal(err)
		}
	}
	go peer.read(peer.reader)
	last := -1
	for last < 99 {
		f, ok := peer.next()
		if !ok {
			t.Fatal("connection ended")
		}
		if i := int(f.payload[99]); i <= last {
			t.Fatalf("message %d after %d", i, last)
		} else {
			last = i
		}
	}
}

func TestPanicsInCallbacksEndTheirOwnSocketOnly(t *testing.T) {
	boom := func() { panic("boom") }
	for name, arm := range map[string]func(*Socket) error{
		"handler":   func(*Socket) error { boom(); return nil },
		"OnMessage": func(s *Socket) error { s.OnMessage(func(Message) { boom() }); return nil },
		"OnPing":    func(s *Socket) error { s.OnPing(func([]byte) { boom() }); return nil },
		"OnPong":    func(s *Socket) error { s.OnPong(func([]byte) { boom() }); return nil },
		"On":        func(s *Socket) error { s.On("e", func(*Event) { boom() }); return nil },
		"OnError": func(s *Socket) error {
			s.OnError(func(error) { boom() })
			s.OnMessage(func(Message) { boom() })
			return nil
		},
		"OnClose": func(s *Socket) error {
			s.OnClose(func(StatusCode, string) { boom() })
			return &CloseError{Code: StatusInternalError}
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, n network) {
				srv := make(chan bool, 2)
				srv <- true
				st := n.serve(t, Options{Logger: quiet}, func(s *Socket) error {
					select {
					case <-srv:
						return echo(s)
					default:
						return arm(s)
					}
				})
				other := st.raw(t)
				other.alive()
				peer := st.raw(t)
				go peer.write(client("1 000 1001", ""), client("1 000 1010", ""), client("1 000 0001", `{"type":"event","event":"e"}`))
				peer.expectClose(StatusInternalError)
				other.alive()
			})
		})
	}
}

func TestIDsDoNotRepeat(t *testing.T) {
	seen := map[[16]byte]bool{}
	for range 10000 {
		id := newID()
		if seen[id] || id == [16]byte{} {
			t.Fatal("an id came twice")
		}
		seen[id] = true
	}
}

// What one socket received must never be on another's wire.
func TestRecycledBuffersLeakNothing(t *testing.T) {
	canary := rand.Text()
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, Options{}, echo)
		for range 20 {
			st.raw(t).write(client("0 000 0010", strings.Repeat(canary, 100)), client("1 000 1001", canary))
		}
		conn := st.connect(t)
		conn.shake()
		go func() {
			for i := range 200 {
				conn.write(client("1 000 0010", strings.Repeat("x", i*10)))
			}
			conn.hangUp([]byte(closePayload(1000, "")))
		}()
		all, _ := io.ReadAll(conn.reader)
		if len(all) < 190000 || strings.Contains(string(all), canary) {
			t.Errorf("%d bytes, canary among them: %v", len(all), strings.Contains(string(all), canary))
		}
	})
}

// The rule that a peer breaks after our close frame is one too many: what it
// sends is neither gathered nor reported again.
func TestBrokenMessagesAfterOurCloseAreDropped(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st, peer, s, told := meet(t, n, Options{Logger: quiet})
		s.Close(4000, "")
		peer.expect(wire.OpClose, closePayload(4000, ""))
		broken := client("1 000 0001", strings.Repeat("x", 100<<10)+"\xe2\x82")
		sent := 0
		for sent < 32<<20 && peer.write(broken) {
			sent += len(broken)
		}
		if sent >= 32<<20 {
			t.Errorf("%d bytes were taken", sent)
		}
		if got := wait(t, told, "OnClose"); got.code != 4000 {
			t.Errorf("ended with %v", got)
		}
		if got := st.srv.Stats().Errors; got > 1 {
			t.Errorf("%d errors are told", got)
		}
	})
}

// Who sends more before the 101 than may wait is closed on it as a slow
// consumer is.
func TestQueueThatOverflowsBeforeTheAnswerCloses(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		srv := NewServer(Options{SendQueue: 1000, DisablePolling: n.portable, Logger: quiet})
		opened := make(chan *Socket, 1)
		st := n.accepting(t, srv, func(h *Handshake, _ http.ResponseWriter, _ *http.Request) {
			s := h.Socket()
			s.SendText(strings.Repeat("x", 900))
			if err := s.SendText(strings.Repeat("y", 900)); !errors.Is(err, ErrSlowConsumer) {
				t.Errorf("error is %v", err)
			}
			h.Open(nil)
			opened <- s
		})
		peer := st.raw(t)
		if err := wait(t, opened, "Open").Send("too late"); !errors.Is(err, ErrClosed) {
			t.Errorf("Send behind the close frame: %v", err)
		}
		peer.expectClose(StatusTryAgainLater)
	})
}
