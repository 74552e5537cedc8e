package middleware_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/apptest"
	"github.com/nextrush/nextrush/middleware"
)

func TestReverseProxyLogsATargetThatBreaksOffWithTheAppsLogger(t *testing.T) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "half")
	}))
	defer target.Close()
	var log bytes.Buffer
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	app.Get("/", middleware.ReverseProxy(target.URL))
	server := apptest.Serve(app)
	r, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	server.Close()
	if err == nil || string(body) != "half" {
		t.Errorf("%q, %v", body, err)
	}
	if got := log.String(); !strings.Contains(got, "level=ERROR") || !strings.Contains(got, "path=/") || !strings.Contains(got, "unexpected EOF") {
		t.Errorf("logged %q", got)
	}
}
