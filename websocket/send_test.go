package websocket

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// What waits for a slow reader is dropped one by one, whatever waits behind it.
func TestDropOldestTakesNoLongerWithALongQueue(t *testing.T) {
	const most = 10 * time.Second
	for _, size := range []int{20, 200, 2000} {
		st, _, s, _ := meetDeaf(t, Options{SlowConsumer: DropOldest, PingInterval: -1, WriteTimeout: -1})
		p, err := Prepare(bytes.Repeat([]byte("x"), size))
		if err != nil {
			t.Fatal(err)
		}
		for st.srv.Stats().Dropped == 0 { // the queue is full
			s.SendPrepared(p)
		}
		start := time.Now()
		for i := range 100_000 {
			s.SendPrepared(p)
			if i%1000 == 0 && time.Since(start) > most {
				t.Errorf("%d messages of %d bytes have taken %v", i, size, most)
				break
			}
		}
		if got := s.Buffered(); got > defaultSendQueue+128<<10 {
			t.Errorf("%d bytes wait", got)
		}
	}
}

// meetDeaf is meet with a peer that reads nothing behind the 101.
func meetDeaf(t *testing.T, opts Options) (*site, *raw, *Socket, <-chan end) {
	t.Helper()
	opened, told := make(chan *Socket, 1), make(chan end, 1)
	st := inMemory.serve(t, opts, func(s *Socket) error {
		s.OnClose(func(code StatusCode, reason string) { told <- end{code, reason} })
		opened <- s
		return nil
	})
	peer := st.connect(t)
	peer.shake()
	return st, peer, wait(t, opened, "the handler"), told
}

// Who finds bytes waiting is told when none do, on any driver.
func TestOnDrainFollowsAMessageThatHadToWait(t *testing.T) {
	const size = 20 << 20
	run(t, func(t *testing.T, n network) {
		waiting, drained := make(chan int, 1), make(chan bool, 1)
		st := n.serve(t, Options{PingInterval: -1, WriteTimeout: -1}, func(s *Socket) error {
			s.OnDrain(func() { drained <- true })
			err := s.SendBinary(make([]byte, size))
			waiting <- s.Buffered()
			return err
		})
		peer := st.connect(t)
		peer.shake()
		if got := wait(t, waiting, "the handler"); got == 0 {
			t.Fatal("nothing waits")
		}
		go peer.read(peer.reader)
		peer.expect(wire.OpBinary, string(make([]byte, size)))
		waitFor(t, drained, soon, "OnDrain")
	})
}

// A stream that stops where more than a low-water mark waits, and goes on from
// OnDrain, arrives whole: what a callback holds back for its batch waits as well.
func TestAStreamThatGoesOnFromOnDrainArrives(t *testing.T) {
	const count, size = 256, 4096
	run(t, func(t *testing.T, n network) {
		for _, low := range []int{0, size, 32 << 10, 64 << 10, 256 << 10} {
			for name, start := range map[string]func(more func(), peer *raw){
				"in a callback": func(_ func(), peer *raw) { peer.say("go") },
				"elsewhere":     func(more func(), _ *raw) { go more() },
			} {
				ready := make(chan func(), 1)
				st := n.serve(t, Options{PingInterval: -1}, streamOf(count, size, low, ready))
				peer := st.raw(t)
				start(wait(t, ready, "the handler"), peer)
				for i := range count {
					select {
					case <-peer.frames:
					case <-time.After(soon):
						t.Fatalf("%s, up to %d bytes: %d of %d messages came", name, low, i, count)
					}
				}
			}
		}
	})
}

// streamOf sends count messages as long as no more than low bytes wait.
func streamOf(count, size, low int, ready chan<- func()) func(*Socket) error {
	return func(s *Socket) error {
		var mu sync.Mutex // guards left
		left := count
		more := func() {
			mu.Lock()
			defer mu.Unlock()
			for ; left > 0 && s.Buffered() <= low; left-- {
				s.SendBinary(make([]byte, size))
			}
		}
		s.OnDrain(more)
		s.OnMessage(func(Message) { more() })
		ready <- more
		return nil
	}
}

// A message larger than the whole queue is no reason to give a socket up that has not
// taken all of it yet: what a write has begun does not count.
func TestAMessageLargerThanTheQueueLeavesRoomForOthers(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, Options{SendQueue: 64 << 10, Logger: quiet}, nil)
		c := st.connect(t)
		c.shake()
		var s *Socket
		st.until(t, "the socket is there", func(Stats) bool {
			if all := st.srv.Sockets(); len(all) > 0 {
				s = all[0]
			}
			return s != nil
		})
		large := strings.Repeat("x", 32<<20)
		if err := s.SendText(large); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if err := s.SendText("small"); err != nil {
				t.Fatal(err)
			}
		}
		go c.read(c.reader)
		c.expect(wire.OpText, large)
		for range 100 {
			c.expect(wire.OpText, "small")
		}
	})
}
