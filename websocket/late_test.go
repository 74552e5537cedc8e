package websocket

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
)

// A message waits for a Receive that is not called again when the handler returns
// or a callback comes.
func TestCallbacksAfterTheLastReceiveGoOnAtOnce(t *testing.T) {
	for _, comes := range []string{"before the handler's end", "after it"} {
		t.Run(comes, func(t *testing.T) {
			run(t, func(t *testing.T, n network) {
				leave, got := make(chan bool), make(chan *Socket, 1)
				register := func(s *Socket) { s.On("echo", func(e *Event) { e.Reply("ok") }) }
				st := n.serve(t, Options{PingInterval: -1}, func(s *Socket) error {
					s.Receive(context.Background())
					if comes == "before the handler's end" {
						register(s)
					}
					got <- s
					<-leave
					return nil
				})
				peer := st.raw(t)
				peer.say("token")
				s := wait(t, got, "Receive")
				peer.say("keep-alive")
				eventually(t, "the pause", func() bool { return s.conn.Look().Paused })
				go peer.write(client("1 000 0001", `{"type":"event","event":"echo","id":1}`))
				close(leave)
				if comes == "after it" {
					eventually(t, "the handler's end", func() bool { return !s.conn.Look().Handling })
					register(s)
				}
				waitFor(t, peer.frames, soon, "the reply")
			})
		})
	}
}

// OnMessage comes from another goroutine in the middle of a stream.
func TestMessagesAreInOrderWheneverOnMessageComes(t *testing.T) {
	const count = 60
	st := overTCP.serve(t, Options{}, nil)
	var all []byte
	for i := range count {
		all = append(all, client("1 000 0001", numbered(i, 0))...)
	}
	for round := range 300 {
		peer := st.raw(t)
		var s *Socket
		eventually(t, "the socket", func() bool {
			for _, one := range st.srv.Sockets() {
				s = one
			}
			return s != nil
		})
		go peer.write(all)
		eventually(t, "a message that waits", func() bool { return s.conn.Look().Messages > round%20 })
		done, next := make(chan bool), 0
		s.OnMessage(func(m Message) {
			if got := number(m.Text()); got != next {
				t.Errorf("round %d: message %d came instead of %d", round, got, next)
				next = got
			}
			if next++; next == count {
				close(done)
			}
		})
		wait(t, done, "the last message")
		peer.conn.Close()
		eventually(t, "the end", func() bool { return len(st.srv.Sockets()) == 0 })
		if t.Failed() {
			return
		}
	}
}

// atLine is a log handler that calls f at a line.
type atLine struct {
	slog.Handler
	line string
	f    func()
}

func (h atLine) Enabled(context.Context, slog.Level) bool { return true }
func (h atLine) WithAttrs([]slog.Attr) slog.Handler       { return h }

func (h atLine) Handle(_ context.Context, r slog.Record) error {
	if r.Message == h.line {
		h.f()
	}
	return nil
}

// A handler comes when it has been looked for and the message has not been kept
// yet; the log line chooses the moment.
func TestAHandlerThatComesWhileAnEventArrivesHasIt(t *testing.T) {
	got, sockets := make(chan bool, 1), make(chan *Socket, 1)
	logger := slog.New(atLine{slog.DiscardHandler, "websocket message", func() {
		s := <-sockets
		registered := make(chan bool)
		go func() {
			s.On("x", func(*Event) { got <- true })
			close(registered)
		}()
		<-registered
	}})
	st := overTCP.serve(t, Options{Logger: logger, Debug: true}, func(s *Socket) error { sockets <- s; return nil })
	st.raw(t).say(`{"type":"event","event":"x"}`)
	waitFor(t, got, soon, "the event")
}

// The handler stays, and Receive was called before the 101.
func TestReceiveBeforeOpenBeginsTheReading(t *testing.T) {
	srv := NewServer(Options{})
	got := make(chan string, 1)
	st := overTCP.accepting(t, srv, func(h *Handshake, _ http.ResponseWriter, _ *http.Request) {
		s := h.Socket()
		go func() {
			if m, err := s.Receive(context.Background()); err == nil {
				got <- m.Text()
			}
		}()
		eventually(t, "Receive", func() bool { return s.conn.Look().Receivers > 0 })
		h.Open(func(s *Socket) error {
			<-s.Context().Done()
			return nil
		})
	})
	st.raw(t).say("hello")
	waitFor(t, got, soon, "the message")
}
