package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/metrics"
	"github.com/nextrush/nextrush/plugins/session"
	"github.com/nextrush/nextrush/plugins/static"
	"github.com/nextrush/nextrush/plugins/tracing"
)

// able is a writer that records through which method it gets what.
type able struct {
	*httptest.ResponseRecorder
	written, strings, files int64 // bytes
	flushed, hijacked       int
	read, write, duplex     bool
}

func (w *able) Write(p []byte) (int, error) {
	w.written += int64(len(p))
	return len(p), nil
}

func (w *able) WriteString(s string) (int, error) {
	w.strings += int64(len(s))
	return len(s), nil
}

// ReadFrom recognizes a file as sendfile does.
func (w *able) ReadFrom(src io.Reader) (int64, error) {
	n, err := io.Copy(io.Discard, struct{ io.Reader }{src})
	if part, ok := src.(*io.LimitedReader); ok {
		src = part.R
	}
	if _, ok := src.(syscall.Conn); ok {
		w.files += n
	}
	return n, err
}

func (w *able) Flush()                           { w.flushed++ }
func (w *able) SetReadDeadline(time.Time) error  { w.read = true; return nil }
func (w *able) SetWriteDeadline(time.Time) error { w.write = true; return nil }
func (w *able) EnableFullDuplex() error          { w.duplex = true; return nil }
func (w *able) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.hijacked++
	return nil, nil, errors.New("there is no connection")
}

// around lists everything that puts a writer around another.
func around(t *testing.T) map[string]func(*nextrush.App) {
	use := func(handlers ...nextrush.Handler) func(*nextrush.App) {
		return func(app *nextrush.App) { app.Use(handlers) }
	}
	register := func(plugins ...nextrush.Plugin) func(*nextrush.App) {
		return func(app *nextrush.App) {
			if err := app.Register(plugins...); err != nil {
				t.Fatal(err)
			}
		}
	}
	sealed := session.Options{Keys: [][]byte{make([]byte, 32)}}
	return map[string]func(*nextrush.App){
		"nothing":        use(),
		"Compress":       use(middleware.Compress()),
		"ETag":           use(middleware.ETag()),
		"Compress, ETag": use(middleware.Compress(), middleware.ETag()),
		"ETag, Compress": use(middleware.ETag(), middleware.Compress()),
		"Timeout":        use(middleware.Timeout(time.Minute)),
		"Logger":         use(middleware.Logger()),
		"Trace":          use(middleware.Trace()),
		"Production":     use(middleware.Production()...),
		"WrapMiddleware": use(nextrush.WrapMiddleware(func(h http.Handler) http.Handler { return h })),
		"session":        register(session.New(session.Options{})),
		"sealed session": register(session.New(sealed)),
		"metrics":        register(metrics.New()),
		"tracing":        register(tracing.New()),
		"all": func(app *nextrush.App) {
			app.Use(middleware.Logger(), middleware.Compress(), middleware.ETag(), middleware.Timeout(time.Minute))
			register(session.New(session.Options{}), metrics.New(), tracing.New())(app)
		},
	}
}

const large = 8 << 20 // bytes

// writing is an app that writes in all ways, after the middleware that set adds.
func writing(t *testing.T, set func(*nextrush.App)) *nextrush.App {
	text, dir := strings.Repeat("x", large), t.TempDir()
	for _, name := range []string{"a.png", "a.png.gz"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
	set(app)
	app.Register(static.New("/static", dir, static.Options{Precompressed: true}))
	app.Get("/string", func(c *nextrush.Context) error { return c.Type("png").Text(text) })
	app.Get("/file", func(c *nextrush.Context) error { return c.File(filepath.Join(dir, "a.png")) })
	app.Get("/copy", func(c *nextrush.Context) error {
		f, err := os.Open(filepath.Join(dir, "a.png"))
		if err != nil {
			return err
		}
		defer f.Close()
		c.Type("png").SetHeader("Content-Length", fmt.Sprint(large))
		_, err = io.CopyN(c.Writer(), f, large)
		return err
	})
	app.Get("/control", func(c *nextrush.Context) error {
		control := http.NewResponseController(c.Writer())
		c.Writer().(http.Flusher).Flush()
		_, _, _ = c.Writer().(http.Hijacker).Hijack()
		_, _, _ = control.Hijack()
		return errors.Join(control.Flush(), control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{}), control.EnableFullDuplex())
	})
	return app
}

func TestWritersKeepWhatTheOneBelowCan(t *testing.T) {
	for name, set := range around(t) {
		app := writing(t, set)
		for server, ctx := range map[string]context.Context{
			"":                   t.Context(),
			" in another server": context.WithValue(t.Context(), http.ServerContextKey, &http.Server{}), // Options.StallTimeout has a writer then
		} {
			ask := func(method, path string) (*able, uint64) {
				w := &able{ResponseRecorder: httptest.NewRecorder()}
				r := httptest.NewRequest(method, path, nil).WithContext(ctx)
				r.Header.Set("Accept-Encoding", "gzip")
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				app.ServeHTTP(w, r)
				runtime.ReadMemStats(&after)
				return w, after.TotalAlloc - before.TotalAlloc
			}
			for _, method := range []string{"GET", "HEAD"} {
				if w, allocated := ask(method, "/string"); w.strings != large || w.written != 0 || allocated > large/2 {
					t.Errorf("%s%s: %s of a string: %d bytes as such, %d as bytes, %d allocated", name, server, method, w.strings, w.written, allocated)
				}
			}
			for _, path := range []string{"/file", "/copy", "/static/a.png"} {
				if w, _ := ask("GET", path); w.files != large || w.written != 0 {
					t.Errorf("%s%s: %s: %d bytes by sendfile, %d as bytes", name, server, path, w.files, w.written)
				}
			}
			if w, _ := ask("GET", "/control"); w.flushed != 2 || w.hijacked != 2 || !w.read || !w.write || !w.duplex {
				t.Errorf("%s%s: flushed %d times, hijacked %d, deadlines %t and %t, full duplex %t", name, server, w.flushed, w.hijacked, w.read, w.write, w.duplex)
			}
		}
	}
}

// A string is not copied for each client, however slowly they read.
func TestClientsThatDoNotReadCostNoCopies(t *testing.T) {
	const clients = 50
	app := writing(t, around(t)["all"])
	var begun, ended sync.WaitGroup
	begun.Add(clients)
	ended.Add(clients)
	text := strings.Repeat("x", large)
	app.Get("/all", func(c *nextrush.Context) error {
		defer ended.Done()
		begun.Done()
		return c.Type("png").Text(text)
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- app.Serve(l) }()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var conns []net.Conn
	for range clients {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		io.WriteString(conn, "GET /all HTTP/1.1\r\nHost: a\r\n\r\n")
		conns = append(conns, conn)
	}
	begun.Wait()
	for _, conn := range conns {
		conn.Close()
	}
	ended.Wait()
	runtime.ReadMemStats(&after)
	if each := (after.TotalAlloc - before.TotalAlloc) / clients; each > 1<<20 {
		t.Errorf("%d KiB for each client", each>>10)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := errors.Join(app.Shutdown(ctx), <-served); err != nil {
		t.Error(err)
	}
}
