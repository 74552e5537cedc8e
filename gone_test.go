package nextrush

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nextrush/nextrush/internal/apptest"
)

// A client may leave in the middle of an answer, which is no failure of the server's.
func TestAClientThatLeavesWhileItReadsIsNoErrorOfTheServer(t *testing.T) {
	large := strings.Repeat("x", 16<<20)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(large), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]Handler{
		"Text":   func(c *Context) error { return c.Text(large) },
		"Blob":   func(c *Context) error { return c.Blob("text/plain", []byte(large)) },
		"File":   func(c *Context) error { return c.File(path) },
		"Stream": func(c *Context) error { return c.Stream("text/plain", strings.NewReader(large)) },
		"events": func(c *Context) error {
			return c.SSE(func(s *SSE) error {
				for {
					if err := s.Send(large[:1<<20]); err != nil {
						return err
					}
				}
			})
		},
		"its own": func(c *Context) error {
			_, err := io.WriteString(c.Writer(), large)
			return errors.Join(errors.New("export"), err)
		},
	} {
		for _, h2 := range []bool{false, true} {
			var log bytes.Buffer
			app := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			var ended sync.WaitGroup
			ended.Add(1)
			app.Use(func(c *Context) error {
				defer ended.Done()
				err := c.Next()
				c.HandleError(err)
				return err
			})
			app.Get("/", h)
			server := httptest.NewUnstartedServer(app)
			server.EnableHTTP2 = h2
			server.StartTLS()
			client := server.Client()
			r, err := client.Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			io.CopyN(io.Discard, r.Body, 100)
			r.Body.Close()
			ended.Wait()
			server.Close()
			if log.Len() > 0 {
				t.Errorf("%s over %s: %s", name, r.Proto, log.String())
			}
		}
	}
}

func TestAnErrorOfTheSourceIsLoggedThoughTheClientIsThere(t *testing.T) {
	var log bytes.Buffer
	app := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	app.Get("/", func(c *Context) error {
		return c.Stream("text/plain", io.MultiReader(strings.NewReader("begin"), broken{}))
	})
	server := apptest.Serve(app)
	if r, err := http.Get(server.URL); err == nil {
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	server.Close()
	if !strings.Contains(log.String(), "the disk is gone") {
		t.Error(log.String())
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }
