// Command spa serves a front end that has its own routes, and the API that it talks
// to: every page can be reloaded, browsers keep assets for good, and a wrong API path
// is a 404 and not the front end's page.
//
//	go run ./examples/spa
//	# then open http://localhost:3000, write a note, and reload its page
package main

import (
	"embed"
	"flag"
	"io/fs"
	"log"
	"strings"
	"sync"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/static"
)

// dist is what a bundler writes: an index, and assets that have the hash of their
// content in their names.
//
//go:embed dist
var dist embed.FS

type note struct {
	ID    int    `json:"id"`
	Title string `json:"title"`
	Text  string `json:"text"`
}

type noteInput struct {
	Title string `json:"title" validate:"required,max=100"`
	Text  string `json:"text" validate:"max=10000"`
}

type noteID struct {
	ID int `path:"id"`
}

// notebook keeps notes in memory. Its methods are safe from any goroutine.
type notebook struct {
	mu    sync.Mutex // guards notes
	notes []note     // the note with id n is at n-1
}

func (b *notebook) list(*nextrush.Context, struct{}) ([]note, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]note{}, b.notes...), nil
}

func (b *notebook) show(_ *nextrush.Context, in noteID) (note, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if in.ID < 1 || in.ID > len(b.notes) {
		return note{}, nextrush.NewError(404, "there is no such note")
	}
	return b.notes[in.ID-1], nil
}

func (b *notebook) add(c *nextrush.Context, in noteInput) (note, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	added := note{len(b.notes) + 1, in.Title, in.Text}
	b.notes = append(b.notes, added)
	c.Status(201)
	return added, nil
}

func newApp() *nextrush.App {
	app := nextrush.New()
	app.Use(
		middleware.RequestID(),
		middleware.Logger(),
		middleware.Recover(),
		middleware.SecureHeaders(),
		middleware.CSRF(),
	)
	var book notebook
	api := app.Group("/api")
	api.Get("/notes", nextrush.Handle(book.list))
	api.Post("/notes", nextrush.Handle(book.add))
	api.Get("/notes/:id", nextrush.Handle(book.show))
	api.Any("/*rest", func(*nextrush.Context) error { return nextrush.NewError(404) })

	built, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err)
	}
	app.Register(static.FS("/", built, static.Options{
		SPA:       true,
		Immutable: func(name string) bool { return strings.HasPrefix(name, "assets/") },
	}))
	return app
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	flag.Parse()
	if err := newApp().Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
