package websocket

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// until waits until the statistics are as they should be.
func (st *site) until(t *testing.T, what string, ok func(Stats) bool) Stats {
	t.Helper()
	for deadline := time.Now().Add(patience); ; runtime.Gosched() {
		if s := st.srv.Stats(); ok(s) {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %+v", what, st.srv.Stats())
		}
	}
}

// Sockets and their runs count for the pattern, and never for a path.
func TestRoutesCountByPattern(t *testing.T) {
	srv := NewServer(Options{Logger: quiet})
	mux := http.NewServeMux()
	handle := func(w http.ResponseWriter, r *http.Request) { srv.Upgrade(w, r, echo) }
	mux.HandleFunc("GET /rooms/{room}", handle)
	mux.HandleFunc("/chat", handle)
	st := overTCP.serveHTTP(t, srv, mux.ServeHTTP)
	for i := range 20 {
		peer := st.request(t, fmt.Sprintf("GET /rooms/%d", i)+greeting()[len("GET /chat"):])
		peer.write(client("1 000 0001", "x"))
		peer.expect(wire.OpText, "x")
		if i%2 == 0 {
			peer.conn.Close()
		}
	}
	st.raw(t).alive()
	got := st.until(t, "ten have gone", func(s Stats) bool { return s.Routes["/rooms/{room}"].Connections == 10 })
	rooms, chat := got.Routes["/rooms/{room}"], got.Routes["/chat"]
	if len(got.Routes) != 2 || rooms.TotalConnections != 20 || chat.Connections != 1 {
		t.Errorf("routes are %+v", got.Routes)
	}
	if n := rooms.Inline.Count + rooms.Workers.Count; n < 20 || rooms.Workers.Sum <= 0 {
		t.Errorf("%d runs in %v s", n, rooms.Workers.Sum)
	}
	data, err := json.Marshal(got)
	var back Stats
	if err != nil || json.Unmarshal(data, &back) != nil || back.Routes["/chat"].TotalConnections != 1 {
		t.Errorf("as JSON: %s, %v", data, err)
	}
}

// A handler that has shown to be quick runs inline; when it blocks, its run is handed
// over.
func TestRunsCountByWhereTheyWere(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("nothing is polled on " + runtime.GOOS)
	}
	release := make(chan bool)
	st := overTCP.serve(t, Options{}, func(s *Socket) error {
		s.OnMessage(func(m Message) {
			if m.Text() == "block" {
				<-release
			}
			s.SendMessage(m)
		})
		return nil
	})
	peer := st.raw(t)
	exchange := func(text string, meanwhile func()) {
		peer.write(client("1 000 0001", text))
		meanwhile()
		peer.expect(wire.OpText, text)
	}
	route := func() RouteStats { return st.srv.Stats().Routes[otherRoute] }
	for deadline := time.Now().Add(patience); route().HandedOver == 0; {
		for before := route().Inline.Count; route().Inline.Count == before && time.Now().Before(deadline); {
			exchange("quick", func() {})
		}
		exchange("block", func() { // inline, or, if the one before was slow, in a worker
			for until := time.Now().Add(time.Second); route().HandedOver == 0 && time.Now().Before(until); {
				runtime.Gosched()
			}
			release <- true
		})
		switch late := time.Now().After(deadline); {
		case late && route().Inline.Count == 0:
			t.Skip("no run is quick enough here to be inline, as with the race detector on a small machine")
		case late:
			t.Fatalf("no run was handed over: %+v", route())
		}
	}
	if r := route(); r.Inline.Count == 0 || r.Workers.Count == 0 {
		t.Errorf("runs are %+v", r)
	}
}

// Events are timed if that is asked for, and only those that have a handler: a peer
// makes up no names.
func TestEventsAreTimed(t *testing.T) {
	for _, on := range []bool{true, false} {
		t.Run(fmt.Sprint(on), func(t *testing.T) {
			st := overTCP.serve(t, Options{TimeEvents: on, Logger: quiet}, func(s *Socket) error {
				Handle(s, "add", func(_ context.Context, _ *Socket, n int) (int, error) { return n + 1, nil })
				s.On("panic", func(*Event) { panic("storm") })
				s.OnAny(func(*Event) {})
				return nil
			})
			s := st.dial(t, DialOptions{})
			for i := range 5 {
				s.Emit(fmt.Sprint("made up ", i))
				if _, err := s.Request(t.Context(), "add", i); err != nil {
					t.Fatal(err)
				}
			}
			s.Emit("panic")
			<-s.Context().Done()
			events := st.until(t, "the end", func(s Stats) bool { return s.Connections == 0 }).Routes[otherRoute].Events
			if on && (len(events) != 2 || events["add"].Count != 5 || events["panic"].Count != 1 || events["add"].P99 <= 0) || !on && len(events) != 0 {
				t.Errorf("events are %+v", events)
			}
		})
	}
}

func TestProgramsThatMakeUpEventsAreBounded(t *testing.T) {
	st := overTCP.serve(t, Options{TimeEvents: true}, func(s *Socket) error {
		for i := range 1000 {
			s.On(fmt.Sprint("event ", i), func(e *Event) { e.Reply() })
		}
		return nil
	})
	s := st.dial(t, DialOptions{})
	for i := range 1000 {
		if _, err := s.Request(t.Context(), fmt.Sprint("event ", i)); err != nil {
			t.Fatal(err)
		}
	}
	events := st.srv.Stats().Routes[otherRoute].Events
	if len(events) > 257 || events["other"].Count < 700 {
		t.Errorf("%d events, %d are others", len(events), events["other"].Count)
	}
}

func TestClosesTellWhoBegan(t *testing.T) {
	by := map[string]string{"closed by us": "us", "closed by the peer": "peer", "lost": "network", "reset": "network",
		"cut with all others": "us", "ended by a panic": "us", "ended by a broken rule": "us", "drained": "us"}
	for name, end := range endings {
		t.Run(name, func(t *testing.T) {
			st, peer, s, told := meet(t, overTCP, Options{Logger: quiet, DrainWindow: -1})
			if name == "ended by a panic" {
				s.OnMessage(func(Message) { panic("storm") })
			}
			end(st, s, peer)
			e := wait(t, told, "the end")
			got := st.srv.Stats().ClosedBy
			if len(got) != 1 || got[by[name]][e.code] != 1 {
				t.Errorf("%d was counted as %v", e.code, got)
			}
		})
	}
}

func TestRoundTripsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := inMemory.serve(t, Options{PingInterval: time.Second, PongTimeout: time.Second}, echo)
		peer := st.connect(t)
		peer.shake()
		go func() {
			for f, err := readFrame(peer.reader); err == nil; f, err = readFrame(peer.reader) {
				time.Sleep(100 * time.Millisecond)
				peer.write(client("1 000 1010", string(f.payload)))
			}
		}()
		time.Sleep(30 * time.Second)
		if rtt := st.srv.Stats().RTT; rtt.Count < 10 || rtt.P50 < 0.05 || rtt.P50 > 0.2 || rtt.Sum < 1 {
			t.Errorf("round trips are %+v", rtt)
		}
		st.settle(peer)
	})
}
