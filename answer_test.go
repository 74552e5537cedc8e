package nextrush

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

func TestAnAddressThatIsNoneNamesTheFix(t *testing.T) {
	for addr, fix := range map[string]string{
		"3000": `":3000"`, "localhost": `"localhost:3000"`, "127.0.0.1": `"127.0.0.1:3000"`, "::1": `"[::1]:3000"`,
		"http://localhost:3000": `":3000"`, "a:b:c": `":3000"`,
	} {
		err := New().Listen(addr)
		if err == nil || !strings.Contains(err.Error(), "write "+fix) {
			t.Errorf("%q: %v", addr, err)
		}
		if err := New().ListenTLSConfig(addr, &tls.Config{Certificates: []tls.Certificate{testCertificate(t)}}); err == nil || !strings.Contains(err.Error(), "write "+fix) {
			t.Errorf("%q: TLS: %v", addr, err)
		}
	}
}

// A handler that forgets to answer is an empty 200.
func TestARequestThatNobodyAnswersIsLogged(t *testing.T) {
	hello := func(c *Context) error { return c.Text("hello") }
	for name, tt := range map[string]struct {
		method string
		h      Handler
		logged bool
	}{
		"nothing":             {"GET", func(*Context) error { return nil }, true},
		"a status alone":      {"GET", func(c *Context) error { c.Status(404); return nil }, true},
		"a header alone":      {"GET", func(c *Context) error { c.SetHeader("X-A", "b"); return nil }, true},
		"HEAD":                {"HEAD", hello, false},
		"HEAD, nothing":       {"HEAD", func(*Context) error { return nil }, true},
		"a text":              {"GET", hello, false},
		"an empty text":       {"GET", func(c *Context) error { return c.Text("") }, false},
		"no content":          {"GET", func(c *Context) error { return c.NoContent() }, false},
		"an error":            {"GET", func(*Context) error { return NewError(404) }, false},
		"by the writer":       {"GET", func(c *Context) error { c.Writer().WriteHeader(200); return nil }, false},
		"a handler's own":     {"GET", WrapHandler(http.NotFoundHandler()), false},
		"no answer from that": {"GET", WrapHandler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})), true},
		"OPTIONS by itself":   {"OPTIONS", hello, false},
	} {
		for _, debug := range []bool{false, true} {
			var log bytes.Buffer
			level := slog.LevelDebug
			if debug {
				level = slog.LevelInfo
			}
			app := New(Options{Debug: debug, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level}))})
			app.Get("/x", tt.h)
			do(t, app, tt.method, "/x", "")
			if got := strings.Contains(log.String(), "nobody has answered") && strings.Contains(log.String(), "route=/x"); got != tt.logged {
				t.Errorf("%s: log %q", name, log.String())
			}
		}
	}
}

func TestWhatNobodyAnswersIsNotLoggedOtherwise(t *testing.T) {
	var log bytes.Buffer
	app := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	app.Get("/x", func(*Context) error { return nil })
	if w := do(t, app, "GET", "/x", ""); w.Code != 200 || log.Len() > 0 {
		t.Errorf("%d %s", w.Code, log.String())
	}
}
