package websocket

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The reply to a Request made in a callback of the same socket is behind that
// callback: it fails at once, or is read all the same.
func TestRequestInACallbackOfItsOwnSocketDoesNotHang(t *testing.T) {
	cases := map[string]struct {
		arm     func(s *Socket, ask func())
		provoke func(*raw)
	}{
		"OnMessage": {
			func(s *Socket, ask func()) { s.OnMessage(func(Message) { ask() }) },
			func(peer *raw) { peer.say("x") },
		},
		"an event's handler": {
			func(s *Socket, ask func()) { s.On("e", func(*Event) { ask() }) },
			func(peer *raw) { peer.say(`{"type":"event","event":"e"}`) },
		},
		"OnPing": {
			func(s *Socket, ask func()) { s.OnPing(func([]byte) { ask() }) },
			func(peer *raw) { peer.write(client("1 000 1001", "")) },
		},
		"OnPong": {
			func(s *Socket, ask func()) { s.OnPong(func([]byte) { ask() }) },
			func(peer *raw) { peer.write(client("1 000 1010", "")) },
		},
	}
	run(t, func(t *testing.T, n network) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for name, c := range cases {
			asked := make(chan error, 1)
			st := n.serve(t, Options{}, func(s *Socket) error {
				c.arm(s, func() {
					_, err := s.Request(ctx, "question")
					asked <- err
				})
				return nil
			})
			peer := st.raw(t)
			go func() {
				for range peer.frames {
					peer.write(client("1 000 0001", `{"type":"ack","id":"1","data":[]}`))
				}
			}()
			c.provoke(peer)
			waitFor(t, asked, soon, "the return of Request in "+name)
		}
	})
}

func TestARequestToManyFromACallbackThatIsGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	failed := make(chan error, 100)
	var srv *Server
	opts := Options{Logger: quiet, OnError: func(_ *Socket, err error) { failed <- err }}
	st := inMemory.serve(t, opts, func(s *Socket) error {
		s.OnMessage(func(m Message) {
			for range 50 {
				for range srv.All().Request(ctx, "ready?") {
				}
				for range srv.All().Request(ctx, "ready?") {
					break
				}
			}
			s.SendMessage(m)
		})
		return nil
	})
	srv = st.srv
	st.raw(t).alive()
	c := st.raw(t)
	c.write(client("1 000 0001", "go"))
	for {
		f, ok := c.next()
		if !ok {
			t.Fatal("closed: ", <-failed)
		}
		if string(f.payload) == "go" {
			break
		}
	}
}

// A client whose messages nobody receives reads no reply: it is told why.
func TestARequestBehindAMessageThatNobodyReceivesSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hint = "OnMessage or Receive"
		st := inMemory.serve(t, Options{}, func(s *Socket) error {
			s.On("question", func(e *Event) { e.Reply(1) })
			return s.Send("welcome")
		})
		s := st.dial(t, DialOptions{})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Request(ctx, "question"); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), hint) {
			t.Errorf("at the deadline: %v", err)
		}
		if _, err := s.Request(t.Context(), "question"); !errors.Is(err, ErrClosed) || !strings.Contains(err.Error(), hint) {
			t.Errorf("when the connection is given up: %v", err)
		}

		s = st.dial(t, DialOptions{})
		if _, err := s.Receive(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Request(t.Context(), "question"); err != nil {
			t.Error(err)
		}
		var refused *EventError
		if _, err := s.Request(t.Context(), "other"); !errors.As(err, &refused) {
			t.Error(err)
		}
		s.Close(StatusNormalClosure, "")
	})
}
