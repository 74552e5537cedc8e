package websocket

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// Messages that nobody takes cost memory even where they are empty.
func TestUnclaimedMessagesAreBounded(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		for _, text := range []string{"", "x", strings.Repeat("x", 1000)} {
			_, peer, s, _ := meet(t, n, Options{})
			peer.write(bytes.Repeat(client("1 000 0001", text), 5000))
			peer.alive()
			held := s.conn.Look().Messages * (len(text) + int(unsafe.Sizeof(Message{})))
			if held > conn.UnclaimedLimit {
				t.Errorf("%d bytes are held of messages of %d", held, len(text))
			}
		}
	})
}

// What no callback wants stays for Receive, in its order.
func TestAMessageThatOnHasLookedAtIsStillReceived(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		_, peer, s, _ := meet(t, n, Options{})
		ran := make(chan string, 2)
		for _, text := range []string{"one", `{"type":"event","event":"e"}`, "two", `{"type":"event","event":"e"}`} {
			peer.say(text)
		}
		peer.alive()
		s.On("e", func(e *Event) { ran <- e.Name })
		for range 2 {
			wait(t, ran, "an event")
		}
		for _, want := range []string{"one", "two"} {
			if m, err := s.Receive(t.Context()); err != nil || m.Text() != want {
				t.Errorf("received %q, %v, want %q", m.Text(), err, want)
			}
		}
	})
}

// Handlers may come from any goroutine while what waited is handed out.
func TestHandlersThatComeWhileTheInboxDrains(t *testing.T) {
	for range 20 {
		_, peer, s, _ := meet(t, overTCP, Options{})
		peer.write(bytes.Repeat(client("1 000 0001", "x"), 20))
		peer.alive()
		done, drained := make(chan bool), make(chan bool, 20)
		s.OnMessage(func(Message) {
			<-done
			drained <- true
		})
		for range 20 {
			runtime.Gosched() // until the first is being handled
		}
		s.On("late", func(*Event) {})
		s.Off("late")
		s.Once("late", func(*Event) {})
		close(done)
		for range 20 {
			wait(t, drained, "a message")
		}
	}
}

// While something waits for a consumer, what comes after it waits behind it,
// whoever the consumer is and wherever it comes from.
func TestMessagesKeepTheirOrderWhenAConsumerComes(t *testing.T) {
	login := client("1 000 0001", `{"type":"event","event":"login"}`)
	ping := client("1 000 1001", "now")
	event := func(i int) []byte {
		return client("1 000 0001", fmt.Sprintf(`{"type":"event","event":"e","data":[%d]}`, i))
	}
	for name, c := range map[string]struct {
		arm  func(s *Socket, got func(string))
		send []byte
		want []string
	}{
		"OnMessage, from an event": {
			func(s *Socket, got func(string)) {
				s.On("login", func(*Event) { s.OnMessage(func(m Message) { got(m.Text()) }) })
			},
			join(client("1 000 0001", "one"), login, client("1 000 0001", "two"), client("1 000 0001", "three")),
			[]string{"one", "two", "three"},
		},
		"OnMessage, from OnPing": {
			func(s *Socket, got func(string)) {
				s.OnPing(func([]byte) { s.OnMessage(func(m Message) { got(m.Text()) }) })
			},
			join(client("1 000 0001", "one"), ping, client("1 000 0001", "two"), client("1 000 0001", "three")),
			[]string{"one", "two", "three"},
		},
		"On, from OnPing": {
			func(s *Socket, got func(string)) {
				s.OnPing(func([]byte) { s.On("e", func(e *Event) { got(string(e.Args()[0])) }) })
			},
			join(event(1), ping, event(2), event(3)),
			[]string{"1", "2", "3"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, n network) {
				came := make(chan string, 10)
				st := n.serve(t, Options{}, func(s *Socket) error {
					c.arm(s, func(text string) { came <- text })
					return nil
				})
				peer := st.raw(t)
				peer.write(c.send)
				var got []string
				for range c.want {
					got = append(got, waitFor(t, came, soon, "a message"))
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		})
	}
}

// oneReceive takes one message, as a login does, and then has events.
func oneReceive(s *Socket) error {
	if _, err := s.Receive(s.Context()); err != nil {
		return err
	}
	s.On("echo", func(e *Event) { e.Reply("here") })
	return nil
}

// Who has called Receive once goes on without: a message that nobody takes stops
// neither events nor the end nor the heartbeat.
func TestASocketGoesOnAfterItsLastReceive(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		gone := make(chan bool, 1)
		st := n.serve(t, Options{OnDisconnect: func(*Socket, StatusCode, string) { gone <- true }}, oneReceive)
		peer := st.raw(t)
		go peer.write(client("1 000 0001", "token"), bytes.Repeat(join(
			client("1 000 0001", "keep-alive"), client("1 000 0001", `{"type":"event","event":"echo","id":1}`)), 3),
			client("1 000 0001", "keep-alive"))
		for range 3 {
			if f := waitFor(t, peer.frames, soon, "the reply"); f.Op != wire.OpText || !strings.Contains(string(f.payload), "here") {
				t.Errorf("opcode %d %q", f.Op, f.payload)
			}
		}
		peer.conn.Close()
		waitFor(t, gone, soon, "the end")
	})
}

func TestAPeerThatFallsSilentAfterTheLastReceiveIsEnded(t *testing.T) {
	stalled(t, Options{}, func(peer *raw, s *Socket) {
		go peer.write(client("1 000 0001", "token"), client("1 000 0001", "keep-alive"))
		oneReceive(s)
	}, StatusAbnormalClosure, 30*time.Second, 42*time.Second)
}
