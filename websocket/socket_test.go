package websocket

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// serve runs a server whose sockets are handled by h, and gives its URL.
func serve(t *testing.T, opts Options, h func(*Socket) error) (*Server, string) {
	t.Helper()
	srv := NewServer(opts)
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		srv.Upgrade(w, r, h)
	}))
	t.Cleanup(func() {
		ts.Close()
		srv.Close()
	})
	return srv, "ws" + strings.TrimPrefix(ts.URL, "http")
}

func dial(t *testing.T, url string, opts *DialOptions) *Socket {
	t.Helper()
	s, err := Dial(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(StatusNormalClosure, "") })
	return s
}

func receive(t *testing.T, s *Socket) Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := s.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func echo(s *Socket) error {
	s.OnMessage(func(m Message) { s.SendMessage(m) })
	return nil
}

func TestEchoKeepsTypeAndBytes(t *testing.T) {
	for name, compression := range map[string]Compression{
		"plain":      {},
		"deflate":    {Enabled: true},
		"takeover":   {Enabled: true, ContextTakeover: true},
		"best level": {Enabled: true, Level: 9},
	} {
		t.Run(name, func(t *testing.T) {
			_, url := serve(t, Options{Compression: compression}, echo)
			c := dial(t, url, &DialOptions{Options: Options{Compression: compression}})
			for _, size := range []int{0, 1, 125, 126, 127, 511, 512, 65535, 65536, 1 << 20} {
				data := []byte(strings.Repeat("abcdefgh", size/8+1)[:size])
				if err := c.SendText(string(data)); err != nil {
					t.Fatal(err)
				}
				if m := receive(t, c); m.Type != Text || string(m.Bytes()) != string(data) {
					t.Errorf("%d bytes: got %s of %d bytes", size, m.Type, len(m.Bytes()))
				}
				if err := c.SendBinary(data); err != nil {
					t.Fatal(err)
				}
				if m := receive(t, c); m.Type != Binary || string(m.Bytes()) != string(data) {
					t.Errorf("%d bytes: got %s of %d bytes", size, m.Type, len(m.Bytes()))
				}
			}
		})
	}
}

func TestWhatIsNoMessageIsNotSent(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, Options{}, func(s *Socket) error {
			for name, err := range map[string]error{
				"a Message without a type":             s.SendMessage(Message{}),
				"sent as any value":                    s.Send(NewMessage(9, nil)),
				"to all":                               s.ns.srv.Broadcast(Message{}),
				"no Prepared":                          s.SendPrepared(nil),
				"a Prepared that Prepare has not made": s.Send(&Prepared{}),
			} {
				if err == nil {
					t.Errorf("%s: no error", name)
				}
			}
			if err := (Emitter{}).To("room").Send("nobody hears it"); err != nil {
				t.Errorf("an Emitter of no server: %v", err)
			}
			return s.Send("sent")
		})
		st.raw(t).expect(wire.OpText, "sent")
	})
}
