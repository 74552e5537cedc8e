package websocket

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

func TestASessionEndsWhenItsTimeIsOver(t *testing.T) {
	for _, code := range []StatusCode{StatusAbnormalClosure, 4000} {
		synctest.Test(t, func(t *testing.T) {
			type end struct {
				code StatusCode
				at   time.Duration
			}
			ended := make(chan end, 1)
			began := time.Now()
			st := inMemory.serve(t, Options{Resume: Resume{For: time.Minute}}, func(s *Socket) error {
				s.OnClose(func(code StatusCode, reason string) { ended <- end{code, time.Since(began)} })
				return nil
			})
			v := st.visitor(t)
			if code == 4000 {
				v.write(client("1 000 1000", string(wire.AppendClose(nil, uint16(code), "away"))))
			}
			v.conn.Close()
			time.Sleep(50 * time.Second)
			if got := st.srv.Stats(); got.Connections != 1 || got.Parked != 1 {
				t.Errorf("while it waits: %d sockets, %d parked", got.Connections, got.Parked)
			}
			if got := <-ended; got.code != code || got.at < time.Minute || got.at > time.Minute+time.Second {
				t.Errorf("OnClose told %v after %v", got.code, got.at)
			}
			if got := st.srv.Stats(); got.Connections != 0 || got.Parked != 0 {
				t.Errorf("then: %d sockets, %d parked", got.Connections, got.Parked)
			}
			v.again(t)
			v.refused("unknown")
			st.settle(v.raw)
		})
	}
}

func TestASessionKeepsNoMoreThanItMay(t *testing.T) {
	opts := Options{Resume: Resume{For: time.Hour, Bytes: 4 << 10}}
	st := overTCP.serve(t, opts, echoing)
	ended := make(chan error, 9)
	st.srv.opts.OnDisconnect = func(s *Socket, code StatusCode, reason string) { ended <- s.end() }

	v := st.visitor(t)
	s := st.srv.Socket(v.hi.ID)
	v.cut(t)
	err := error(nil)
	for i := 0; i < 100 && err == nil; i++ {
		err = s.SendText(strings.Repeat("x", 100))
	}
	if !errors.Is(err, ErrClosed) {
		t.Errorf("Send over the limit: %v", err)
	}
	waitFor(t, ended, patience, "the end")
	v.again(t)
	v.refused("unknown")

	// What was sent and not counted is kept to the same limit.
	s = st.srv.Socket(v.hi.ID)
	for range 100 {
		s.SendText(strings.Repeat("x", 100))
		v.hears(strings.Repeat("x", 100))
	}
	v.cut(t)
	v.got = 10
	v.again(t)
	v.refused("overflow")
}

// What has waited, and what is sent again, leaves room in a queue that is smaller.
func TestTheQueueHoldsWhatWaitsForAClient(t *testing.T) {
	st := overTCP.serve(t, Options{SendQueue: 16 << 10, Resume: Resume{For: time.Hour, Bytes: 64 << 10}}, echoing)
	v := st.visitor(t)
	s := st.srv.Socket(v.hi.ID)
	text := strings.Repeat("x", 1000)
	v.cut(t)
	for range 40 {
		if err := s.SendText(text); err != nil {
			t.Fatal(err)
		}
	}
	v.again(t)
	if err := s.SendText("one more"); err != nil {
		t.Error(err)
	}
	for range 40 {
		v.hears(text)
	}
	v.hears("one more")
}

// A connection that answers no ping is lost, and its session waits.
func TestASilentConnectionIsParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := inMemory.serve(t, Options{Resume: Resume{For: time.Minute}}, echoing)
		v := st.visitor(t)
		s := st.srv.Sockets()[0]
		time.Sleep(41 * time.Second) // 30 s to the ping, and 10 s
		if !s.Parked() {
			t.Fatal("the session does not wait")
		}
		s.SendText("waits")
		v.again(t)
		v.resumed(0)
		v.hears("waits")
		time.Sleep(41 * time.Second)
		if !s.Parked() {
			t.Fatal("the session does not wait again")
		}
		time.Sleep(61 * time.Second)
		if s.State() != StateClosed {
			t.Errorf("the session is %v when its time is over", s.State())
		}
		st.settle(v.raw)
	})
}

// A session goes on where no further connection may be, and those that wait make room.
func TestASessionTakesThePlaceOfItsOwn(t *testing.T) {
	opts := resuming
	opts.MaxConnections, opts.MaxConnectionsPerIP, opts.MaxConnectionsPerUser = 1, 1, 1
	srv := NewServer(opts)
	st := overTCP.serveHTTP(t, srv, func(w http.ResponseWriter, r *http.Request) {
		h, err := srv.Accept(w, r)
		if err == nil {
			err = h.Socket().SetUser("ann", nil)
		}
		if err == nil {
			h.Open(echoing)
			return
		}
		if h != nil {
			h.Refuse()
		}
		w.WriteHeader(503)
	})
	v := st.visitor(t)
	for range 30 {
		v.again(t) // while the connection is there
		v.resumed(0)
		v.cut(t)
		v.again(t)
		v.resumed(0)
	}
	if c := st.request(t, greeting(speaking)); c.answer.StatusCode != 503 {
		t.Errorf("another client was answered %d", c.answer.StatusCode)
	}
	v.alive()
	eventually(t, "one socket alone is counted", func() bool {
		_, _, anonymous := srv.users.Count()
		srv.mu.Lock()
		defer srv.mu.Unlock()
		return len(srv.byID) == 1 && anonymous == 0 && srv.admitted == 1
	})
}

func TestWhoIsThereGoesBeforeWhoMayComeBack(t *testing.T) {
	opts := resuming
	opts.MaxConnections = 3
	st := overTCP.serve(t, opts, echoing)
	var all []*visitor
	for range 3 {
		v := st.visitor(t)
		v.cut(t)
		all = append(all, v)
	}
	late := st.visitor(t)
	eventually(t, "the end of the first", func() bool { return st.srv.Socket(all[0].hi.ID) == nil })
	all[1].again(t)
	all[1].resumed(0)
	late.alive()
	if got := st.srv.Stats(); got.Connections != 3 || got.Parked != 1 {
		t.Errorf("%d sockets, %d parked", got.Connections, got.Parked)
	}
}

// An upgrade that is refused anyway ends nobody's session.
func TestWhoIsRefusedEndsNoSession(t *testing.T) {
	opts := resuming
	opts.MaxConnections, opts.MaxConnectionsPerIP = 1, 1
	st := overTCP.serve(t, opts, echoing)
	v := st.visitor(t)
	v.cut(t)
	for range 3 {
		if c := st.request(t, greeting(speaking)); c.answer.StatusCode != http.StatusTooManyRequests {
			t.Errorf("another client was answered %d", c.answer.StatusCode)
		}
	}
	v.again(t)
	v.resumed(0)

	opts.MaxConnectionsPerIP = 0
	opts.VerifyClient = func(r *http.Request) error {
		if r.Header.Get("User") == "" {
			return errors.New("nobody")
		}
		return nil
	}
	st = overTCP.serve(t, opts, echoing)
	v = st.visitor(t, "User: ann")
	v.cut(t)
	for range 3 {
		if c := st.request(t, greeting(speaking)); c.answer.StatusCode != http.StatusForbidden {
			t.Errorf("nobody was answered %d", c.answer.StatusCode)
		}
	}
	v.again(t)
	v.resumed(0)
}

// Answers to pings, and counts, wait in the queue as messages do.
func TestAPeerThatAsksAndDoesNotReadIsClosed(t *testing.T) {
	for _, opts := range []Options{{SendQueue: 16 << 10}, {SendQueue: 16 << 10, Resume: resuming.Resume}} {
		st := inMemory.serve(t, opts, func(s *Socket) error { s.OnMessage(func(Message) {}); return nil })
		c := st.connect(t)
		c.shake(speaking)
		s := st.srv.Sockets()[0]
		ended := make(chan struct{})
		s.OnClose(func(StatusCode, string) { close(ended) })
		ping := client("1 000 0001", `{"type":"ping","t":1}`)
		for i := 0; s.State() == StateOpen && i < 100_000; i++ {
			if !c.write(ping) {
				break
			}
		}
		if s.State() == StateOpen {
			t.Errorf("the socket is open with %d bytes waiting", s.Buffered())
		}
		c.conn.Close()
		waitFor(t, ended, patience, "the end")
	}
}
