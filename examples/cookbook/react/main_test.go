package main

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

// built stands for what npm makes, which a test in a browser does in earnest.
func built(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "assets"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"index.html": "<title>List</title>", "assets/index-1.js": "go()"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTheBuildIsServed(t *testing.T) {
	c := nextrushtest.New(t, newApp(built(t)))
	for _, path := range []string{"/", "/some/route"} {
		c.With("Accept", "text/html").Get(path).WantStatus(200).WantText("<title>List</title>")
	}
	if got := c.Get("/assets/index-1.js").WantStatus(200).Header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
		t.Errorf("Cache-Control %q", got)
	}
	c.Get("/assets/gone.js").WantStatus(http.StatusNotFound)
}

func TestWhoComesSeesTheList(t *testing.T) {
	c := nextrushtest.New(t, newApp(built(t)))
	ann := c.Dial("/list")
	ann.On("added", func(*websocket.Event) {}) // or it would wait to be received, before the replies
	if ok, err := add.Request(t.Context(), ann.Socket, wish{"tea"}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	var refused *websocket.EventError
	if _, err := add.Request(t.Context(), ann.Socket, wish{}); !errors.As(err, &refused) {
		t.Errorf("adding nothing: %v", err)
	}
	var got wish
	if c.Dial("/list").ExpectEvent("added", &got); got.What != "tea" {
		t.Errorf("got %+v", got)
	}
}

func TestTheTypesOfThePageAreThoseOfTheServer(t *testing.T) {
	committed, err := os.ReadFile("web/src/events.d.ts")
	if err != nil {
		t.Fatal(err)
	}
	if nextrushtest.New(t, newApp(built(t))).Get("/events.d.ts").Text() != string(committed) {
		t.Error("run npm run types in web")
	}
}

func TestWithoutABuildItSaysSo(t *testing.T) {
	err := newApp(filepath.Join(t.TempDir(), "dist")).Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "dist") {
		t.Errorf("got %v", err)
	}
}
