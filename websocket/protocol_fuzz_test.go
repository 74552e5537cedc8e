package websocket

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/protocol"
)

// protocolSeeds are the messages of docs/protocol.md that a client may send, and some
// that are wrong.
var protocolSeeds = []string{
	`{"type":"ping","t":7}`, `{"type":"pong","t":"7"}`, `{"type":"got","n":120}`,
	`{"type":"sync","was":"AAAAAAAAAAAAAAAAAAAAAA","rooms":{"room a":["e7",42]}}`,
	`{"type":"sync","rooms":{"room a":["e7",-1],"":["",0],"other":null}}`,
	`{"type":"join","id":3,"room":"room a","since":["e7",42]}`, `{"type":"leave","id":4,"room":"room a"}`,
	`{"type":"auth","id":5,"token":"t"}`, `{"type":"presence","room":"room a","data":{"a":1}}`, `{"type":"presence","room":"room a"}`,
	`{"type":"event","event":"n","data":[1],"id":1,"key":"0123456789abcdef"}`, `{"id":1,"type":"join"}`, "{\"type\" : \"ping\" , \"t\":1}",
	`{"type":"got","n":0}`, `{"type":"got","n":18446744073709551615}`, `{"type":"got","n":-1}`, `{"type":"got"}`,
	`{"type":"ping\u0067"}`, `{"type":"sync","rooms":[[[[`, `{"type":"join","id":{},"room":7}`,
}

// FuzzProtocol sends a text to a socket that has everything of nextrush.v1. It must
// survive, and serve the next client.
func FuzzProtocol(f *testing.F) {
	for _, seed := range protocolSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		synctest.Test(t, func(t *testing.T) {
			once := Once(time.Minute, 2)
			st := inMemory.serve(t, Options{MaxMessageSize: 1 << 16, PingInterval: -1, Logger: quiet, Resume: Resume{For: time.Second}, Rooms: Rooms{"room*": {
				History: History{Messages: 3}, Presence: true, Join: func(*Socket, string) error { return nil },
			}}}, func(s *Socket) error {
				s.SetCredential(Credential{Renew: func(*Socket, string) (time.Time, error) { return time.Now(), nil }})
				s.UseEvents(once)
				s.On("n", func(e *Event) { s.To("room a").Emit("n", e.Key()) })
				return s.Join("room a")
			})
			peer := st.connect(t)
			go io.Copy(io.Discard, peer.conn)
			peer.write([]byte(greeting(speaking)))
			peer.write(client("1 000 0001", text), client("1 000 0001", text))
			next := st.raw(t, speaking)
			peer.conn.Close()
			for next.json()["type"] != "joined" {
			}
			st.srv.To("room a").Emit("n", 1)
			for next.json()["type"] != "event" {
			}
			st.settle(peer, next)
		})
	})
}

// FuzzKindOf compares the quick look at a type with the slow one.
func FuzzKindOf(f *testing.F) {
	for _, seed := range protocolSeeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		quick := protocol.KindOf([]byte(text))
		slow := protocol.KindOf([]byte(`{"":0,` + trimBrace(text)))
		if _, err := protocol.Parse([]byte(text)); err == nil && quick != slow && trimBrace(text) != "" {
			t.Errorf("%q is %d, or %d", text, quick, slow)
		}
	})
}

// trimBrace is an object without its first brace, unless it is empty or none.
func trimBrace(text string) string {
	for i, c := range text {
		switch c {
		case ' ', '\t', '\r', '\n':
		case '{':
			return text[i+1:]
		default:
			return ""
		}
	}
	return ""
}
