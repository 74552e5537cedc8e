package e2e

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

// The chat of docs/coming-from-gorilla.md, with net/http and as an App, does what that of
// gorilla/websocket does.
func TestPortedGorillaChat(t *testing.T) {
	programs := blocks(t, "coming-from-gorilla.md", "go")
	if len(programs) != 2 {
		t.Fatalf("%d programs", len(programs))
	}
	for i, name := range []string{"net/http", "an App"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "home.html"), "<title>Chat</title>")
			addr := ported(t, dir, programs[i], ":8080")
			visit(t, addr).wants(200, "<title>Chat</title>", "GET", "/", "")
			ann, bob := dialChat(t, addr), dialChat(t, addr)
			ann.Send("hi")
			for _, s := range []*websocket.Socket{ann, bob} {
				if got := said(t, s); got != "hi" {
					t.Errorf("got %q", got)
				}
			}
			bob.SendBinary(make([]byte, 513))
			var end *websocket.CloseError
			if _, err := bob.Receive(t.Context()); !errors.As(err, &end) || end.Code != websocket.StatusMessageTooBig {
				t.Errorf("a long message: %v", err)
			}
			ann.Send("alone")
			if got := said(t, ann); got != "alone" {
				t.Errorf("got %q", got)
			}
			other := &websocket.DialOptions{Header: http.Header{"Origin": {"http://other.example"}}}
			var refused *websocket.HandshakeError
			if _, err := websocket.Dial(t.Context(), "ws://"+addr+"/ws", other); !errors.As(err, &refused) || refused.Status != 403 {
				t.Errorf("a page of another origin: %v", err)
			}
		})
	}
}

func dialChat(t *testing.T, addr string) *websocket.Socket {
	t.Helper()
	s, err := websocket.Dial(t.Context(), "ws://"+addr+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(websocket.StatusNormalClosure, "") })
	return s
}

func said(t *testing.T, s *websocket.Socket) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	m, err := s.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return m.Text()
}
