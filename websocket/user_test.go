package websocket

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// signIn has each message name the user, and echoes those that begin with "=".
func signIn(s *Socket) error {
	s.OnMessage(func(m Message) {
		if strings.HasPrefix(m.Text(), "=") {
			s.SendMessage(m)
		} else if s.SetUser(m.Text(), nil) == nil {
			s.Send("hello " + m.Text())
		}
	})
	return nil
}

func TestAUserHasAsManySocketsAsAllowed(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, Options{MaxConnectionsPerUser: 2, Logger: quiet}, signIn)
		peers := []*raw{st.raw(t), st.raw(t), st.raw(t), st.raw(t)}
		as := func(p *raw, id string) {
			p.write(client("1 000 0001", id))
			p.expect(wire.OpText, "hello "+id)
		}
		as(peers[0], "ann")
		as(peers[1], "ann")
		as(peers[1], "ann") // which it is already
		as(peers[2], "bob")
		peers[2].write(client("1 000 0001", "ann"))
		peers[2].expectClose(4429)
		as(peers[1], "bob") // makes room
		as(peers[3], "ann")
		if got := st.srv.Stats().Rejected["connectionsPerUser"]; got != 1 {
			t.Errorf("%d refusals are counted", got)
		}
		peers[0].conn.Close()
		for last := st.raw(t); ; last = st.raw(t) { // until the server has seen that end
			last.write(client("1 000 0001", "ann"))
			if f, ok := last.next(); ok && string(f.payload) == "hello ann" {
				break
			}
		}
	})
}

// In middleware the error refuses; where it is passed over, the socket closes.
func TestTooManyForAUserAreRefusedBeforeThe101(t *testing.T) {
	for _, heed := range []bool{true, false} {
		t.Run(fmt.Sprint("heeded: ", heed), func(t *testing.T) {
			srv := NewServer(Options{MaxConnectionsPerUser: 1, Logger: quiet})
			st := overTCP.serveHTTP(t, srv, func(w http.ResponseWriter, r *http.Request) {
				h, err := srv.Accept(w, r)
				if err == nil {
					err = h.Socket().SetUser("ann", nil)
				}
				if err != nil && !errors.Is(err, ErrUserLimit) {
					t.Error(err)
				}
				var refused *HandshakeError
				if heed && errors.As(err, &refused) {
					h.Refuse()
					http.Error(w, refused.Message, refused.Status)
					return
				}
				h.Open(echo)
			})
			st.raw(t).alive()
			second := st.request(t, greeting())
			if heed && second.answer.StatusCode != http.StatusTooManyRequests {
				t.Errorf("answered with %s", second.answer.Status)
			}
			if !heed {
				second.expectClose(4429)
			}
		})
	}
}

// A handler that returns the error of SetUser has not failed.
func TestTheUserLimitIsNoFailureOfTheHandler(t *testing.T) {
	var failures atomic.Int32
	st := overTCP.serve(t, Options{MaxConnectionsPerUser: 1, Logger: quiet, OnError: func(_ *Socket, err error) { failures.Add(1) }}, func(s *Socket) error {
		return s.SetUser("ann", nil)
	})
	first := st.raw(t)
	first.alive()
	st.raw(t).expectClose(4429)
	first.alive()
	if failures.Load() != 0 {
		t.Error("it is reported")
	}
}

// However many connect at once, no more are let in, and when they have gone, nobody is
// counted any more.
func TestAThousandSocketsOfOneUser(t *testing.T) {
	const most = 10
	var now, peak atomic.Int32
	st := inMemory.serve(t, Options{MaxConnectionsPerUser: most, Logger: quiet}, func(s *Socket) error {
		if err := s.SetUser("ann", nil); err != nil {
			return err
		}
		for n, p := now.Add(1), peak.Load(); n > p && !peak.CompareAndSwap(p, n); p = peak.Load() {
		}
		now.Add(-1)
		return s.Close(StatusNormalClosure, "")
	})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 50 {
				st.raw(t).expectAnyClose()
			}
		})
	}
	all.Wait()
	for deadline := time.Now().Add(patience); ; {
		left, _, anonymous := st.srv.users.Count()
		if left == 0 && anonymous == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d users, %d sockets without one are left", left, anonymous)
		}
		runtime.Gosched()
	}
	if peak.Load() > most {
		t.Errorf("%d at once", peak.Load())
	}
}

// expectAnyClose waits for the end, whatever its code.
func (c *raw) expectAnyClose() {
	for f, ok := c.next(); ok; f, ok = c.next() {
		if f.Op == wire.OpClose {
			c.hangUp(f.payload)
		}
	}
	c.conn.Close()
}

func TestAnonymousSocketsAreLimited(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, Options{MaxAnonymous: 2, Logger: quiet}, signIn)
		first, second := st.raw(t), st.raw(t)
		refused := st.request(t, greeting())
		if refused.answer.StatusCode != http.StatusServiceUnavailable || refused.answer.Header.Get("Retry-After") == "" {
			t.Errorf("answered with %s", refused.answer.Status)
		}
		if got := st.srv.Stats().Rejected["anonymous"]; got != 1 {
			t.Errorf("%d refusals are counted", got)
		}
		first.write(client("1 000 0001", "ann"))
		first.expect(wire.OpText, "hello ann")
		third := st.raw(t)
		third.alive()
		second.alive()
	})
}

func TestASocketMustHaveAUserInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := inMemory.serve(t, Options{AuthTimeout: 10 * time.Second, PingInterval: -1, Logger: quiet}, signIn)
		late, prompt := st.raw(t), st.raw(t)
		prompt.write(client("1 000 0001", "ann"))
		prompt.expect(wire.OpText, "hello ann")
		time.Sleep(9 * time.Second)
		late.alive()
		if reason := late.expectClose(4401); reason != "not authenticated in time" {
			t.Errorf("the reason is %q", reason)
		}
		time.Sleep(20 * time.Second)
		prompt.alive()
		st.settle(late, prompt)
	})
}

// Messages of all sockets of a user count together, and those of others do not.
func TestTheRateOfAUserIsThatOfAllSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const burst = 20
		st := inMemory.serve(t, Options{UserRateLimit: RateLimit{Messages: 1, Burst: burst}, Logger: quiet}, signIn)
		var peers []*raw
		for _, id := range []string{"ann", "ann", "bob", "ann"} {
			p := st.raw(t)
			p.write(client("1 000 0001", id)) // before the limit applies
			p.expect(wire.OpText, "hello "+id)
			peers = append(peers, p)
		}
		for i := range burst {
			p := peers[i%2]
			p.write(client("1 000 0001", "="))
			p.expect(wire.OpText, "=")
		}
		peers[1].write(client("1 000 0001", "="))
		peers[1].expectClose(StatusPolicyViolation)
		for range burst {
			peers[2].write(client("1 000 0001", "="))
			peers[2].expect(wire.OpText, "=")
		}
		time.Sleep(10 * time.Second)
		peers[0].write(client("1 000 0001", "="))
		peers[0].expect(wire.OpText, "=")
		st.settle(peers...)
	})
}

// A new socket does not begin with a full bucket, and who is gone is forgotten.
func TestTheRateOfAUserOutlivesItsSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := inMemory.serve(t, Options{UserRateLimit: RateLimit{Messages: 1, Burst: 10}, PingInterval: -1, Logger: quiet}, signIn)
		sent := 0
		for range 5 {
			p := st.raw(t)
			p.write(client("1 000 0001", "ann"))
			p.expect(wire.OpText, "hello ann")
			for range 4 {
				p.write(client("1 000 0001", "="))
				if f, ok := p.next(); ok && f.Op == wire.OpText {
					sent++
				}
			}
			p.conn.Close()
			synctest.Wait()
		}
		if sent != 10 {
			t.Errorf("%d messages were taken", sent)
		}
		time.Sleep(time.Minute)
		p := st.raw(t)
		p.write(client("1 000 0001", "bob"))
		p.expect(wire.OpText, "hello bob")
		if known, left, _ := st.srv.users.Count(); known != 1 || left != 0 {
			t.Errorf("%d users are remembered, %d of them have left", known, left)
		}
		st.settle(p)
	})
}

func TestUserTellsWhoseSocketItIs(t *testing.T) {
	told := make(chan string, 1)
	st := overTCP.serve(t, Options{}, func(s *Socket) error {
		if id, info := s.User(); id != "" || info != nil {
			t.Errorf("the user is %q, %v", id, info)
		}
		for _, id := range []string{"", strings.Repeat("x", 257)} {
			if s.SetUser(id, nil) == nil {
				t.Errorf("%d bytes are an id", len(id))
			}
		}
		s.SetUser("ann", 1)
		s.SetUser("ann", 2)
		s.OnClose(func(StatusCode, string) {
			id, info := s.User()
			told <- fmt.Sprint(id, info, s.SetUser("bob", nil))
		})
		return s.Close(StatusNormalClosure, "")
	})
	st.raw(t).expectClose(StatusNormalClosure)
	if got, want := wait(t, told, "OnClose"), fmt.Sprint("ann", 2, ErrClosed); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What few sockets need has no room in all of them: this is a size class of Go's.
func TestASocketStaysInItsSizeClass(t *testing.T) {
	if size := unsafe.Sizeof(Socket{}); size > 352 {
		t.Errorf("a Socket has %d bytes", size)
	}
}

// Of those who say at once whose socket it is the last wins, and with its limit.
func TestTheLimitOfASocketIsThatOfItsUser(t *testing.T) {
	opts := Options{UserRateLimit: RateLimit{Messages: 1000, Burst: 100_000}, PingInterval: -1}
	st := overTCP.serve(t, opts, signIn)
	c := st.raw(t)
	eventually(t, "the socket", func() bool { return len(st.srv.Sockets()) == 1 })
	s := st.srv.Sockets()[0]
	for i := range 300 {
		var all sync.WaitGroup
		for n := range 16 {
			all.Go(func() { s.SetUser(fmt.Sprint("user ", i, n), nil) })
		}
		all.Wait()
		c.write(client("1 000 0001", "="))
		c.expect(wire.OpText, "=")
		if u := s.seat().user; u.Limit.Refill() == 0 {
			t.Fatalf("try %d: a message did not count for %s", i, u.ID)
		}
	}
}
