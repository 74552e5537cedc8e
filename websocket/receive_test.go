package websocket

import (
	"bytes"
	"strings"
	"testing"
	"unsafe"
)

// Messages that nobody takes cost memory even where they are empty.
func TestUnclaimedMessagesAreBounded(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		for _, text := range []string{"", "x", strings.Repeat("x", 1000)} {
			_, peer, s, _ := meet(t, n, Options{})
			peer.write(bytes.Repeat(client("1 000 0001", text), 5000))
			peer.alive()
			s.mu.Lock()
			held := len(s.inbox.messages) * (len(text) + int(unsafe.Sizeof(Message{})))
			s.mu.Unlock()
			if held > unclaimedLimit {
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
