package websocket

import (
	"context"
	"encoding/json"
	"io"
	"testing"
	"testing/synctest"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// FuzzHandshake sends a request of any shape; the server must answer or hang
// up, and serve the next client.
func FuzzHandshake(f *testing.F) {
	f.Add([]byte(greeting()))
	f.Add([]byte(greeting(offer+"permessage-deflate; client_max_window_bits", "Origin: null")))
	f.Add([]byte("GET / HTTP/1.0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, request []byte) {
		synctest.Test(t, func(t *testing.T) {
			st := inMemory.serve(t, takeover, echo)
			peer := st.connect(t)
			go io.Copy(io.Discard, peer.conn)
			peer.write(request)
			next := st.raw(t)
			next.alive()
			st.settle(peer, next)
		})
	})
}

// FuzzFrames feeds a whole server socket in two pieces. It must neither panic
// nor hang, and end what it does not understand.
func FuzzFrames(f *testing.F) {
	for _, c := range rfc6455 {
		if all := join(c.send...); len(all) < 1<<10 {
			f.Add(all, uint16(3))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, cut uint16) { feed(t, Options{}, "", data, int(cut)) })
}

// FuzzInflate does the same with messages said to be compressed.
func FuzzInflate(f *testing.F) {
	f.Add([]byte(deflated("Hello")), uint16(2))
	f.Add([]byte("\x00"), uint16(0))
	f.Fuzz(func(t *testing.T, data []byte, cut uint16) {
		frames := join(client("1 100 0010", string(data)), client("1 100 0001", string(data)))
		feed(t, takeover, offer+"permessage-deflate", frames, int(cut))
	})
}

func feed(t *testing.T, opts Options, line string, data []byte, cut int) {
	synctest.Test(t, func(t *testing.T) {
		opts.MaxMessageSize = 1 << 16
		st := inMemory.serve(t, opts, echo)
		var lines []string
		if line != "" {
			lines = append(lines, line)
		}
		peer := st.connect(t)
		peer.shake(lines...)
		go io.Copy(io.Discard, peer.reader)
		cut = min(cut, len(data))
		peer.write(data[:cut], data[cut:])
		other := st.raw(t)
		other.alive()
		st.settle(peer, other)
	})
}

// FuzzEnvelope sends text to a socket with handlers.
func FuzzEnvelope(f *testing.F) {
	for _, s := range []string{
		`{"type":"event","event":"a","data":[1],"id":1}`, `{"type":"ack","id":"1","data":[]}`,
		`{"type":"error","id":1,"message":7}`, `{"type":[],"event":{}}`, `{"type":"event","event":null}`, `[[[[`, ``,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !wire.ValidText([]byte(s)) || len(s) > 1<<16 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			st := inMemory.serve(t, Options{Logger: quiet}, eventful)
			peer := st.raw(t)
			peer.write(client("1 000 0001", s), client("1 000 1001", "end"))
			for fr, ok := peer.next(); ok && fr.Op != wire.OpPong; fr, ok = peer.next() {
				if fr.Op == wire.OpText && !json.Valid(fr.payload) {
					t.Errorf("answer is no JSON: %q", fr.payload)
				}
			}
			st.settle(peer)
		})
	})
}

func eventful(s *Socket) error {
	On(s, "a", func(*Socket, int) error { return nil })
	Handle(s, "b", func(context.Context, *Socket, struct{ X []int }) (string, error) { return "x", nil })
	return nil
}
