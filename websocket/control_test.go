package websocket

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// A peer may ping as often as it likes (RFC 6455 sections 5.5.2 and 5.5.3): each is
// answered, or the newest, in order.
func TestPingsCloseNobody(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		peer := n.serve(t, Options{}, echo).raw(t)
		var flood []byte
		var sent []string
		for i := range 500 {
			text := strings.Repeat("p", i%123) + string([]byte{byte(i >> 8), byte(i)})
			sent = append(sent, text)
			flood = append(flood, client("1 000 1001", text)...)
		}
		go peer.write(flood)
		for last := -1; last < len(sent)-1; {
			f, ok := peer.next()
			if !ok || f.Op != wire.OpPong {
				t.Fatalf("after the pong to ping %d: opcode %d %q, open: %v", last, f.Op, f.payload, ok)
			}
			i := slices.Index(sent, string(f.payload))
			if i <= last {
				t.Fatalf("pong to ping %d after that to %d", i, last)
			}
			last = i
		}
		peer.alive()
	})
}

// Pongs that a peer does not read do not pile up.
func TestPongsThatHaveNotLeftAreBounded(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		opened := make(chan *Socket, 1)
		pinged := make(chan bool, 1)
		pings := 0 // of the callbacks
		const count = 100_000
		st := n.serve(t, Options{PingInterval: -1, WriteTimeout: -1}, func(s *Socket) error {
			s.OnPing(func([]byte) {
				if pings++; pings == count {
					pinged <- true
				}
			})
			opened <- s
			return nil
		})
		peer := st.connect(t)
		peer.shake()
		s := wait(t, opened, "the handler")
		go peer.write(bytes.Repeat(client("1 000 1001", strings.Repeat("p", 125)), count))
		most := 0
		for done := false; !done && s.State() == StateOpen; {
			select {
			case <-pinged:
				done = true
			case <-time.After(time.Millisecond):
			}
			most = max(most, s.Buffered())
		}
		if s.State() != StateOpen {
			t.Error("the socket was closed")
		}
		if most > 256<<10 {
			t.Errorf("%d bytes of pongs waited", most)
		}
	})
}

func TestControlFramesCountTowardsRateLimit(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		peer := n.serve(t, Options{RateLimit: RateLimit{Messages: 1, Burst: 10}}, echo).raw(t)
		go peer.write(bytes.Repeat(client("1 000 1001", "ping"), 100))
		peer.expectClose(StatusPolicyViolation)
	})
}
