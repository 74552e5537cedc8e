package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

// fill writes n entries into the log "ship".
func fill(t *testing.T, app *nextrush.App, n int) {
	t.Helper()
	for i := range n {
		if err := app.WSTo("log:ship").Emit("entry", entry{fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhoComesSeesTheLastFifty(t *testing.T) {
	app := newApp()
	c := nextrushtest.New(t, app)
	fill(t, app, 60)
	s := c.Dial("/logs/ship")
	for i := 10; i < 60; i++ {
		var got entry
		if s.ExpectEvent("entry", &got); got.Text != fmt.Sprint(i) {
			t.Fatalf("got %q, want %d", got.Text, i)
		}
	}
	s.Emit("write", entry{"land in sight"})
	var got entry
	if s.ExpectEvent("entry", &got); got.Text != "land in sight" {
		t.Errorf("got %q", got.Text)
	}
	if _, err := s.Request(t.Context(), "write", entry{strings.Repeat("x", 501)}); err == nil {
		t.Error("an entry of 501 letters is taken")
	}
}

func TestWhoComesBackSeesWhatIsMissing(t *testing.T) {
	app := newApp()
	server := httptest.NewServer(app)
	defer server.Close()
	fill(t, app, 60)
	client := websocket.NewClient(server.URL+"/logs/ship", nil)
	got := make(chan string, 100)
	client.On("entry", func(e *websocket.Event) {
		var in entry
		e.Bind(0, &in)
		got <- in.Text
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- client.Run(ctx) }()
	want := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			if text := <-got; text != fmt.Sprint(i) {
				t.Fatalf("got %q, want %d", text, i)
			}
		}
	}
	want(10, 60)
	app.WSAll().Close(websocket.StatusServiceRestart, "retry=0-50")
	fill(t, app, 3)
	want(0, 3) // and not once more what it has
	stop()
	<-ended
}

func TestThePageIsServed(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	for _, path := range []string{"/", "/app.js", "/style.css", "/nextrush.js"} {
		c.Get(path).WantStatus(200)
	}
}
