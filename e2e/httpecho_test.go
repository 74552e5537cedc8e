package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
)

const (
	bodyLimit = 4 << 20 // bytes of a body that an echo takes
	fileSize  = 8 << 20 // bytes of its /file
)

// echo is an App that answers what it has understood of a request: method, target, minor
// version, field X-Mark, trailer X-Sum, length and checksum of the body.
type echo struct {
	addr string
	file []byte
	left chan string // targets of the requests whose clients have gone before their end

	mu    sync.Mutex
	heard []string // targets of the requests that have come whole
	peers []string // addresses of those who have sent them
}

func newEcho(t *testing.T, server nextrush.ServerKind) *echo {
	e := &echo{left: make(chan string, 1000), file: bytes.Repeat([]byte("0123456789abcdef"), fileSize/16)}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, e.file, 0o644); err != nil {
		t.Fatal(err)
	}
	app := nextrush.New(nextrush.Options{
		Server: server, BodyLimit: bodyLimit, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	app.Get("/file", func(c *nextrush.Context) error { return c.File(path) })
	app.Get("/events", func(c *nextrush.Context) error { return c.SSE(e.events) })
	app.Get("/endless", e.endless)
	app.Get("/trailer", func(c *nextrush.Context) error {
		defer c.Writer().Header().Set("X-Sum", "done")
		return c.SetHeader("Trailer", "X-Sum").Stream("text/plain", bytes.NewReader(e.file[:100_000]))
	})
	app.Post("/limited", func(c *nextrush.Context) error { return c.LimitBody(1000) })
	app.Any("/unread/*rest", func(c *nextrush.Context) error {
		e.note(c.Request())
		said := c.Request().Method + " " + c.Request().RequestURI
		return c.SetHeader("X-Said", said).Text(said + "\n")
	})
	app.Any("/*rest", e.answer)
	e.addr = serveApp(t, app)
	return e
}

func (e *echo) answer(c *nextrush.Context) error {
	r := c.Request()
	body, err := c.Body()
	if err != nil {
		e.left <- r.RequestURI
		return err
	}
	e.note(r)
	said := understood(r.Method, r.RequestURI, r.ProtoMinor, r.Header.Get("X-Mark")+r.Trailer.Get("X-Sum"), string(body))
	return c.SetHeader("X-Said", said).Text(said + "\n")
}

// understood is the answer to a request.
func understood(method, target string, minor int, mark, body string) string {
	return fmt.Sprintf("%s %s %d %s %d %x", method, target, minor, strconv.Quote(mark), len(body), sha256.Sum256([]byte(body)))
}

func (e *echo) events(s *nextrush.SSE) error {
	for i := range 3 {
		s.Send(strconv.Itoa(i))
	}
	<-s.Context().Done()
	e.left <- "/events"
	return nil
}

func (e *echo) endless(c *nextrush.Context) error {
	for {
		if _, err := c.Writer().Write(e.file[:10_000]); err != nil {
			e.left <- "/endless"
			return nil
		}
	}
}

func (e *echo) note(r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, r.RequestURI)
	if !slices.Contains(e.peers, r.RemoteAddr) {
		e.peers = append(e.peers, r.RemoteAddr)
	}
}

// taken returns the targets since it was called last, and how many connections they came on.
func (e *echo) taken() (heard []string, conns int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	heard, conns = e.heard, len(e.peers)
	e.heard, e.peers = nil, nil
	return heard, conns
}

// loses waits until the clients of these requests have gone.
func (e *echo) loses(t *testing.T, targets ...string) {
	t.Helper()
	late := time.After(patience)
	for len(targets) > 0 {
		select {
		case target := <-e.left:
			targets = slices.DeleteFunc(targets, func(s string) bool { return s == target })
		case <-late:
			t.Fatalf("no handler learns that the clients of %q have gone", targets)
		}
	}
}

// onBothServers tests the event loop, and net/http to compare.
func onBothServers(t *testing.T, f func(t *testing.T, e *echo)) {
	for name, server := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, newEcho(t, server))
		})
	}
}

var servers = map[string]nextrush.ServerKind{"loop": nextrush.ServerLoop, "net-http": nextrush.ServerNetHTTP}
