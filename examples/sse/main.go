// Command sse is a news ticker: everybody who has the page open sees what anybody
// posts, and those who reconnect get what they have missed.
//
//	go run ./examples/sse
//	# then open http://localhost:3000, or
//	curl -N localhost:3000/events &
//	curl localhost:3000/news --json '{"text":"hello"}'
package main

import (
	"embed"
	"flag"
	"log"
	"strconv"
	"sync"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/static"
)

//go:embed index.html app.js style.css
var page embed.FS

const kept = 100 // items, for those who reconnect

type newsInput struct {
	Text string `json:"text" validate:"required,max=280"`
}

type item struct {
	ID   int    `json:"id"`
	Text string `json:"text"`
	At   int64  `json:"at"` // Unix milliseconds
}

// ticker keeps the latest items. There is no queue for a slow reader: it asks for the
// items after the last one that it got.
type ticker struct {
	mu      sync.Mutex // guards what follows
	items   []item
	changed chan struct{} // closed when an item is added
	last    int           // id
}

func (t *ticker) add(text string) item {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	news := item{t.last, text, time.Now().UnixMilli()}
	t.items = append(t.items, news)
	if len(t.items) > kept {
		t.items = t.items[1:]
	}
	close(t.changed)
	t.changed = make(chan struct{})
	return news
}

// after returns the items after the one with that id, or all if there never was such
// an item, and a channel that is closed when the next one is added.
func (t *ticker) after(id int) ([]item, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id < 0 || id > t.last {
		id = 0
	}
	missed := min(t.last-id, len(t.items))
	return t.items[len(t.items)-missed:], t.changed
}

func newApp() *nextrush.App {
	news := &ticker{changed: make(chan struct{})}
	app := nextrush.New()
	app.Use(middleware.Production())
	app.Register(static.FS("/", page))
	app.Post("/news", func(c *nextrush.Context) error {
		var in newsInput
		if err := c.Bind(&in); err != nil {
			return err
		}
		return c.Status(201).JSON(news.add(in.Text))
	})
	app.Get("/events", func(c *nextrush.Context) error {
		return c.SSE(func(s *nextrush.SSE) error { return stream(s, news) })
	})
	return app
}

// stream sends the items that the client has missed, and then new ones.
func stream(s *nextrush.SSE, news *ticker) error {
	last, _ := strconv.Atoi(s.LastEventID()) // 0 at the first connection
	for {
		items, changed := news.after(last)
		for _, i := range items {
			if err := s.Event(nextrush.SSEEvent{ID: strconv.Itoa(i.ID), Name: "news", Data: i}); err != nil {
				return err
			}
			last = i.ID
		}
		select {
		case <-changed:
		case <-s.Context().Done():
			return nil
		}
	}
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	flag.Parse()
	if err := newApp().Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
