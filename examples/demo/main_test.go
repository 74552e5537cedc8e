package main

import (
	"testing"

	"github.com/nextrush/nextrush/nextrushtest"
)

func TestMessagesByType(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	s := c.Dial("/echo")
	for send, want := range map[string]string{"echo": "echo", "ping": "pong", "nonsense": "error"} {
		s := c.Dial("/echo")
		s.Next()
		s.Send(message{Type: send})
		var got message
		if err := s.Next().JSON(&got); err != nil || got.Type != want {
			t.Errorf("%s: got %+v, %v, want %s", send, got, err, want)
		}
	}
	s.Next()
	s.Send("no JSON")
	var got message
	if err := s.Next().JSON(&got); err != nil || got.Type != "error" {
		t.Errorf("got %+v, %v", got, err)
	}
	var stats map[string]any
	c.Get("/api/websocket/stats").WantStatus(200).JSON(&stats)
	for _, key := range []string{"connections", "totalConnections", "messagesSent", "messagesReceived", "rooms", "uptime",
		"bytesReceived", "bytesSent", "errors", "reconnections"} {
		if _, ok := stats[key]; !ok {
			t.Errorf("%q is missing", key)
		}
	}
}
