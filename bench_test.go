package nextrush

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-playground/validator/v10"
	"github.com/julienschmidt/httprouter"
)

// Each benchmark has a twin that does the same on bare httprouter.

type user struct {
	ID    string `json:"id"`
	Name  string `json:"name" validate:"required,min=3"`
	Email string `json:"email" validate:"required,email"`
	Age   int    `json:"age" validate:"gte=18"`
}

const userJSON = `{"name":"ada lovelace","email":"ada@example.org","age":36}`

// discard is a response writer that costs little beside what is measured.
type discard struct{ h http.Header }

func (d discard) Header() http.Header       { return d.h }
func (discard) WriteHeader(int)             {}
func (discard) Write(b []byte) (int, error) { return len(b), nil }

func bench(b *testing.B, h http.Handler, method, path, body string) {
	b.Helper()
	r := httptest.NewRequest(method, path, nil)
	reader := strings.NewReader(body)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := discard{make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.h)
		if body != "" {
			reader.Reset(body)
			r.Body = io.NopCloser(reader)
			r.ContentLength = int64(len(body))
		}
		h.ServeHTTP(w, r)
	}
}

func benchApp() *App {
	app := New()
	app.Get("/plain", func(c *Context) error { return c.Text("Hello, World!") })
	app.Get("/json", func(c *Context) error { return c.JSON(user{"1", "ada", "ada@example.org", 36}) })
	app.Get("/users/:id", func(c *Context) error { return c.Text(c.Param("id")) })
	app.Post("/users", func(c *Context) error {
		var u user
		if err := c.Bind(&u); err != nil {
			return err
		}
		return c.JSON(u)
	})
	return app
}

func benchRouter() *httprouter.Router {
	check := validator.New(validator.WithRequiredStructEnabled())
	router := httprouter.New()
	router.GET("/plain", func(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, "Hello, World!")
	})
	router.GET("/json", func(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		json.NewEncoder(w).Encode(user{"1", "ada", "ada@example.org", 36})
	})
	router.GET("/users/:id", func(w http.ResponseWriter, _ *http.Request, p httprouter.Params) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, p.ByName("id"))
	})
	router.POST("/users", func(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
		var u user
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<20)).Decode(&u); err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		if err := check.Struct(u); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		json.NewEncoder(w).Encode(u)
	})
	return router
}

func BenchmarkRequest(b *testing.B) {
	handlers := []struct {
		name string
		h    http.Handler
	}{{"nextrush", benchApp()}, {"httprouter", benchRouter()}}
	for _, bm := range []struct{ name, method, path, body string }{
		{"plain", "GET", "/plain", ""},
		{"json", "GET", "/json", ""},
		{"param", "GET", "/users/42", ""},
		{"bind", "POST", "/users", userJSON},
	} {
		for _, on := range handlers {
			b.Run(bm.name+"/"+on.name, func(b *testing.B) { bench(b, on.h, bm.method, bm.path, bm.body) })
		}
	}
}
