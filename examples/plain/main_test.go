package main

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/websocket"
)

func TestEcho(t *testing.T) {
	sockets := websocket.NewServer(websocket.Options{})
	defer sockets.Close()
	srv := httptest.NewServer(handler(sockets))
	defer srv.Close()
	s, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(srv.URL, "http")+"/echo", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Send("hi")
	if m, err := s.Receive(t.Context()); err != nil || m.Text() != "hi" {
		t.Errorf("got %q, %v", m.Text(), err)
	}
}
