package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/nextrushtest"
)

// navigate sends the request of a browser that opens a page.
func navigate(c *nextrushtest.Client, path string) *nextrushtest.Response {
	r, err := http.NewRequest("GET", path, nil)
	if err != nil {
		panic(err)
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	return c.Do(r)
}

func TestEveryPageOfTheFrontEndSurvivesAReload(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	index := c.Get("/").WantStatus(200).Text()
	for _, path := range []string{"/new", "/notes/7", "/no/such/page"} {
		if got := navigate(c, path).WantStatus(200).Text(); got != index {
			t.Errorf("%s is not the front end", path)
		}
	}
}

func TestAMistakeInAnAPIPathIsAnError(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	for _, path := range []string{"/api/nothing", "/api/notes/1", "/assets/gone.js"} {
		r := navigate(c, path).WantStatus(404)
		if strings.Contains(r.Text(), "<main>") {
			t.Errorf("%s is the front end", path)
		}
	}
}

func TestNotes(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	var got note
	c.Post("/api/notes", noteInput{"Milk", "two litres"}).WantStatus(201).JSON(&got)
	if want := (note{1, "Milk", "two litres"}); got != want {
		t.Errorf("saved %v", got)
	}
	c.Get("/api/notes/1").WantStatus(200).JSON(&got)
	c.Post("/api/notes", noteInput{}).WantStatus(422)
	var all []note
	c.Get("/api/notes").WantStatus(200).JSON(&all)
	if len(all) != 1 || all[0] != got {
		t.Errorf("listed %v", all)
	}
}

// Browsers keep an asset for good, so it must get another name when it changes.
func TestAssetsAreNamedByTheirContent(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	names, err := fs.Glob(dist, "dist/assets/*")
	if err != nil || len(names) == 0 {
		t.Fatalf("%v, %v", names, err)
	}
	index := c.Get("/").Text()
	for _, name := range names {
		content, _ := fs.ReadFile(dist, name)
		sum := sha256.Sum256(content)
		path := strings.TrimPrefix(name, "dist")
		if !strings.Contains(path, "."+hex.EncodeToString(sum[:4])+".") || !strings.Contains(index, path) {
			t.Errorf("%s is not named by its content, %x, or the index asks for another", path, sum[:4])
		}
		if got := c.Get(path).WantStatus(200).Header.Get("Cache-Control"); !strings.Contains(got, "immutable") {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
	}
}
