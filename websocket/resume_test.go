package websocket

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/deflate"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// visitor is a client of nextrush.v1 that resumes its session.
type visitor struct {
	*raw
	st    *site
	lines []string
	got   int // messages that have come
	hi    struct {
		ID, Session, Why string
		Resumed          *bool
		Got              int
	}
}

func (st *site) visitor(t testing.TB, lines ...string) *visitor {
	t.Helper()
	v := &visitor{st: st, lines: lines}
	v.come(t, "")
	return v
}

// come connects, with an entry of the offer besides.
func (v *visitor) come(t testing.TB, offer string) {
	t.Helper()
	v.raw = v.st.raw(t, append([]string{speaking + offer}, v.lines...)...)
	f, _ := v.next()
	v.hi.Resumed, v.hi.Why = nil, ""
	if err := json.Unmarshal(f.payload, &v.hi); err != nil || !strings.HasPrefix(string(f.payload), `{"type":"hello"`) {
		t.Fatalf("the hello is %q: %v", f.payload, err)
	}
}

// again connects as somebody who wants to go on.
func (v *visitor) again(t testing.TB) {
	t.Helper()
	v.come(t, fmt.Sprintf(", resume.%s.%d", v.hi.Session, v.got))
}

func (v *visitor) hears(text string) {
	v.t.Helper()
	for {
		f, ok := v.next()
		if ok && (strings.HasPrefix(string(f.payload), `{"type":"got"`) || f.Op == wire.OpPing) {
			continue
		}
		if !ok || string(f.payload) != text {
			v.t.Fatalf("heard %q, want %q", f.payload, text)
		}
		v.got++
		return
	}
}

// resumed checks what the hello says.
func (v *visitor) resumed(got int) {
	v.t.Helper()
	if v.hi.Resumed == nil || !*v.hi.Resumed || v.hi.Got != got {
		v.t.Fatalf("the hello is %+v, want resumed with got %d", v.hi, got)
	}
}

func (v *visitor) refused(why string) {
	v.t.Helper()
	if v.hi.Resumed == nil || *v.hi.Resumed || v.hi.Why != why {
		v.t.Fatalf("the hello is %+v, want not resumed, and %s", v.hi, why)
	}
}

// cut ends the connection, and waits until the server knows.
func (v *visitor) cut(t testing.TB) {
	t.Helper()
	s := v.st.srv.Socket(v.hi.ID)
	v.conn.Close()
	eventually(t, "parking", s.Parked)
}

var resuming = Options{Resume: Resume{For: time.Hour}}

func echoing(s *Socket) error {
	s.OnMessage(func(m Message) { s.SendMessage(m) })
	return nil
}

func TestASessionGoesOn(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		var handled atomic.Int32
		st := n.serve(t, resuming, func(s *Socket) error {
			handled.Add(1)
			s.Set("name", "ann")
			s.Join("room")
			return echoing(s)
		})
		v := st.visitor(t)
		for _, text := range []string{"one", "two", "three"} {
			v.say(text)
			v.hears(text)
		}
		first, s := v.hi, st.srv.Socket(v.hi.ID)
		for i := range 3 {
			v.cut(t)
			away := fmt.Sprint("away ", i)
			st.srv.To("room").Send(away)
			s.SendText("besides")
			v.again(t)
			v.resumed(3 + i)
			if v.hi.ID != first.ID || v.hi.Session == first.Session {
				t.Errorf("hello %+v after %+v", v.hi, first)
			}
			v.hears(away)
			v.hears("besides")
			v.say("back")
			v.hears("back")
		}
		if got := handled.Load(); got != 1 || s.Get("name") != "ann" || s.State() != StateOpen {
			t.Errorf("the handler ran %d times; the value is %v, the state %v", got, s.Get("name"), s.State())
		}
		if got := st.srv.Stats(); got.Resumed != 3 || got.Parked != 0 || got.Connections != 1 || got.TotalConnections != 1 {
			t.Errorf("Stats: %+v", got)
		}
	})
}

// What the client has not got is sent again, and what the server has not got is not
// counted.
func TestWhatWasLostOnTheWayIsSentAgain(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, resuming, echoing)
		v := st.visitor(t)
		for i := range 5 {
			v.say(fmt.Sprint(i))
			v.hears(fmt.Sprint(i))
		}
		v.cut(t)
		v.got = 2 // as if the rest had been lost
		v.again(t)
		v.resumed(5)
		for i := 2; i < 5; i++ {
			v.hears(fmt.Sprint(i))
		}
		v.cut(t)
		v.got = 4
		v.again(t)
		v.resumed(5)
		v.hears("4")
	})
}

func TestAHalfOpenSessionIsTakenOver(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, resuming, echoing)
		v := st.visitor(t)
		v.say("one")
		v.hears("one")
		old := v.raw
		v.again(t)
		v.resumed(1)
		v.say("two")
		v.hears("two")
		old.expectClose(4409)
	})
}

func TestACallbackThatBlocksDoesNotKeepItsClientOut(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		entered, leave := make(chan struct{}, 9), make(chan struct{})
		st := n.serve(t, resuming, func(s *Socket) error {
			s.OnMessage(func(m Message) {
				entered <- struct{}{}
				<-leave
				s.SendText("did " + m.Text())
			})
			return nil
		})
		v := st.visitor(t)
		v.write(append(client("1 000 0001", "one"), client("1 000 0001", "two")...))
		waitFor(t, entered, patience, "the callback")
		v.again(t)
		v.resumed(1)
		go v.write(client("1 000 0001", "two"))
		close(leave)
		v.hears("did one")
		v.hears("did two")
		v.say("three")
		v.hears("did three")
	})
}

// The callback of all that has come by the first connection is still running when the
// second has come: that is read too, from its first byte.
func TestAConnectionThatComesDuringACallbackIsRead(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		entered, leave := make(chan struct{}, 9), make(chan struct{})
		st := n.serve(t, resuming, func(s *Socket) error {
			s.OnMessage(func(m Message) {
				entered <- struct{}{}
				<-leave
				s.SendMessage(m)
			})
			return nil
		})
		v := st.visitor(t)
		v.say("one")
		waitFor(t, entered, patience, "the callback")
		v.again(t)
		v.resumed(1)
		go v.write(client("1 000 0001", "two"))
		close(leave)
		v.hears("one")
		v.hears("two")
	})
}

func TestOnlyCode1000EndsASession(t *testing.T) {
	for code, ends := range map[StatusCode]bool{1000: true, 1005: true, 1001: false, 4000: false, 4001: false} {
		st := overTCP.serve(t, resuming, echoing)
		v := st.visitor(t)
		v.alive()
		s := st.srv.Socket(v.hi.ID)
		payload := wire.AppendClose(nil, uint16(code), "")
		v.write(client("1 000 1000", string(payload)))
		v.expectClose(code)
		if ends {
			eventually(t, "the end", func() bool { return st.srv.Socket(v.hi.ID) == nil })
			v.again(t)
			v.refused("unknown")
		} else {
			eventually(t, "parking", s.Parked)
			v.again(t)
			v.resumed(0)
		}
	}
}

// A client that gives a try up may not have had the hello: nobody could resume that session.
func TestATryThatWasGivenUpIsNotKept(t *testing.T) {
	st := overTCP.serve(t, resuming, echoing)
	v := st.visitor(t)
	v.write(client("1 000 1000", string(wire.AppendClose(nil, 4001, ""))))
	v.expectClose(4001)
	eventually(t, "the end", func() bool { return st.srv.Socket(v.hi.ID) == nil })
}

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

func TestAVolatileMessageDoesNotWaitForAClient(t *testing.T) {
	st := overTCP.serve(t, resuming, func(s *Socket) error { return s.Join("room") })
	v := st.visitor(t)
	s := st.srv.Socket(v.hi.ID)
	v.cut(t)
	st.srv.To("room").Volatile().Send("volatile")
	for i := range 3 {
		st.srv.To("room").Coalesce("key").Send(fmt.Sprint("state ", i))
	}
	s.Ping(nil)
	s.SendText("end")
	v.again(t)
	v.hears("state 2")
	v.hears("end")
}

func TestATokenIsASecret(t *testing.T) {
	srv := NewServer(resuming)
	st := overTCP.serveHTTP(t, srv, func(w http.ResponseWriter, r *http.Request) {
		h, err := srv.Accept(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		if user := r.Header.Get("User"); user != "" {
			h.Socket().SetUser(user, nil)
		}
		h.Open(echoing)
	})
	v := st.visitor(t, "User: ann")
	mine := v.hi.Session
	v.say("one")
	v.hears("one")
	id := v.hi.ID

	for _, token := range []string{"", ".", "abc", mine[:40], mine + "x", id + mine[22:41] + "A", strings.ToUpper(mine), id} {
		v := &visitor{st: st, lines: []string{"User: ann"}}
		v.come(t, ", resume."+token+".1")
		v.refused("unknown")
		v.conn.Close()
	}
	if st.srv.Socket(id).Parked() {
		t.Error("a wrong token has ended the connection")
	}
	for _, n := range []string{"", "-1", "x", "18446744073709551616"} {
		v := &visitor{st: st, lines: []string{"User: ann"}}
		v.come(t, ", resume."+mine+"."+n)
		v.refused("unknown")
	}

	// The token before is good until something has come by the connection.
	v.again(t)
	v.resumed(1)
	second := v.hi.Session
	v.come(t, ", resume."+mine+".1")
	v.resumed(1)
	v.alive()
	for _, used := range []string{mine, second} {
		w := &visitor{st: st, lines: []string{"User: ann"}}
		w.come(t, ", resume."+used+".1")
		w.refused("unknown")
	}

	// Also while the session waits.
	v.cut(t)
	w := &visitor{st: st, lines: []string{"User: ann"}}
	w.come(t, ", resume."+mine+".1")
	w.refused("unknown")

	// Somebody else with the token ends the session.
	thief := &visitor{st: st, lines: []string{"User: eve"}}
	thief.come(t, ", resume."+v.hi.Session+".1")
	thief.refused("user")
	eventually(t, "the end", func() bool { return st.srv.Socket(id) == nil })
}

func TestACountThatCannotBeEndsTheSession(t *testing.T) {
	st := overTCP.serve(t, resuming, echoing)
	v := st.visitor(t)
	v.got = 7
	v.again(t)
	v.refused("overflow")
	v.say(`{"type":"got","n":99}`)
	v.say(`{"type":"got","n":-1}`)
	v.say("one")
	v.got = 0
	v.hears("one")
}

func TestWhatIsKnownOfTheUserIsRenewed(t *testing.T) {
	srv := NewServer(resuming)
	role := 0
	st := overTCP.serveHTTP(t, srv, func(w http.ResponseWriter, r *http.Request) {
		h, err := srv.Accept(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		role++
		h.Socket().SetUser("ann", role)
		h.Open(echoing)
	})
	v := st.visitor(t)
	v.again(t)
	v.resumed(0)
	v.say("one")
	v.hears("one")
	if _, info := srv.Socket(v.hi.ID).User(); info != 2 {
		t.Errorf("the user is known as %v, want what the last upgrade has said", info)
	}
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
	for range 3 {
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
	_, _, anonymous := srv.users.Count()
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if len(srv.byID) != 1 || anonymous != 0 || srv.admitted != 1 {
		t.Errorf("%d sockets, %d anonymous, %d admitted", len(srv.byID), anonymous, srv.admitted)
	}
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
}

func TestTheClientIsToldWhatHasCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := inMemory.serve(t, resuming, func(s *Socket) error { s.OnMessage(func(Message) {}); return nil })
		v := st.visitor(t)
		began := time.Now()
		v.say("one")
		v.say(`{"type":"pong","t":1}`)
		v.say("two")
		v.expect(wire.OpText, `{"type":"got","n":2}`)
		if d := time.Since(began); d < 5*time.Second || d > 6*time.Second {
			t.Errorf("told after %v", d)
		}
		began = time.Now()
		v.say(strings.Repeat("x", 40<<10))
		v.expect(wire.OpText, `{"type":"got","n":3}`)
		if d := time.Since(began); d > time.Second {
			t.Errorf("told of 40 KiB after %v", d)
		}
		st.settle(v.raw)
	})
}

func TestShutdownDoesNotWaitForSessionsThatWait(t *testing.T) {
	st := overTCP.serve(t, resuming, echoing)
	v := st.visitor(t)
	s := st.srv.Socket(v.hi.ID)
	ended := make(chan StatusCode, 1)
	s.OnClose(func(code StatusCode, reason string) { ended <- code })
	v.cut(t)
	began := time.Now()
	if err := st.srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if d := time.Since(began); d > time.Second {
		t.Errorf("Shutdown took %v", d)
	}
	if code := waitFor(t, ended, patience, "OnClose"); code != StatusGoingAway {
		t.Errorf("OnClose told %d", code)
	}
}

func TestAServerWithoutSessionsSaysSo(t *testing.T) {
	st := overTCP.serve(t, Options{}, echoing)
	v := st.visitor(t)
	if v.hi.Session != "" {
		t.Errorf("the hello has a session: %+v", v.hi)
	}
	v.come(t, ", resume."+strings.Repeat("A", 43)+".0")
	v.refused("unknown")
}

// Both ways each message comes once and in order, however the connection is lost: at any
// byte, by an end or in silence, and while callbacks run.
func TestNothingIsLostOrDoubledBetweenConnections(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		const clients, count = 8, 300
		opts := resuming
		opts.Compression = Compression{Enabled: true, ContextTakeover: true, Threshold: 50}
		st := n.serve(t, opts, func(s *Socket) error {
			next := 0
			s.OnMessage(func(m Message) {
				if number(m.Text()) != next {
					t.Errorf("the server got %.20q, want %d", m.Text(), next)
				}
				next++
				s.SendMessage(m)
			})
			return nil
		})
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() {
				w := &wanderer{t: t, st: st, r: rand.New(rand.NewPCG(uint64(i), 1)), deflate: i%2 == 0}
				w.walk(count)
			})
		}
		all.Wait()
		if t.Failed() {
			return
		}
		if got := st.srv.Stats(); got.TotalConnections != clients {
			t.Errorf("%d sessions, want %d; resumed %d times", got.TotalConnections, clients, got.Resumed)
		}
	})
}

// wanderer is a client whose connections do not last. It follows docs/protocol.md.
type wanderer struct {
	t       *testing.T
	st      *site
	r       *rand.Rand
	deflate bool

	token    string
	sent     int // messages made
	counted  int // by the server
	received int
}

func (w *wanderer) walk(count int) {
	for w.received < count && !w.t.Failed() {
		w.visit(count)
	}
}

// visit is one connection: it sends and receives until it is lost.
func (w *wanderer) visit(count int) {
	conn, err := w.st.conn()
	if err != nil {
		w.t.Error(err)
		return
	}
	if w.r.IntN(3) > 0 { // else it stays half open until the next has taken over
		defer conn.Close()
	} else {
		w.t.Cleanup(func() { conn.Close() })
	}
	c := &raw{t: w.t, conn: conn}
	c.reader = bufio.NewReader(conn)
	offer := speaking
	if w.token != "" {
		offer += fmt.Sprintf(", resume.%s.%d", w.token, w.received)
	}
	lines := []string{offer}
	if w.deflate {
		lines = append(lines, "Sec-WebSocket-Extensions: permessage-deflate")
	}
	c.ask(greeting(lines...))
	if w.token != "" && w.r.IntN(8) == 0 {
		return // without the hello
	}
	hello, err := readFrame(c.reader)
	if err != nil {
		return
	}
	var hi struct {
		Session string
		Resumed bool
		Got     int
	}
	json.Unmarshal(hello.payload, &hi)
	if w.token != "" && !hi.Resumed {
		w.t.Errorf("not resumed: %s", hello.payload)
		return
	}
	w.token, w.counted = hi.Session, hi.Got
	if w.sent < w.counted {
		w.t.Errorf("the server has %d messages of %d", w.counted, w.sent)
	}
	stop := make(chan struct{})
	var writing sync.WaitGroup
	from, upTo := w.counted, min(count, max(w.sent, w.counted+w.r.IntN(60)))
	w.sent = max(w.sent, upTo)
	torn := w.r.IntN(4) == 0
	size := w.r.IntN(200)
	writing.Go(func() { w.write(conn, stop, from, upTo, size, torn) })
	conn.SetReadDeadline(time.Now().Add(patience))
	target := min(upTo, w.received+w.r.IntN(60))
	if torn {
		target = min(target, upTo-1)
	}
	for w.received < target {
		f, err := readFrame(c.reader)
		if err != nil {
			break
		}
		w.take(f)
	}
	close(stop)
	if w.r.IntN(2) == 0 {
		conn.Close()
	}
	conn.SetWriteDeadline(time.Now())
	writing.Wait()
}

func (w *wanderer) write(conn net.Conn, stop chan struct{}, from, to, size int, torn bool) {
	for i := from; i < to; i++ {
		select {
		case <-stop:
			return
		default:
		}
		b := client("1 000 0001", numbered(i, size))
		if torn && i == to-1 {
			b = b[:len(b)/2]
		}
		if _, err := conn.Write(b); err != nil {
			return
		}
	}
}

// take checks that a message is the next.
func (w *wanderer) take(f frame) {
	text := string(f.payload)
	if f.Rsv1 {
		b, err := deflate.DecompressChecked(nil, f.payload, nil, 1<<20, nil)
		if err != nil {
			w.t.Error(err)
		}
		text = string(b)
	}
	if f.Op != wire.OpText || strings.HasPrefix(text, `{"type":`) {
		return
	}
	if got := number(text); got != w.received {
		w.t.Errorf("the client got %.20q, want %d", text, w.received)
	}
	w.received++
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
