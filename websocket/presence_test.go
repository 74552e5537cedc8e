package websocket

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/roster"
)

// showing has presence in rooms that begin with "room".
var showing = Options{Rooms: Rooms{"room*": {Presence: true}}, PingInterval: -1, Logger: quiet}

// attend serves sockets that join "room a" as the user that their URL names.
func attend(t *testing.T, n network, opts Options) (*site, func(user string, lines ...string) *raw) {
	srv := NewServer(opts)
	st := n.accepting(t, srv, func(h *Handshake, _ http.ResponseWriter, r *http.Request) {
		if user := r.Header.Get("User"); user != "" {
			h.Socket().SetUser(user, nil)
		}
		h.Socket().Join("room a")
		h.Open(nil)
	})
	return st, func(user string, lines ...string) *raw {
		c := st.raw(t, append(lines, "User: "+user)...)
		if len(lines) > 0 {
			c.hello()
			c.hear(`{"type":"joined","room":"room a"}`)
		}
		return c
	}
}

func TestPresenceTellsUsersOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, come := attend(t, inMemory, showing)
		began := time.Now()
		ann := come("ann", speaking)
		ann.hear(`{"type":"presence","room":"room a","set":{"ann":{"data":null,"sockets":1}}}`)
		if since := time.Since(began); since != roster.Batch {
			t.Errorf("told after %v", since)
		}
		tabs := []*raw{come("bob", speaking), come("bob", speaking), come("bob"), come("carl")} // two are plain
		ann.hear(`{"type":"presence","room":"room a","join":{"bob":{"data":null,"sockets":3},"carl":{"data":null,"sockets":1}}}`)
		const all = `{"type":"presence","room":"room a","set":{"ann":{"data":null,"sockets":1},"bob":{"data":null,"sockets":3},"carl":{"data":null,"sockets":1}}}`
		tabs[0].hear(all)
		tabs[1].hear(all)
		tabs[0].say(`{"type":"presence","room":"room a","data":{"name":"Bob"}}`)
		ann.hear(`{"type":"presence","room":"room a","join":{"bob":{"data":{"name":"Bob"},"sockets":3}}}`)
		ann.say(`{"type":"presence","room":"room a"}`)
		ann.hear(`{"type":"presence","room":"room a","set":{"ann":{"data":null,"sockets":1},"bob":{"data":{"name":"Bob"},"sockets":3},"carl":{"data":null,"sockets":1}}}`)
		for _, c := range tabs {
			c.conn.Close()
		}
		time.Sleep(4 * time.Second)
		back := come("bob", speaking) // within the delay
		back.json()
		ann.hear(`{"type":"presence","room":"room a","leave":["carl"]}`)
		if list, err := st.srv.Presence(t.Context(), "room a"); len(list) != 2 || list[0].User != "ann" || list[1].Sockets != 1 || err != nil {
			t.Errorf("Presence is %v, %v", list, err)
		}
		for _, m := range []string{`"room":"other"`, `"room":"room b","data":1`, `"room":"room a","data":"` + string(make([]byte, 0)) + `x"`} {
			back.say(`{"type":"presence",` + m + `}`)
		}
		ann.hear(`{"type":"presence","room":"room a","join":{"bob":{"data":"x","sockets":1}}}`)
		st.srv.SocketsIn("room a")[0].Namespace().To("room a").Leave("room a")
		time.Sleep(time.Minute)
		if rooms, _ := st.srv.told.Size(); rooms != 0 {
			t.Errorf("%d rooms are kept, though nobody is there", rooms)
		}
		st.settle(ann, back)
	})
}

// A user whose socket waits for its client is there until the session ends.
func TestAParkedSocketIsPresent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := showing
		opts.Resume = Resume{For: time.Minute}
		st, come := attend(t, inMemory, opts)
		ann, bob := come("ann"), come("bob", speaking)
		bob.conn.Close()
		time.Sleep(50 * time.Second)
		if list, err := st.srv.Presence(t.Context(), "room a"); len(list) != 2 || list[1].Sockets != 1 || err != nil {
			t.Errorf("while it waits, Presence is %v, %v", list, err)
		}
		time.Sleep(20 * time.Second)
		if list, err := st.srv.Presence(t.Context(), "room a"); len(list) != 1 || err != nil {
			t.Errorf("after that, Presence is %v, %v", list, err)
		}
		st.settle(ann)
	})
}

func TestPresenceFollowsSetUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := showing
		opts.Rooms = Rooms{"room a": {Presence: true, LeaveDelay: -1}}
		st, come := attend(t, inMemory, opts)
		ann, late := come("ann", speaking), come("", speaking)
		ann.json()
		id := st.srv.SocketsIn("room a")[1].ID()
		late.json()
		st.srv.Socket(id).SetUser("late", nil)
		ann.hear(`{"type":"presence","room":"room a","join":{"late":{"data":null,"sockets":1}},"leave":["` + id + `"]}`)
		st.settle(ann, late)
	})
}

func TestPresenceOfACrowdIsItsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := showing
		opts.Rooms = Rooms{"room a": {Presence: true, LeaveDelay: -1}}
		st, come := attend(t, inMemory, opts)
		ann := come("ann", speaking)
		ann.json()
		var crowd []*raw
		for i := range roster.Most {
			crowd = append(crowd, come(fmt.Sprint("user ", i)))
		}
		ann.hear(fmt.Sprintf(`{"type":"presence","room":"room a","count":%d}`, roster.Most+1))
		late := come("late", speaking)
		late.hear(fmt.Sprintf(`{"type":"presence","room":"room a","count":%d}`, roster.Most+2))
		ann.hear(fmt.Sprintf(`{"type":"presence","room":"room a","count":%d}`, roster.Most+2))
		for _, c := range crowd[10:] {
			c.conn.Close()
		}
		m := ann.json()
		for m["set"] == nil {
			m = ann.json()
		}
		known := asMap(m["set"])
		for len(known) > 12 { // they do not all go at once
			m = ann.json()
			left, _ := m["leave"].([]any)
			for _, id := range left {
				delete(known, id.(string))
			}
		}
		if len(known) != 12 || known["ann"] == nil || known["late"] == nil {
			t.Errorf("known are %v", known)
		}
		st.settle(append(crowd, ann, late)...)
	})
}

// Thousands come and go at once: each user is told as having come and gone once.
func TestPresenceOfManyWhoComeAndGo(t *testing.T) {
	const users, sockets = 300, 4
	opts := showing
	opts.Rooms = Rooms{"room a": {Presence: true, LeaveDelay: time.Millisecond}}
	st, come := attend(t, overTCP, opts)
	watcher := come("watcher", speaking)
	seen := map[string]int{}
	note := func(m map[string]any) {
		for _, kind := range []string{"set", "join"} {
			for id := range asMap(m[kind]) {
				seen[id]++
			}
		}
		left, _ := m["leave"].([]any)
		for _, id := range left {
			seen[id.(string)] += 1000
		}
	}
	var wg sync.WaitGroup
	peers := make(chan *raw, users*sockets)
	for i := range users * sockets {
		wg.Go(func() { peers <- come(fmt.Sprint("user ", i%users)) })
	}
	wg.Wait()
	close(peers)
	for len(seen) < users+1 {
		note(watcher.json())
	}
	for c := range peers {
		wg.Go(func() { c.reset() })
	}
	wg.Wait()
	for gone := 0; gone < users; {
		note(watcher.json())
		gone = 0
		for _, n := range seen {
			if n >= 1000 {
				gone++
			}
		}
	}
	for id, n := range seen {
		if id != "watcher" && n != 1001 {
			t.Errorf("%s was told %d times to come and %d times to go", id, n%1000, n/1000)
		}
	}
	st.close()
}

func asMap(v any) map[string]any { m, _ := v.(map[string]any); return m }

// What the clients of many users say of them is not told to all, over and over.
func TestPresenceOfUsersWhoSayMuchIsTheirCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := showing
		opts.Rooms = Rooms{"room a": {Presence: true, LeaveDelay: -1}}
		opts.SendQueue = 64 << 10
		const most = 16 << 10 // a quarter of the queue
		st, come := attend(t, inMemory, opts)
		ann := come("ann", speaking)
		ann.json()
		var peers []*raw
		var last map[string]any
		for i := range 8 { // each < is six bytes in JSON that may stand in a page
			c := come(fmt.Sprint("user ", i), speaking)
			c.say(`{"type":"presence","room":"room a","data":"` + strings.Repeat("<", 1000) + `"}`)
			f, _ := ann.next()
			if len(f.payload) > most+256 {
				t.Errorf("told in %d bytes", len(f.payload))
			}
			if json.Unmarshal(f.payload, &last); last["count"] == nil && i > 3 {
				t.Errorf("told is %.100s", f.payload)
			}
			last = nil
			peers = append(peers, c)
			go func() {
				for range c.frames {
				}
			}()
		}
		for _, c := range peers[2:] {
			c.conn.Close()
		}
		m := ann.json()
		for m["set"] == nil {
			m = ann.json()
		}
		if known := asMap(m["set"]); len(known) != 3 {
			t.Errorf("known are %d", len(known))
		}
		st.settle(append(peers, ann)...)
	})
}

func TestWhoSaysTooMuchOfItsUserIsTold(t *testing.T) {
	st, come := attend(t, overTCP, showing)
	ann := come("ann", speaking)
	ann.json()
	ann.say(`{"type":"presence","id":1,"room":"room a","data":{"name":"Ann"}}`)
	ann.hear(`{"type":"ack","id":1,"data":[{}]}`)
	ann.say(`{"type":"presence","id":2,"room":"room a","data":"` + strings.Repeat("x", 4<<10) + `"}`)
	ann.hear(`{"type":"error","id":2,"message":"data of more than 4096 bytes"}`)
	ann.say(`{"type":"presence","id":3,"room":"room b","data":1}`)
	ann.hear(`{"type":"error","id":3,"message":"not in the room"}`)
	ann.say(`{"type":"presence","id":4,"room":"other"}`)
	ann.hear(`{"type":"error","id":4,"message":"not in the room"}`)
	ann.hear(`{"type":"presence","room":"room a","join":{"ann":{"data":{"name":"Ann"},"sockets":1}}}`)
	if list, err := st.srv.Presence(t.Context(), "room a"); len(list) != 1 || string(list[0].Data) != `{"name":"Ann"}` {
		t.Errorf("Presence is %v, %v", list, err)
	}
}
