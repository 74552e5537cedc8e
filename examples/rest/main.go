// Command rest is a small JSON API with validation.
//
//	go run ./examples/rest
//	curl -X POST localhost:3000/books -H 'Content-Type: application/json' -d '{"title":"Dune","year":1965}'
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
)

// Book is what is stored and what clients get.
type Book struct {
	ID    int    `json:"id"`
	Title string `json:"title"`
	Year  int    `json:"year"`
}

type bookInput struct {
	Title string `json:"title" validate:"required,max=200"`
	Year  int    `json:"year" validate:"gte=1450,lte=2100"`
}

type listInput struct {
	Page  int `query:"page" validate:"gte=0,lte=1000000"`
	Limit int `query:"limit" validate:"gte=0,lte=100"`
}

type store struct {
	mu    sync.Mutex // guards the fields below
	next  int
	books map[int]Book
}

func newApp() *nextrush.App {
	s := &store{next: 1, books: make(map[int]Book)}
	app := nextrush.New()
	app.Use(middleware.RequestID(), middleware.Logger(), middleware.Recover())
	books := app.Group("/books")
	books.Get("", s.list)
	books.Post("", s.create)
	books.Get("/:id", s.show)
	books.Put("/:id", s.update)
	books.Delete("/:id", s.remove)
	return app
}

func (s *store) list(c *nextrush.Context) error {
	in := listInput{Page: 1, Limit: 20}
	if err := c.Bind(&in); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := slices.Sorted(maps.Keys(s.books))
	from := min(max(in.Page-1, 0)*in.Limit, len(ids))
	page := make([]Book, 0, in.Limit)
	for _, id := range ids[from:min(from+in.Limit, len(ids))] {
		page = append(page, s.books[id])
	}
	return c.Paginate(page, in.Page, in.Limit, len(ids))
}

func (s *store) create(c *nextrush.Context) error {
	var in bookInput
	if err := c.Bind(&in); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	book := Book{ID: s.next, Title: in.Title, Year: in.Year}
	s.books[book.ID] = book
	s.next++
	return c.Status(http.StatusCreated).JSON(book)
}

func (s *store) show(c *nextrush.Context) error {
	return s.with(c, func(b Book) error { return c.JSON(b) })
}

func (s *store) update(c *nextrush.Context) error {
	var in bookInput
	if err := c.Bind(&in); err != nil {
		return err
	}
	return s.with(c, func(b Book) error {
		b.Title, b.Year = in.Title, in.Year
		s.books[b.ID] = b
		return c.JSON(b)
	})
}

func (s *store) remove(c *nextrush.Context) error {
	return s.with(c, func(b Book) error {
		delete(s.books, b.ID)
		return c.NoContent()
	})
}

// with runs f on the book that the path names, under the lock.
func (s *store) with(c *nextrush.Context, f func(Book) error) error {
	var path struct {
		ID int `path:"id"`
	}
	if err := c.Bind(&path); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	book, ok := s.books[path.ID]
	if !ok {
		return nextrush.NewError(http.StatusNotFound, "no such book")
	}
	return f(book)
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	flag.Parse()
	if err := newApp().Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
