package websocket

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/websocket/brokertest"
)

// A client that begins anew at another node is not at the old one as well, for limits or for
// those who see who is there, from when it has spoken.
func TestASessionEndsWhoseClientBeginsAnewElsewhere(t *testing.T) {
	network := brokertest.NewNetwork()
	var sites []*site
	for range 2 {
		opts := Options{Broker: network.Broker(), Resume: resuming.Resume, MaxConnectionsPerUser: 1, Rooms: Rooms{"*": {Presence: true}}}
		srv := NewServer(opts)
		sites = append(sites, overTCP.accepting(t, srv, func(h *Handshake, _ http.ResponseWriter, _ *http.Request) {
			if err := h.Socket().SetUser("ann", nil); err != nil {
				t.Errorf("the socket before counts still: %v", err)
			}
			h.Socket().Join("room")
			h.Open(echoing)
		}))
	}
	servers := []*Server{sites[0].srv, sites[1].srv}
	known(t, servers, 2)
	v := sites[0].visitor(t)
	for i := range 6 {
		from, to := sites[i%2], sites[(i+1)%2]
		old := from.srv.Socket(v.hi.ID)
		if i < 4 {
			v.cut(t)
		}
		forged := *v
		forged.st, forged.hi.Session = to, v.hi.Session[:len(v.hi.Session)-6]+"AAAAAA"
		forged.again(t)
		forged.refused("unknown")
		forged.write(client("1 000 0001", "hello"))
		for f, _ := forged.next(); string(f.payload) != "hello"; f, _ = forged.next() {
		}
		to.srv.Socket(forged.hi.ID).Close(StatusNormalClosure, "")
		forged.conn.Close()
		eventually(t, "the forger is gone", func() bool { return to.srv.Socket(forged.hi.ID) == nil })
		session := v.hi.Session
		v.st = to
		v.again(t)
		v.refused("unknown")
		if err := to.srv.All().ToID(old.ID()).Join("settled"); err != nil { // after what the forger has caused
			t.Fatal(err)
		}
		eventually(t, "the old node hears of the new one", func() bool { return strings.Contains(strings.Join(old.Rooms(), " "), "settled") })
		if old.State() != StateOpen || v.hi.Session == session {
			t.Fatalf("in round %d the session is %v before its client has spoken", i, old.State())
		}
		v.write(client("1 000 0001", "hello"))
		eventually(t, "the old session ends", func() bool { return old.State() == StateClosed && from.srv.Socket(old.ID()) == nil })
		eventually(t, "one socket alone is there", func() bool {
			list, err := servers[i%2].Presence(t.Context(), "room")
			return err == nil && len(list) == 1 && list[0].Sockets == 1
		})
	}
}
