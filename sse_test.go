package nextrush

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// stream runs f as a stream in a bubble and returns what was sent.
func stream(t *testing.T, ctx context.Context, f func(*SSE) error) string {
	t.Helper()
	app := New()
	app.Get("/", func(c *Context) error { return c.SSE(f) })
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	return w.Body.String()
}

func TestSSESendsHeartbeatsWhenNothingElseIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := stream(t, t.Context(), func(s *SSE) error {
			<-time.After(40 * time.Second) // two
			s.Send("a")
			<-time.After(14 * time.Second)
			s.Send("b")
			<-time.After(14 * time.Second)
			return nil
		})
		if want := ": \n\n: \n\ndata: a\n\ndata: b\n\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func TestSSEOutlivesADeadlineOfTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got := stream(t, ctx, func(s *SSE) error {
			<-time.After(2 * time.Second)
			return s.Send("late")
		})
		if got != "data: late\n\n" {
			t.Errorf("%q", got)
		}
	})
}

func TestSSEEndsWhenTheClientGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		stream(t, ctx, func(s *SSE) error {
			<-s.Context().Done()
			if err := s.Send("x"); !errors.Is(err, context.Canceled) {
				t.Errorf("sending afterwards: %v", err)
			}
			return nil
		})
	})
}

func TestSSEOutlivesTheWriteTimeoutOfAServer(t *testing.T) {
	app := New()
	passed := make(chan struct{})
	app.Get("/", func(c *Context) error {
		return c.SSE(func(s *SSE) error {
			s.Send("a")
			<-passed
			return s.Send("b")
		})
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const timeout = 50 * time.Millisecond
	server := &http.Server{Handler: app, WriteTimeout: timeout}
	go server.Serve(l)
	defer server.Close()
	res, err := http.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	time.AfterFunc(2*timeout, func() { close(passed) })
	if b, err := io.ReadAll(res.Body); err != nil || !strings.HasSuffix(string(b), "data: b\n\n") {
		t.Errorf("%q, %v", b, err)
	}
}
