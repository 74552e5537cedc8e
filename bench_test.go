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

// nullWriter takes an answer and keeps nothing.
type nullWriter struct{ h http.Header }

func (w *nullWriter) Header() http.Header         { return w.h }
func (w *nullWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *nullWriter) WriteHeader(int)             {}

type benchUser struct {
	Name string `json:"name" validate:"required,max=50"`
	Age  int    `json:"age" validate:"gte=0,lte=150"`
}

const benchBody = `{"name":"ann","age":42}`

func benchApp() http.Handler {
	a := New()
	a.Get("/plain", func(c *Context) error { return c.Text("Hello, World!") })
	a.Get("/json", func(c *Context) error { return c.JSON(map[string]string{"message": "hello"}) })
	a.Get("/users/:id", func(c *Context) error { return c.Text(c.Param("id")) })
	a.Post("/users", func(c *Context) error {
		var u benchUser
		if err := c.Bind(&u); err != nil {
			return err
		}
		return c.JSON(u)
	})
	return a
}

// benchRouter is httprouter with the same answers.
func benchRouter() http.Handler {
	r := httprouter.New()
	check := validator.New(validator.WithRequiredStructEnabled())
	writeJSON := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		json.NewEncoder(w).Encode(v)
	}
	r.GET("/plain", func(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, "Hello, World!")
	})
	r.GET("/json", func(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
		writeJSON(w, map[string]string{"message": "hello"})
	})
	r.GET("/users/:id", func(w http.ResponseWriter, _ *http.Request, ps httprouter.Params) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, ps.ByName("id"))
	})
	r.POST("/users", func(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
		var u benchUser
		body := http.MaxBytesReader(w, r.Body, 4<<20)
		if json.NewDecoder(body).Decode(&u) != nil || check.Struct(&u) != nil {
			http.Error(w, "bad", http.StatusBadRequest)
			return
		}
		writeJSON(w, u)
	})
	return r
}

// BenchmarkRoutes compares the App with bare httprouter, without the network.
func BenchmarkRoutes(b *testing.B) {
	for _, route := range []struct{ name, method, path, body string }{
		{"plain", "GET", "/plain", ""},
		{"json", "GET", "/json", ""},
		{"param", "GET", "/users/42", ""},
		{"bind", "POST", "/users", benchBody},
	} {
		for name, h := range map[string]http.Handler{"nextrush": benchApp(), "httprouter": benchRouter()} {
			b.Run(route.name+"/"+name, func(b *testing.B) {
				body := strings.NewReader(route.body)
				r := httptest.NewRequest(route.method, route.path, io.NopCloser(body))
				r.ContentLength = int64(len(route.body))
				r.Header.Set("Content-Type", "application/json")
				read := r.Body
				w := &nullWriter{make(http.Header)}
				b.ReportAllocs()
				for b.Loop() {
					body.Reset(route.body)
					r.Body = read
					clear(w.h)
					h.ServeHTTP(w, r)
				}
			})
		}
	}
}
