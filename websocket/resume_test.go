package websocket

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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
		// During a write, the old connection is closed without a word.
		st.until(t, "nothing is being written", func(s Stats) bool { return s.QueuedBytes == 0 })
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

func TestAVolatileMessageDoesNotWaitForAClient(t *testing.T) {
	st := overTCP.serve(t, resuming, func(s *Socket) error { return s.Join("room") })
	v := st.visitor(t)
	s := st.srv.Socket(v.hi.ID)
	eventually(t, "it is in the room", func() bool { return slices.Contains(s.Rooms(), "room") })
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
	st := overTCP.accepting(t, srv, func(h *Handshake, _ http.ResponseWriter, r *http.Request) {
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
	st := overTCP.accepting(t, srv, func(h *Handshake, _ http.ResponseWriter, _ *http.Request) {
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
	if d := time.Since(began); d > 30*time.Second {
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
