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

// A message that On has looked at is Receive's again, which may wait by then.
func TestAMessageThatIsPutBackWakesReceive(t *testing.T) {
	_, peer, s, _ := meet(t, overTCP, Options{})
	peer.write(client("1 000 0001", "no event"))
	peer.alive()
	s.mu.Lock()
	s.eventsLocked()
	in := s.inbox
	s.mu.Unlock()
	<-in.wake // as a Receive does that comes while the message is away
	s.drainInbox()
	select {
	case <-in.wake:
	default:
		t.Error("nobody is woken")
	}
}
