package websocket

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// keeping has history in rooms that begin with "room".
func keeping(h History) Options {
	return Options{Rooms: Rooms{"room*": {History: h}}, Logger: quiet}
}

var epochs = regexp.MustCompile(`"epoch":"([^"]+)"`)

// place reads a frame of the type, and returns its text with the epoch taken out, and the
// epoch.
func (c *raw) place() (text, epoch string) {
	c.t.Helper()
	f, ok := c.next()
	if !ok {
		c.t.Fatal("connection ended")
	}
	if m := epochs.FindSubmatch(f.payload); m != nil {
		epoch = string(m[1])
	}
	return string(epochs.ReplaceAll(f.payload, []byte(`"epoch":"E"`))), epoch
}

func (c *raw) wantPlace(want string) (epoch string) {
	c.t.Helper()
	got, epoch := c.place()
	if got != want {
		c.t.Fatalf("frame is %s\nwant %s", got, want)
	}
	return epoch
}

// joiner joins "room a" in its handler.
func joiner(s *Socket) error { return s.Join("room a") }

func TestMembersGetEventsWithTheirPlace(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, keeping(History{Messages: 10}), func(s *Socket) error {
			if s.Protocol() == "" {
				defer s.SendText("in")
			}
			return joiner(s)
		})
		c, plain := st.raw(t, speaking), st.raw(t)
		c.hello()
		epoch := c.wantPlace(`{"type":"joined","room":"room a","epoch":"E","offset":0}`)
		plain.hear("in")
		st.srv.To("room a").Emit("chat", "hi", 1)
		c.hear(`{"type":"event","event":"chat","data":["hi",1],"timestamp":0,"room":"room a","offset":1}`)
		plain.hear(`{"type":"event","event":"chat","data":["hi",1],"timestamp":0}`)
		st.srv.To("room a").Volatile().Emit("price", 2) // nobody wants to read it later
		st.srv.To("room a").Send("text")                // not an event
		c.hear(`{"type":"event","event":"price","data":[2],"timestamp":0}`)
		c.expect(wire.OpText, "text")
		if at, err := st.srv.Position(t.Context(), "room a"); at != (Position{Epoch: epoch, Offset: 1}) || err != nil {
			t.Errorf("Position is %v, %v", at, err)
		}
	})
}

func TestLeavingIsTold(t *testing.T) {
	st := overTCP.serve(t, keeping(History{Messages: 10}), func(s *Socket) error {
		s.Join("room a")
		s.Join("room a")
		s.Join("other")
		s.Leave("room a")
		s.Leave("room a")
		s.Leave("other")
		s.Join("room b")
		s.LeaveAll()
		return s.SendText("end")
	})
	c := st.raw(t, speaking)
	c.hello()
	c.wantPlace(`{"type":"joined","room":"room a","epoch":"E","offset":0}`)
	c.hear(`{"type":"left","room":"room a"}`)
	c.wantPlace(`{"type":"joined","room":"room b","epoch":"E","offset":0}`)
	c.hear(`{"type":"left","room":"room b"}`)
	c.hear("end")
}

func TestSyncReplaysWhatWasMissed(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, keeping(History{Messages: 10}), joiner)
		c := st.raw(t, speaking)
		was := c.hello()["id"].(string)
		epoch := c.wantPlace(`{"type":"joined","room":"room a","epoch":"E","offset":0}`)
		sender := st.srv.Socket(was)
		st.srv.To("room a").Emit("n", 1)
		sender.To("room a").Emit("own", 2)
		st.srv.To("room a").Except(was).Emit("not for it", 3)
		st.srv.To("room a").Emit("n", 4)
		c.hear(`{"type":"event","event":"n","data":[1],"timestamp":0,"room":"room a","offset":1}`)
		c.hear(`{"type":"event","event":"n","data":[4],"timestamp":0,"room":"room a","offset":4}`)
		again := st.raw(t, speaking)
		again.hello()
		again.wantPlace(`{"type":"joined","room":"room a","epoch":"E","offset":4}`)
		again.say(fmt.Sprintf(`{"type":"sync","was":%q,"rooms":{"room a":[%q,0]}}`, was, epoch))
		again.hear(`{"type":"event","event":"n","data":[1],"timestamp":0,"room":"room a","offset":1,"replayed":true}`)
		again.hear(`{"type":"event","event":"n","data":[4],"timestamp":0,"room":"room a","offset":4,"replayed":true}`)
		again.wantPlace(`{"type":"synced","room":"room a","recovered":true,"epoch":"E","offset":4}`)
		st.srv.To("room a").Emit("n", 5)
		again.hear(`{"type":"event","event":"n","data":[5],"timestamp":0,"room":"room a","offset":5}`)
		other := st.raw(t, speaking) // who did not send them gets them
		other.hello()
		other.wantPlace(`{"type":"joined","room":"room a","epoch":"E","offset":5}`)
		other.say(fmt.Sprintf(`{"type":"sync","rooms":{"room a":[%q,1]}}`, epoch))
		for _, want := range []string{"own", "not for it", "n", "n"} {
			if m := other.json(); m["event"] != want || m["replayed"] != true {
				t.Errorf("replayed is %v, want %s", m, want)
			}
		}
		other.wantPlace(`{"type":"synced","room":"room a","recovered":true,"epoch":"E","offset":5}`)
	})
}

func TestWhatCannotBeReplayedIsToldAndNotReplayedInPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := keeping(History{Messages: 3, Bytes: 4000, Age: time.Minute})
		opts.Rooms["room private"] = RoomOptions{History: History{Messages: 3, Private: true}}
		opts.SendQueue = 4096
		opts.PingInterval = -1
		st := inMemory.serve(t, opts, func(s *Socket) error {
			s.Join("room private")
			return joiner(s)
		})
		emit := func(room string, data any) { st.srv.To(room).Emit("e", data) }
		for _, test := range []struct {
			name, room string
			before     func()
			offset     uint64
			recovered  bool
			want       int // replayed
		}{
			{"all", "room a", func() { emit("room a", 1); emit("room a", 2); emit("room a", 3) }, 0, true, 3},
			{"nothing new", "room a", func() {}, 3, true, 0},
			{"too many", "room a", func() { emit("room a", 4) }, 0, false, 0},
			{"ahead", "room a", func() {}, 5, false, 0},
			{"too large to be queued", "room a", func() { emit("room a", strings.Repeat("x", 2000)) }, 4, false, 0},
			{"too large for the ring", "room a", func() { emit("room a", strings.Repeat("x", 5000)) }, 5, false, 0},
			{"too old", "room a", func() { emit("room a", 7); time.Sleep(time.Minute) }, 6, false, 0},
			{"nothing new, long after", "room a", func() { time.Sleep(time.Hour) }, 7, true, 0},
			{"private", "room private", func() { emit("room private", 1) }, 0, false, 0},
			{"private, nothing new", "room private", func() {}, 1, true, 0},
			{"without history", "other", func() {}, 1, false, 0},
		} {
			func() {
				hold := st.raw(t, speaking) // who is in keeps the epoch
				at, _ := st.srv.Position(t.Context(), test.room)
				test.before()
				c := st.raw(t, speaking)
				for range 3 { // hello and two joins
					c.json()
				}
				c.say(fmt.Sprintf(`{"type":"sync","rooms":{%q:[%q,%d]}}`, test.room, at.Epoch, test.offset))
				for range test.want {
					if m := c.json(); m["replayed"] != true {
						t.Errorf("%s: frame is %v", test.name, m)
					}
				}
				if m := c.json(); m["type"] != "synced" || m["room"] != test.room || m["recovered"] != test.recovered {
					t.Errorf("%s: answer is %v, want recovered %v", test.name, m, test.recovered)
				}
				hold.conn.Close()
				c.conn.Close()
			}()
		}
		st.settle()
	})
}

func TestAnEmptyRoomIsKeptForItsAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := inMemory.serve(t, keeping(History{Messages: 3, Age: time.Minute}), nil)
		st.srv.To("room a").Emit("e", 1)
		first, _ := st.srv.Position(t.Context(), "room a")
		time.Sleep(50 * time.Second)
		if at, _ := st.srv.Position(t.Context(), "room a"); at != first {
			t.Errorf("it is at %v, was at %v", at, first)
		}
		time.Sleep(2 * time.Minute)
		if rooms, bytes := st.srv.told.Size(); rooms != 0 || bytes != 0 {
			t.Errorf("%d rooms are kept, with %d bytes", rooms, bytes)
		}
		if at, _ := st.srv.Position(t.Context(), "room a"); at.Epoch == first.Epoch || at.Offset != 0 {
			t.Errorf("a new history is at %v, was at %v", at, first)
		}
		st.settle()
	})
}

func TestSyncWaitsForTheJoin(t *testing.T) {
	joined := make(chan *Socket, 2)
	st := overTCP.serve(t, keeping(History{Messages: 10}), func(s *Socket) error {
		joined <- s
		return nil
	})
	at, _ := st.srv.Position(t.Context(), "room a")
	st.srv.To("room a").Emit("n", 1)
	c := st.raw(t, speaking)
	c.hello()
	c.say(fmt.Sprintf(`{"type":"sync","rooms":{"room a":[%q,0]}}`, at.Epoch))
	c.say(`{"type":"ping","t":1}`)
	c.hear(`{"type":"pong","t":1}`)
	(<-joined).Join("room a")
	c.wantPlace(`{"type":"joined","room":"room a","epoch":"E","offset":0}`)
	c.hear(`{"type":"event","event":"n","data":[1],"timestamp":0,"room":"room a","offset":1,"replayed":true}`)
	c.wantPlace(`{"type":"synced","room":"room a","recovered":true,"epoch":"E","offset":1}`)
}

func TestJoinFromReplaysForPlainSocketsToo(t *testing.T) {
	type result struct {
		recovered bool
		err       error
	}
	results := make(chan result, 3)
	st := overTCP.serve(t, keeping(History{Messages: 2}), nil)
	at, _ := st.srv.Position(t.Context(), "room a")
	st.srv.To("room a").Emit("n", 1)
	st.srv.To("room a").Emit("n", 2)
	handler := func(s *Socket) error {
		recovered, err := s.JoinFrom(s.Context(), "room a", at)
		results <- result{recovered, err}
		return s.SendText("end")
	}
	l := overTCP.serveHTTP(t, st.srv, func(w http.ResponseWriter, r *http.Request) { st.srv.Upgrade(w, r, handler) })
	c, plain := l.raw(t, speaking), l.raw(t)
	c.hello()
	c.wantPlace(`{"type":"joined","room":"room a","epoch":"E","offset":0,"replayed":true}`)
	c.hear(`{"type":"event","event":"n","data":[1],"timestamp":0,"room":"room a","offset":1,"replayed":true}`)
	c.hear(`{"type":"event","event":"n","data":[2],"timestamp":0,"room":"room a","offset":2,"replayed":true}`)
	c.wantPlace(`{"type":"synced","room":"room a","recovered":true,"epoch":"E","offset":2}`)
	c.hear("end")
	plain.hear(`{"type":"event","event":"n","data":[1],"timestamp":0}`)
	plain.hear(`{"type":"event","event":"n","data":[2],"timestamp":0}`)
	plain.hear("end")
	st.srv.To("room a").Emit("n", 3)
	plain.hear(`{"type":"event","event":"n","data":[3],"timestamp":0}`)
	late := l.raw(t)
	late.hear("end")
	early := NewServer(keeping(History{Messages: 2}))
	r, _ := http.ReadRequest(bufio.NewReader(strings.NewReader(greeting())))
	h, err := early.Accept(httptest.NewRecorder(), r)
	if err != nil {
		t.Fatal(err)
	}
	if recovered, err := h.Socket().JoinFrom(t.Context(), "room a", at); recovered || err != nil {
		t.Errorf("JoinFrom before the 101: %v, %v", recovered, err)
	}
	h.Refuse()
	for _, want := range []result{{true, nil}, {true, nil}, {false, nil}} {
		if got := <-results; got != want {
			t.Errorf("JoinFrom returned %v, want %v", got, want)
		}
	}
	s := st.srv.Sockets()[0]
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.JoinFrom(ctx, "room a", at); err != context.Canceled {
		t.Errorf("JoinFrom: %v", err)
	}
	if _, err := s.JoinFrom(t.Context(), "other", at); err != nil || len(st.srv.SocketsIn("other")) != 1 {
		t.Errorf("JoinFrom of a room without history: %v", err)
	}
}

func TestJoinsBeforeThe101AreToldAfterTheHello(t *testing.T) {
	srv := NewServer(keeping(History{Messages: 10}))
	at, _ := srv.Position(t.Context(), "room b")
	srv.To("room b").Emit("n", 1)
	st := overTCP.accepting(t, srv, func(h *Handshake, _ http.ResponseWriter, r *http.Request) {
		s := h.Socket()
		s.Join("other")
		s.Join("room a")
		s.Join("room a")
		s.Join("room b")
		s.JoinFrom(r.Context(), "room b", at)
		s.Join("room c")
		s.Leave("room c")
		if rooms := fmt.Sprint(s.Rooms()); rooms != "[other room a room b]" {
			t.Errorf("Rooms is %s", rooms)
		}
		h.Open(func(s *Socket) error { return s.SendText(fmt.Sprint(s.Rooms())) })
	})
	c := st.raw(t, speaking)
	c.hello()
	c.wantPlace(`{"type":"joined","room":"room a","epoch":"E","offset":0}`)
	c.wantPlace(`{"type":"joined","room":"room b","epoch":"E","offset":0,"replayed":true}`)
	c.hear(`{"type":"event","event":"n","data":[1],"timestamp":0,"room":"room b","offset":1,"replayed":true}`)
	c.wantPlace(`{"type":"synced","room":"room b","recovered":true,"epoch":"E","offset":1}`)
	c.hear("[other room a room b]")
}

func TestAnEventToSeveralRoomsHasOneFrameForEach(t *testing.T) {
	st := overTCP.serve(t, keeping(History{Messages: 10}), func(s *Socket) error {
		for _, room := range []string{"room a", "room b", "other"} {
			s.Join(room)
		}
		return s.SendText("in")
	})
	c, plain := st.raw(t, speaking), st.raw(t)
	for range 3 {
		c.json()
	}
	c.hear("in")
	plain.hear("in")
	st.srv.To("room a").To("other").To("room b").To("room a").Emit("n", 1)
	first, second := c.json(), c.json()
	if first["room"] != "room a" || second["room"] != "room b" || first["mid"] != second["mid"] || first["mid"] == nil {
		t.Errorf("frames are %v and %v", first, second)
	}
	plain.hear(`{"type":"event","event":"n","data":[1],"timestamp":0}`)
	st.srv.To("other").Emit("n", 2)
	c.hear(`{"type":"event","event":"n","data":[2],"timestamp":0}`)
	plain.hear(`{"type":"event","event":"n","data":[2],"timestamp":0}`)
}

func TestNamespacesHaveHistoriesOfTheirOwn(t *testing.T) {
	srv := NewServer(keeping(History{Messages: 10}))
	other := srv.Namespace("other")
	other.To("room a").Emit("n", 1)
	mine, _ := srv.Position(t.Context(), "room a")
	theirs, _ := other.Position(t.Context(), "room a")
	if mine.Offset != 0 || theirs.Offset != 1 || mine.Epoch == theirs.Epoch {
		t.Errorf("positions are %v and %v", mine, theirs)
	}
	srv.Close()
}

func TestAPositionInJSONIsAPair(t *testing.T) {
	text, err := json.Marshal(map[string]Position{"at": {Epoch: "e7", Offset: 42}})
	if string(text) != `{"at":["e7",42]}` || err != nil {
		t.Errorf("%s, %v", text, err)
	}
	var p Position
	if err := json.Unmarshal([]byte(`["e8",1]`), &p); err != nil || p != (Position{Epoch: "e8", Offset: 1}) {
		t.Errorf("%v, %v", p, err)
	}
	if json.Unmarshal([]byte(`["e9",-1]`), &p) == nil || p.Epoch != "e8" {
		t.Errorf("a negative offset was taken: %v", p)
	}
}

// Rooms with history know the same receivers as others, in replays too.
func TestWhoIsLeftOutOfARoomAndWhoIsAddedToIt(t *testing.T) {
	st := overTCP.serve(t, keeping(History{Messages: 10}), joiner)
	was := make(map[string]string)
	peers := make(map[string]*raw)
	for _, name := range []string{"member", "other", "guest", "both"} {
		c := st.raw(t, speaking)
		was[name], peers[name] = c.hello()["id"].(string), c
		c.place()
	}
	at, _ := st.srv.Position(t.Context(), "room a")
	st.srv.Socket(was["other"]).Join("out")
	st.srv.Socket(was["guest"]).Leave("room a")
	peers["guest"].hear(`{"type":"left","room":"room a"}`)
	st.srv.To("room a").ToID(was["guest"]).ToID(was["both"]).ExceptRooms("out").Emit("n", 1)
	st.srv.All().Send("end")
	const event, place = `{"type":"event","event":"n","data":[1],"timestamp":0`, `,"room":"room a","offset":1`
	peers["member"].hear(event + place + "}")
	peers["guest"].hear(event + "}")
	peers["both"].hear(event + place + "}")
	for _, c := range peers {
		c.expect(wire.OpText, "end")
	}
	for name, replayed := range map[string]bool{"member": true, "other": false} {
		c := st.raw(t, speaking)
		c.hello()
		c.place()
		c.say(fmt.Sprintf(`{"type":"sync","was":%q,"rooms":{"room a":[%q,0]}}`, was[name], at.Epoch))
		if replayed {
			c.hear(event + place + `,"replayed":true}`)
		}
		c.wantPlace(`{"type":"synced","room":"room a","recovered":true,"epoch":"E","offset":1}`)
	}
}

func TestHistoryIsWhatAClientBeginsWith(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := inMemory.serve(t, keeping(History{Messages: 4, Age: time.Hour}), nil)
		names := func(p Past) (s string) {
			for _, e := range p.Events {
				s += fmt.Sprint(e.Offset, e.Name, " ")
			}
			return s
		}
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			st.srv.To("room a").Except("nobody").Emit(name, name, []byte{1, 2})
		}
		at, _ := st.srv.Position(t.Context(), "room a")
		for n, want := range map[int]string{-1: "", 0: "", 1: "5e ", 3: "3c 4d 5e ", 4: "2b 3c 4d 5e ", 50: "2b 3c 4d 5e "} {
			if p, err := st.srv.History(t.Context(), "room a", n); names(p) != want || p.Position != at || err != nil {
				t.Errorf("the last %d are %s at %v, %v; want %s", n, names(p), p.Position, err, want)
			}
		}
		p, _ := st.srv.History(t.Context(), "room a", 1)
		text, _ := json.Marshal(p)
		want := fmt.Sprintf(`{"events":[{"event":"e","data":["e","AQI="],"timestamp":%d,"offset":5}],"position":[%q,5]}`, time.Now().UnixMilli(), at.Epoch)
		if string(text) != want {
			t.Errorf("in JSON it is %s\nwant %s", text, want)
		}
		time.Sleep(2 * time.Hour)
		for _, room := range []string{"room a", "room b", "other"} {
			if p, err := st.srv.History(t.Context(), room, 5); names(p) != "" || p.Events == nil || p.Position.Offset != 0 || err != nil {
				t.Errorf("%s: %+v, %v", room, p, err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := st.srv.History(ctx, "room a", 5); err != context.Canceled {
			t.Error(err)
		}
		st.settle()
	})
}
