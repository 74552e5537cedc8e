package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

func appFor(t *testing.T, logs io.Writer, env map[string]string) *nextrush.App {
	t.Helper()
	c, err := load(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	app, err := newApp(c, logs)
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func TestAnswersAreLoggedAsJSONAndProbesAreNot(t *testing.T) {
	var logs bytes.Buffer
	app := appFor(t, &logs, nil)
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w
	}
	if w := get("/readyz"); w.Code != 200 || logs.Len() > 0 {
		t.Errorf("probe: %d, log %s", w.Code, logs.String())
	}
	w := get("/hello/Ada")
	if !strings.Contains(w.Body.String(), "Hello, Ada") {
		t.Errorf("answer %s", w.Body)
	}
	if w.Header().Get("Content-Security-Policy") == "" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", w.Header())
	}
	var line struct{ Route, ID string }
	if err := json.Unmarshal(logs.Bytes(), &line); err != nil {
		t.Fatalf("not one line of JSON: %s", logs.String())
	}
	if line.Route != "/hello/:name" || line.ID != w.Header().Get("X-Request-Id") {
		t.Errorf("log %s", logs.String())
	}
	if w := get("/hello/" + strings.Repeat("x", 65)); w.Code != 422 {
		t.Errorf("a long name: %d", w.Code)
	}
}

func TestMetricsAreForThoseWithTheToken(t *testing.T) {
	for _, tt := range []struct {
		name, token, sent string
		status            int
	}{
		{"the token", "s3cret", "Bearer s3cret", 200},
		{"another", "s3cret", "Bearer s3cre", 401},
		{"none", "s3cret", "", 401},
		{"none is configured", "", "Bearer ", 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := nextrushtest.New(t, appFor(t, io.Discard, map[string]string{"METRICS_TOKEN": tt.token, "DRAIN_DELAY": "0s"}))
			r, _ := http.NewRequest("GET", "/metrics", nil)
			r.Header.Set("Authorization", tt.sent)
			c.Do(r).WantStatus(tt.status)
		})
	}
}

func TestSocketsAnswer(t *testing.T) {
	c := nextrushtest.New(t, appFor(t, io.Discard, map[string]string{"DRAIN_DELAY": "0s"}))
	var text string
	reply, err := c.Dial("/ws").Request(t.Context(), "greet", map[string]string{"name": "Ada"})
	if err != nil || reply.Bind(0, &text) != nil || text != "Hello, Ada" {
		t.Errorf("reply %q, error %v", text, err)
	}
}

func TestShutdownIsAnnouncedBeforeAnybodyIsSentAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := appFor(t, io.Discard, map[string]string{"DRAIN_DELAY": "10s"})
		c := nextrushtest.New(t, app)
		s := c.Dial("/ws")
		begin := time.Now()
		ended := make(chan error, 1)
		go func() { ended <- app.Shutdown(t.Context()) }()
		synctest.Wait()
		c.Get("/readyz").WantStatus(503)
		c.Get("/hello/Ada").WantStatus(200)
		_, err := s.Receive(t.Context())
		var closed *websocket.CloseError
		if !errors.As(err, &closed) || closed.Code != websocket.StatusGoingAway || time.Since(begin) < 10*time.Second {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestMistakesInTheEnvironmentAreNamed(t *testing.T) {
	for name, value := range map[string]string{"TLS_CERT": "cert.pem", "DRAIN_DELAY": "soon", "LOG_LEVEL": "loud"} {
		_, err := load(func(n string) string {
			if n == name {
				return value
			}
			return ""
		})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: error %v", name, value, err)
		}
	}
}
