package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush/nextrushtest"
)

// connect opens the stream, and closes it when the test ends.
func connect(t *testing.T, server *httptest.Server, lastID string) *bufio.Scanner {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	r, _ := http.NewRequestWithContext(ctx, "GET", server.URL+"/events", nil)
	if lastID != "" {
		r.Header.Set("Last-Event-Id", lastID)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		response.Body.Close()
	})
	return bufio.NewScanner(response.Body)
}

// next is the id of the next event.
func next(t *testing.T, lines *bufio.Scanner) string {
	t.Helper()
	for lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			return id
		}
	}
	t.Fatalf("the stream ended: %v", lines.Err())
	return ""
}

func post(t *testing.T, server *httptest.Server, body string) int {
	t.Helper()
	response, err := http.Post(server.URL+"/news", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

func TestNewsReachEverybodyAndNothingIsLostOnReconnecting(t *testing.T) {
	server := httptest.NewServer(newApp())
	t.Cleanup(server.Close)
	first := connect(t, server, "")
	for i := range 3 {
		if status := post(t, server, fmt.Sprintf(`{"text":"news %d"}`, i)); status != 201 {
			t.Fatalf("status %d", status)
		}
	}
	for _, tt := range []struct {
		name   string
		stream *bufio.Scanner
		want   []string
	}{
		{"was there before", first, []string{"1", "2", "3"}},
		{"comes later", connect(t, server, ""), []string{"1", "2", "3"}},
		{"reconnects", connect(t, server, "2"), []string{"3"}},
		{"had news of a server before this one", connect(t, server, "70"), []string{"1"}},
		{"says nonsense", connect(t, server, "x"), []string{"1"}},
	} {
		for _, want := range tt.want {
			if id := next(t, tt.stream); id != want {
				t.Errorf("one who %s: item %s, want %s", tt.name, id, want)
			}
		}
	}
}

func TestOnlyTheLatestItemsAreKept(t *testing.T) {
	news := &ticker{changed: make(chan struct{})}
	for range 250 {
		news.add("x")
	}
	if items, _ := news.after(0); len(items) != kept || items[0].ID != 151 || cap(news.items) > 4*kept {
		t.Errorf("%d items from %d, room for %d", len(items), items[0].ID, cap(news.items))
	}
}

func TestNewsAreChecked(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	c.Post("/news", newsInput{}).WantStatus(422)
	c.Post("/news", newsInput{strings.Repeat("x", 281)}).WantStatus(422)
	c.Get("/").WantStatus(200)
}
