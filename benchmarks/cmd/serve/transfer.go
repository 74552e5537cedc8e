package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/nextrush/nextrush"
)

// What a handler waits for, like a query to a database.
const (
	shortWait = time.Millisecond
	longWait  = 5 * time.Millisecond
)

const (
	fileSize  = 1 << 20 // bytes
	eventSize = 128
)

var event = strings.Repeat("x", eventSize)

// feed has those who listen to events.
type feed struct {
	mu        sync.Mutex // guards listeners
	listeners map[chan string]bool
}

func (f *feed) join() chan string {
	c := make(chan string, 4)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.listeners == nil {
		f.listeners = make(map[chan string]bool)
	}
	f.listeners[c] = true
	return c
}

func (f *feed) leave(c chan string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.listeners, c)
}

func (f *feed) publish() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.listeners {
		c <- event
	}
}

// file returns the path of a file of fileSize bytes, which all runs share: a server is
// killed in the end, and could not remove one.
var file = sync.OnceValue(func() string {
	name := filepath.Join(os.TempDir(), "nextrush-benchmark.bin")
	if err := os.WriteFile(name, []byte(strings.Repeat("0123456789abcdef", fileSize/16)), 0o600); err != nil {
		log.Fatal("serve: ", err)
	}
	return name
})

func waits(d time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(d)
		plain(w, r)
	}
}

func upload(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeText(w, strconv.FormatInt(n, 10))
}

func sendFile(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file()) }

func (f *feed) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	rc := http.NewResponseController(w)
	c := f.join()
	defer f.leave(c)
	rc.Flush()
	for {
		select {
		case e := <-c:
			fmt.Fprintf(w, "data: %s\n\n", e)
			if rc.Flush() != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}

// addTransfers adds to net/http what the four routes do not have.
func addTransfers(m *http.ServeMux) {
	var f feed
	m.HandleFunc("GET /wait1", waits(shortWait))
	m.HandleFunc("GET /wait5", waits(longWait))
	m.HandleFunc("POST /upload", upload)
	m.HandleFunc("GET /file", sendFile)
	m.HandleFunc("GET /events", f.serve)
	m.HandleFunc("GET /publish", func(w http.ResponseWriter, r *http.Request) {
		f.publish()
		plain(w, r)
	})
	m.HandleFunc("GET /goroutines", goroutines)
}

func addNextrushTransfers(app *nextrush.App) {
	var f feed
	waits := func(d time.Duration) nextrush.Handler {
		return func(c *nextrush.Context) error {
			time.Sleep(d)
			return c.Text(hello)
		}
	}
	app.Get("/wait1", waits(shortWait))
	app.Get("/wait5", waits(longWait))
	app.Post("/upload", func(c *nextrush.Context) error {
		n, err := io.Copy(io.Discard, c.Request().Body)
		if err != nil {
			return err
		}
		return c.Text(strconv.FormatInt(n, 10))
	})
	app.Get("/file", func(c *nextrush.Context) error { return c.File(file()) })
	app.Get("/events", func(c *nextrush.Context) error {
		return c.SSE(func(s *nextrush.SSE) error {
			events := f.join()
			defer f.leave(events)
			for {
				select {
				case e := <-events:
					if err := s.Send(e); err != nil {
						return err
					}
				case <-s.Context().Done():
					return nil
				}
			}
		})
	})
	app.Get("/publish", func(c *nextrush.Context) error {
		f.publish()
		return c.Text(hello)
	})
}

func addFiberTransfers(app *fiber.App) {
	var f feed
	waits := func(d time.Duration) fiber.Handler {
		return func(c fiber.Ctx) error {
			time.Sleep(d)
			return c.SendString(hello)
		}
	}
	app.Get("/wait1", waits(shortWait))
	app.Get("/wait5", waits(longWait))
	app.Post("/upload", func(c fiber.Ctx) error { return c.SendString(strconv.Itoa(len(c.Body()))) })
	app.Get("/file", func(c fiber.Ctx) error { return c.SendFile(file()) })
	app.Get("/events", func(c fiber.Ctx) error {
		c.Set("Content-Type", "text/event-stream")
		return c.SendStreamWriter(func(w *bufio.Writer) {
			events := f.join()
			defer f.leave(events)
			fmt.Fprint(w, ": \n\n") // nothing leaves before
			for err := w.Flush(); err == nil; err = w.Flush() {
				fmt.Fprintf(w, "data: %s\n\n", <-events)
			}
		})
	})
	app.Get("/publish", func(c fiber.Ctx) error {
		f.publish()
		return c.SendString(hello)
	})
	app.Get("/goroutines", func(c fiber.Ctx) error { return c.SendString(countGoroutines()) })
}
