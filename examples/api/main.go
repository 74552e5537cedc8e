// Command api is a JSON API of typed handlers with a page that describes it.
//
//	go run ./examples/api
//	# then open http://localhost:3000/docs
package main

import (
	"flag"
	"log"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/openapi"
)

// Book is what clients get.
type Book struct {
	ID    int    `json:"id" example:"1"`
	Title string `json:"title" example:"Emma"`
	Year  int    `json:"year" example:"1815"`
}

type fields struct {
	Title string `json:"title" validate:"required,max=200" example:"Emma"`
	Year  int    `json:"year" validate:"gte=1450,lte=2100" example:"1815" doc:"in which it was printed first"`
}

type one struct {
	ID int `path:"id" example:"1"`
}

type change struct {
	one
	fields
}

type list struct {
	Since int `query:"since" validate:"gte=0" example:"1800"`
}

type none = struct{}

type store struct {
	mu    sync.Mutex // guards the fields below
	last  int
	books map[int]Book
}

func newApp() *nextrush.App {
	s := &store{books: make(map[int]Book)}
	app := nextrush.New()
	app.Use(middleware.RequestID(), middleware.Logger(), middleware.SecureHeaders())
	app.Register(openapi.New(openapi.Options{Title: "Books", Version: "1.0.0"}))
	books := app.Group("/books", nextrush.Describe(nextrush.Operation{Tags: []string{"books"}}))
	books.Get("", says("List the books", 0), nextrush.Handle(s.list))
	books.Post("", says("Add a book", http.StatusCreated), nextrush.Handle(s.add))
	books.Get("/:id", says("Show a book", 0, 404), nextrush.Handle(s.show))
	books.Put("/:id", says("Change a book", 0, 404), nextrush.Handle(s.change))
	books.Delete("/:id", says("Remove a book", 0, 404), nextrush.Handle(s.remove))
	return app
}

func says(summary string, status int, errors ...int) nextrush.Handler {
	return nextrush.Describe(nextrush.Operation{Summary: summary, Status: status, Errors: errors})
}

func (s *store) list(_ *nextrush.Context, in list) ([]Book, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []Book{}
	for _, id := range slices.Sorted(maps.Keys(s.books)) {
		if s.books[id].Year >= in.Since {
			found = append(found, s.books[id])
		}
	}
	return found, nil
}

func (s *store) add(_ *nextrush.Context, in fields) (Book, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.books[s.last] = Book{s.last, in.Title, in.Year}
	return s.books[s.last], nil
}

func (s *store) show(_ *nextrush.Context, in one) (Book, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.findLocked(in.ID)
}

func (s *store) change(_ *nextrush.Context, in change) (Book, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.findLocked(in.ID); err != nil {
		return Book{}, err
	}
	s.books[in.ID] = Book{in.ID, in.Title, in.Year}
	return s.books[in.ID], nil
}

func (s *store) remove(_ *nextrush.Context, in one) (none, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.findLocked(in.ID)
	delete(s.books, in.ID)
	return none{}, err
}

func (s *store) findLocked(id int) (Book, error) {
	book, ok := s.books[id]
	if !ok {
		return Book{}, nextrush.NewError(http.StatusNotFound, "no such book")
	}
	return book, nil
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	flag.Parse()
	if err := newApp().Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
