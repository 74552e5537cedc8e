package websocket

import (
	"context"
	"fmt"
	"net/http"
	"testing"
)

func TestJoinLastSendsTheNewestEvents(t *testing.T) {
	for name, test := range map[string]struct{ sent, n, first int }{
		"of more":         {5, 2, 4},
		"of fewer":        {2, 9, 1},
		"that are kept":   {12, 50, 3},
		"of an empty one": {0, 5, 1},
		"none":            {3, 0, 4},
		"fewer than none": {3, -1, 4},
	} {
		t.Run(name, func(t *testing.T) {
			st := overTCP.serve(t, keeping(History{Messages: 10}), nil)
			for i := range test.sent {
				st.srv.To("room a").Emit("n", i+1)
			}
			l := overTCP.serveHTTP(t, st.srv, func(w http.ResponseWriter, r *http.Request) {
				st.srv.Upgrade(w, r, func(s *Socket) error {
					if err := s.JoinLast(s.Context(), "room a", test.n); err != nil {
						return err
					}
					return s.SendText("end")
				})
			})
			plain, c := l.raw(t), l.raw(t, speaking)
			c.hello()
			c.wantPlace(fmt.Sprintf(`{"type":"joined","room":"room a","epoch":"E","offset":%d,"replayed":true}`, test.first-1))
			for i := test.first; i <= test.sent; i++ {
				plain.hear(fmt.Sprintf(`{"type":"event","event":"n","data":[%d],"timestamp":0}`, i))
				c.hear(fmt.Sprintf(`{"type":"event","event":"n","data":[%d],"timestamp":0,"room":"room a","offset":%[1]d,"replayed":true}`, i))
			}
			c.wantPlace(fmt.Sprintf(`{"type":"synced","room":"room a","recovered":true,"epoch":"E","offset":%d}`, test.sent))
			plain.hear("end")
			c.hear("end")
		})
	}
}

func TestJoinLastFailsAsJoinFromDoes(t *testing.T) {
	sockets := make(chan *Socket, 1)
	st := overTCP.serve(t, keeping(History{Messages: 10}), func(s *Socket) error { sockets <- s; return nil })
	st.raw(t)
	s := <-sockets
	if err := s.JoinLast(t.Context(), "", 5); err == nil {
		t.Error("a room without a name")
	}
	if err := s.JoinLast(t.Context(), "other", 5); err != nil || len(st.srv.SocketsIn("other")) != 1 {
		t.Errorf("a room without history: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.JoinLast(ctx, "room a", 5); err != context.Canceled {
		t.Error(err)
	}
}
