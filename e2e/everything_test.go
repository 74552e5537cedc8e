package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/events"
	"github.com/nextrush/nextrush/plugins/health"
	"github.com/nextrush/nextrush/plugins/metrics"
	"github.com/nextrush/nextrush/plugins/openapi"
	"github.com/nextrush/nextrush/plugins/session"
	"github.com/nextrush/nextrush/plugins/static"
	"github.com/nextrush/nextrush/plugins/tracing"
	"github.com/nextrush/nextrush/plugins/views"
	"github.com/nextrush/nextrush/websocket"
)

type note struct {
	ID   string `path:"id" json:"id"`
	Text string `json:"text" validate:"required"`
}

// everything is an app with everything on that can be on at once.
func everything(t *testing.T) *nextrush.App {
	t.Helper()
	pages := fstest.MapFS{"page.html": {Data: []byte("<p>{{.}}</p>")}}
	app := nextrush.New(nextrush.Options{
		Logger:   slog.New(slog.NewJSONHandler(io.Discard, nil)),
		Renderer: views.Must(views.FS(pages)),
	})
	app.Use(
		middleware.RequestID(), middleware.Trace(), middleware.Logger(), middleware.Recover(),
		middleware.SecureHeaders(), middleware.CORS(), middleware.Concurrency(),
		middleware.RateLimit(middleware.RateLimitOptions{Requests: 1_000_000, Window: time.Second}),
		middleware.Maintenance(func() bool { return false }), middleware.Timeout(time.Minute),
		middleware.Compress(middleware.CompressOptions{}), middleware.ETag(), middleware.Decompress(), middleware.CacheControl(),
	)
	if err := app.Register(
		session.New(session.Options{}), metrics.New(), health.New(), tracing.New(), events.New(),
		static.FS("/files", fstest.MapFS{"a.txt": {Data: []byte("a file")}}), openapi.New(openapi.Options{}),
	); err != nil {
		t.Fatal(err)
	}
	app.EnableWebSocket(websocket.Options{Compression: websocket.Compression{Enabled: true}})
	app.Post("/notes/:id", nextrush.Handle(func(_ *nextrush.Context, in note) (note, error) { return in, nil }))
	app.Post("/raw", func(c *nextrush.Context) error {
		body, err := c.Body()
		if err != nil {
			return err
		}
		return c.Blob("text/plain", body)
	})
	app.Get("/pages/:id", func(c *nextrush.Context) error { return c.Render("page", c.Param("id")) })
	app.Get("/errors/:id", func(c *nextrush.Context) error { return nextrush.NewError(409, c.Param("id")) })
	app.Get("/panics/:id", func(c *nextrush.Context) error { panic(c.Param("id")) })
	app.Get("/mine/:id", func(c *nextrush.Context) error {
		before, _ := session.Get[string](c, "id")
		session.Put(c, "id", c.Param("id"))
		return c.Text(before)
	})
	app.WS("/ws", func(s *websocket.Socket, _ *nextrush.Context) error {
		s.OnMessage(func(m websocket.Message) { s.SendMessage(m) })
		return nil
	})
	return app
}

// TestNoAnswerReachesTheWrongRequest sends unique requests and compares the answers, while
// other clients leave in the middle of theirs.
func TestNoAnswerReachesTheWrongRequest(t *testing.T) {
	before := runtime.NumGoroutine()
	app := everything(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- app.Serve(l) }()
	addr := l.Addr().String()

	var all sync.WaitGroup
	for i := range 8 {
		for _, user := range []func(*testing.T, string, string){browse, pipeline, talk, leave} {
			all.Go(func() { user(t, addr, fmt.Sprintf("%d-", i)) })
		}
	}
	all.Wait()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := app.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	for runtime.NumGoroutine() > before+2 {
		select {
		case <-ctx.Done():
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		case <-time.After(20 * time.Millisecond):
		}
	}
}

const rounds = 40

// browse uses one connection and one session for requests of every kind.
func browse(t *testing.T, addr, name string) {
	jar, _ := cookiejar.New(nil)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Jar: jar}
	last := ""
	for i := range rounds {
		id := name + fmt.Sprint(i)
		long := strings.Repeat(id+" ", 500)
		ask(t, client, "POST", "http://"+addr+"/notes/"+id, "application/json", `{"text":"`+long+`"}`, 200, `"id":"`+id+`"`, long)
		ask(t, client, "POST", "http://"+addr+"/raw", "gzip", long, 200, long)
		ask(t, client, "GET", "http://"+addr+"/pages/"+id, "", "", 200, "<p>"+id+"</p>")
		ask(t, client, "GET", "http://"+addr+"/errors/"+id, "", "", 409, id)
		ask(t, client, "GET", "http://"+addr+"/panics/"+id, "", "", 500)
		ask(t, client, "GET", "http://"+addr+"/mine/"+id, "", "", 200, last)
		ask(t, client, "GET", "http://"+addr+"/files/a.txt", "", "", 200, "a file")
		last = id
	}
}

func ask(t *testing.T, client *http.Client, method, url, kind, body string, status int, want ...string) {
	r, _ := http.NewRequest(method, url, strings.NewReader(body))
	switch kind {
	case "gzip":
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		io.WriteString(w, body)
		w.Close()
		r.Body, r.ContentLength = io.NopCloser(&packed), -1 // in chunks
		r.Header.Set("Content-Encoding", "gzip")
	case "":
	default:
		r.Header.Set("Content-Type", kind)
	}
	res, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		t.Errorf("%s %s: %d, %v, want %d", method, url, res.StatusCode, err, status)
	}
	for _, w := range want {
		if !strings.Contains(string(got), w) {
			t.Errorf("%s %s: %.80q lacks %.80q", method, url, got, w)
		}
	}
}

// pipeline sends five requests at once and fails if the answers are not in their order.
func pipeline(t *testing.T, addr, name string) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for i := range rounds {
		var b strings.Builder
		for k := range 5 {
			fmt.Fprintf(&b, "GET /pages/%s%d-%d HTTP/1.1\r\nHost: x\r\n\r\n", name, i, k)
		}
		io.WriteString(conn, b.String())
		for k := range 5 {
			res, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Error(err)
				return
			}
			got, _ := io.ReadAll(res.Body)
			if want := fmt.Sprintf("<p>%s%d-%d</p>", name, i, k); string(got) != want {
				t.Errorf("answer %q, want %q", got, want)
			}
		}
	}
}

// talk sends messages and fails if one is not echoed.
func talk(t *testing.T, addr, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s, err := websocket.Dial(ctx, "ws://"+addr+"/ws", nil)
	if err != nil {
		t.Error(err)
		return
	}
	defer s.Close(websocket.StatusNormalClosure, "")
	for i := range rounds {
		want, _ := json.Marshal(strings.Repeat(name+fmt.Sprint(i), 300))
		s.Send(string(want))
		m, err := s.Receive(ctx)
		if err != nil || m.Text() != string(want) {
			t.Errorf("message %d: %.80q, %v", i, m.Text(), err)
			return
		}
	}
}

// leave breaks off requests and sockets in the middle.
func leave(t *testing.T, addr, name string) {
	for i := range rounds {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Error(err)
			return
		}
		fmt.Fprintf(conn, "POST /notes/%s%d HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"text\":", name, i)
		conn.Close()
	}
}
