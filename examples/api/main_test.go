package main

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/nextrushtest"
)

func TestBooks(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	do := func(method, path, body string) *nextrushtest.Response {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.RequestURI = ""
		r.Header.Set("Content-Type", "application/json")
		return c.Do(r)
	}
	c.Post("/books", fields{"Dune", 1965}).WantStatus(201)
	c.Post("/books", fields{"", 1}).WantStatus(422)
	do("PUT", "/books/1", `{"title":"Emma","year":1815}`).WantStatus(200)
	do("PUT", "/books/2", `{"title":"Emma","year":1815}`).WantStatus(404)
	var all []Book
	c.Get("/books?since=1800").WantStatus(200).JSON(&all)
	if len(all) != 1 || all[0].Title != "Emma" {
		t.Errorf("got %+v", all)
	}
	c.Get("/books/x").WantStatus(400)
	do("DELETE", "/books/1", "").WantStatus(204)
	c.Get("/books/1").WantStatus(404)
}

func TestTheDocumentHasTheRoutes(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	c.Get("/docs").WantStatus(200)
	var doc struct {
		Paths map[string]map[string]struct{ Summary string }
	}
	c.Get("/openapi.json").WantStatus(200).JSON(&doc)
	if len(doc.Paths) != 2 || doc.Paths["/books/{id}"]["put"].Summary != "Change a book" {
		t.Errorf("got %+v", doc.Paths)
	}
}
