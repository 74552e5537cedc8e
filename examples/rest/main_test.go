package main

import (
	"testing"

	"github.com/nextrush/nextrush/nextrushtest"
)

func TestBooks(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	c.Post("/books", bookInput{"Dune", 1965}).WantStatus(201)
	c.Post("/books", bookInput{"", 1}).WantStatus(422)
	var b Book
	c.Get("/books/1").WantStatus(200).JSON(&b)
	if b.Title != "Dune" {
		t.Errorf("got %+v", b)
	}
	c.Get("/books/2").WantStatus(404)
	c.Get("/books/x").WantStatus(400)
	c.Get("/books?limit=1000").WantStatus(422)
	c.Get("/books?page=4611686018427387905&limit=3").WantStatus(422) // their product overflows
	c.Get("/books?page=1000000&limit=100").WantStatus(200)
	c.Get("/books").WantStatus(200)
}
