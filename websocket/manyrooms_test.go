package websocket

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/nextrush/nextrush/websocket/internal/envelope"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

func TestClientsJoinWhereTheyMay(t *testing.T) {
	opts := keeping(History{Messages: 10})
	opts.MaxRoomsPerSocket = 2
	opts.Rooms["room open*"] = RoomOptions{History: History{Messages: 10}, Join: func(s *Socket, room string) error {
		switch room {
		case "room open secret":
			return &EventError{Message: "not for you"}
		case "room open failure":
			return fmt.Errorf("of the database")
		case "room open end":
			return &CloseError{Code: 4000, Reason: "go"}
		}
		return nil
	}}
	opts.Rooms["lobby"] = RoomOptions{Join: func(*Socket, string) error { return nil }}
	st := overTCP.serve(t, opts, nil)
	at, _ := st.srv.Position(t.Context(), "room open 1")
	st.srv.To("room open 1").Emit("n", 1)
	c := st.raw(t, speaking)
	if can := fmt.Sprint(c.hello()["can"]); can != "[history join]" {
		t.Errorf("can is %s", can)
	}
	c.say(`{"type":"join","id":1,"room":"room a"}`)
	c.hear(`{"type":"error","id":1,"message":"not allowed"}`)
	c.say(`{"type":"join","id":2,"room":"room open secret"}`)
	c.hear(`{"type":"error","id":2,"message":"not for you"}`)
	c.say(`{"type":"join","id":3,"room":"room open failure"}`)
	c.hear(`{"type":"error","id":3,"message":"internal error"}`)
	c.say(`{"type":"join","id":4,"room":"lobby"}`)
	c.hear(`{"type":"ack","id":4,"data":[{}]}`)
	c.say(fmt.Sprintf(`{"type":"join","id":5,"room":"room open 1","since":[%q,0]}`, at.Epoch))
	c.wantPlace(`{"type":"joined","room":"room open 1","epoch":"E","offset":0}`)
	c.hear(`{"type":"event","event":"n","data":[1],"timestamp":0,"room":"room open 1","offset":1,"replayed":true}`)
	c.wantPlace(`{"type":"synced","room":"room open 1","recovered":true,"epoch":"E","offset":1}`)
	c.hear(`{"type":"ack","id":5,"data":[{"recovered":true}]}`)
	c.say(`{"type":"join","id":6,"room":"room open 2"}`)
	c.hear(`{"type":"error","id":6,"message":"too many rooms"}`)
	c.say(`{"type":"join","id":7,"room":"room open ` + strings.Repeat("x", 300) + `"}`)
	c.hear(`{"type":"error","id":7,"message":"not allowed"}`)
	c.say(`{"type":"leave","id":8,"room":"room open 1"}`)
	c.hear(`{"type":"left","room":"room open 1"}`)
	c.hear(`{"type":"ack","id":8,"data":[{}]}`)
	c.say(`{"type":"leave","id":9,"room":"room a"}`)
	c.hear(`{"type":"error","id":9,"message":"not allowed"}`)
	c.say(`{"type":"join","id":10,"room":"room open end"}`)
	if reason := c.expectClose(4000); reason != "go" {
		t.Errorf("the reason is %q", reason)
	}
}

func TestRoomsThatCannotBeAreRefusedAtStart(t *testing.T) {
	for pattern, opts := range map[string]RoomOptions{
		"a*b": {}, "": {}, "*x*": {}, "a": {History: History{Bytes: 1}}, "b": {History: History{Messages: -1}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q, %+v was taken", pattern, opts)
				}
			}()
			NewServer(Options{Rooms: Rooms{pattern: opts}})
		}()
	}
}

// A slow member that gets all or nothing: it can come back and ask for the rest.
func TestNoEventOfAHistoryIsDroppedForASlowMember(t *testing.T) {
	for _, policy := range []SlowConsumer{CloseSlow, DropNewest, DropOldest} {
		opts := keeping(History{Messages: 10})
		opts.SlowConsumer, opts.SendQueue = policy, 64<<10
		joined := make(chan *Socket, 1)
		st := overTCP.serve(t, opts, func(s *Socket) error {
			defer func() { joined <- s }()
			return joiner(s)
		})
		c := st.connect(t)
		c.shake(speaking)
		s := <-joined
		for s.State() == StateOpen { // until it is too slow
			st.srv.To("room a").Emit("large", strings.Repeat("x", 32<<10))
		}
		go c.read(c.reader)
		c.expectClose(StatusTryAgainLater)
	}
}

// Many join while many emit. Everyone sees one order, without holes.
func TestMembersOfARoomSeeOneOrder(t *testing.T) {
	const members, emitters, events = 1000, 4, 30
	opts := keeping(History{Messages: emitters * events})
	opts.PingInterval = -1 // our peers answer none, and the machine may be slow
	st := overTCP.serve(t, opts, joiner)
	at, _ := st.srv.Position(t.Context(), "room a")
	var wg, done sync.WaitGroup
	for range members {
		c := st.raw(t, speaking)
		wg.Go(func() {
			last, synced := uint64(0), false
			for last < emitters*events {
				f, ok := c.next()
				if !ok {
					t.Error("connection ended")
					return
				}
				var m struct {
					Type      string
					Offset    uint64
					Replayed  bool
					Recovered bool
				}
				json.Unmarshal(f.payload, &m)
				switch {
				case m.Type == "joined":
					c.say(fmt.Sprintf(`{"type":"sync","rooms":{"room a":[%q,0]}}`, at.Epoch))
				case m.Type == "synced":
					if synced = true; !m.Recovered || m.Offset != last {
						t.Errorf("synced at %d, %v, after %d", m.Offset, m.Recovered, last)
					}
				case m.Type == "event" && (m.Replayed || synced):
					if m.Offset != last+1 {
						t.Errorf("event %d after %d", m.Offset, last)
						return
					}
					last = m.Offset
				}
			}
		})
	}
	for range emitters {
		done.Go(func() {
			for i := range events {
				st.srv.To("room a").Emit("n", i)
			}
		})
	}
	done.Wait()
	wg.Wait()
}

func TestBinaryEventsHaveAPlaceToo(t *testing.T) {
	st := overTCP.serve(t, keeping(History{Messages: 10}), joiner)
	at, _ := st.srv.Position(t.Context(), "room a")
	c := st.raw(t, speaking)
	c.hello()
	c.wantPlace(`{"type":"joined","room":"room a","epoch":"E","offset":0}`)
	st.srv.To("room a").Emit("image", "a.png", []byte("pixels"))
	st.srv.To("room a").Emit("long", strings.Repeat("n", 65_440), []byte("pixels")) // with a place, too long for an envelope
	want := func(c *raw, replayed bool) {
		t.Helper()
		f, _ := c.next()
		env, ok := envelope.ParseBinary(f.payload)
		var place struct {
			Room     string
			Offset   uint64
			Replayed bool
		}
		json.Unmarshal(f.payload[2:len(f.payload)-len("pixels")], &place)
		if f.Op != wire.OpBinary || !ok || string(env.Bytes) != "pixels" || place.Room != "room a" || place.Offset != 1 || place.Replayed != replayed {
			t.Errorf("frame is %d %q", f.Op, f.payload)
		}
		if m := c.json(); m["offset"] != 2.0 || m["event"] != "long" || (m["replayed"] == true) != replayed {
			t.Errorf("then %v", m)
		}
	}
	want(c, false)
	c.say(fmt.Sprintf(`{"type":"sync","rooms":{"room a":[%q,0]}}`, at.Epoch))
	want(c, true)
	c.wantPlace(`{"type":"synced","room":"room a","recovered":true,"epoch":"E","offset":2}`)
}
