package porting

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
)

func TestPortedRoutes(t *testing.T) {
	rows{
		"methods": func(t *testing.T) {
			c := serve(t, func(app *nextrush.App) {
				app.Get("/", text("GET"))
				app.Post("/", text("POST"))
				app.Put("/", text("PUT"))
				app.Patch("/", text("PATCH"))
				app.Delete("/", text("DELETE"))
				app.Any("/any", func(c *nextrush.Context) error { return c.Text(c.Method()) })
				app.Handle("PURGE", "/", text("PURGE"))
			})
			for method, r := range map[string]*nextrushtest.Response{
				"GET": c.Get("/"), "POST": c.Post("/", nil), "PUT": c.Put("/", nil), "PATCH": c.Patch("/", nil), "DELETE": c.Delete("/"),
			} {
				r.WantStatus(200).WantText(method)
			}
			c.Put("/any", nil).WantText("PUT")
			r, _ := http.NewRequest("PURGE", "/", nil)
			c.Do(r).WantText("PURGE")
		},
		"parameters": func(t *testing.T) {
			c := serve(t, func(app *nextrush.App) {
				app.Get("/users/:id/posts/:post", func(c *nextrush.Context) error { return c.Text(c.Param("id") + " " + c.Param("post")) })
				app.Get("/files/*path", func(c *nextrush.Context) error { return c.Text(c.Param("path")) })
			})
			c.Get("/users/7/posts/a%20b").WantText("7 a b")
			c.Get("/files/a/b.txt").WantText("a/b.txt")
		},
		"static first": func(t *testing.T) {
			c := serve(t, func(app *nextrush.App) {
				app.Get("/users/:id", text("one"))
				app.Get("/*rest", text("any"))
				app.Get("/users/new", text("new"))
			})
			c.Get("/users/new").WantText("new")
			c.Get("/users/7").WantText("one")
			c.Get("/else").WantText("any")
		},
		"optional parameters and patterns": func(t *testing.T) {
			for _, path := range []string{"/users/:id?", `/users/:id(\d+)`, "/users/{id}", "/users/:id<int>"} {
				if said := panics(t, func() { nextrush.New().Get(path, text("")) }); !strings.Contains(said, "nextrush: \"/users/") {
					t.Errorf("%s: %s", path, said)
				}
			}
			type in struct {
				ID int `path:"id" validate:"gt=0"`
			}
			c := serve(t, func(app *nextrush.App) {
				one := nextrush.Handle(func(_ *nextrush.Context, in in) (int, error) { return in.ID, nil })
				app.Get("/users", text("all"))
				app.Get("/users/:id", one)
			})
			c.Get("/users").WantText("all")
			c.Get("/users/7").WantJSON(7)
			c.Get("/users/x").WantStatus(400)
			c.Get("/users/0").WantStatus(422)
		},
		"groups": func(t *testing.T) {
			refuse := func(c *nextrush.Context) error { return nextrush.NewError(401) }
			c := serve(t, func(app *nextrush.App) {
				api := app.Group("/api", func(c *nextrush.Context) error { return c.SetHeader("X-Api", "1").Next() })
				api.Group("/v1").Get("/users", text("users"))
				api.With(refuse).Get("/admin", text("secret"))
				api.Use(func(c *nextrush.Context) error { return c.SetHeader("X-Late", "1").Next() })
				api.Get("/late", text(""))
			})
			c.Get("/api/v1/users").WantText("users").WantHeader("X-Api", "1")
			c.Get("/api/admin").WantStatus(401)
			c.Get("/api/late").WantHeader("X-Late", "1")
		},
		"several handlers": func(t *testing.T) {
			c := serve(t, func(app *nextrush.App) {
				auth := func(c *nextrush.Context) error {
					if c.Header("Authorization") == "" {
						return nextrush.NewError(401)
					}
					return c.Next()
				}
				app.Post("/users", auth, text("made"))
			})
			c.Post("/users", nil).WantStatus(401)
			c.With("Authorization", "x").Post("/users", nil).WantText("made")
		},
		"route": func(t *testing.T) {
			c := serve(t, func(app *nextrush.App) { app.Route("/book").Get(text("read")).Post(text("write")) })
			c.Get("/book").WantText("read")
			c.Post("/book", nil).WantText("write")
		},
		"mount": func(t *testing.T) {
			shop := nextrush.New()
			shop.Use(func(c *nextrush.Context) error { return c.SetHeader("X-Shop", "1").Next() })
			shop.Get("/cart", text("cart"))
			c := serve(t, func(app *nextrush.App) {
				app.Mount("/shop", shop)
				app.Mount("/old", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(r.URL.Path)) }))
			})
			c.Get("/shop/cart").WantText("cart").WantHeader("X-Shop", "1")
			c.Get("/old/a/b").WantText("/a/b")
		},
		"handlers of net/http": func(t *testing.T) {
			c := serve(t, func(app *nextrush.App) {
				app.Use(nextrush.WrapMiddleware(func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("X-Wrapped", "1")
						next.ServeHTTP(w, r)
					})
				}))
				app.Get("/", nextrush.WrapHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("net/http")) })))
			})
			c.Get("/").WantText("net/http").WantHeader("X-Wrapped", "1")
		},
		"names": func(t *testing.T) {
			app := nextrush.New()
			app.Get("/users/:id", text("")).Named("user")
			if url, err := app.URL("user", 7); url != "/users/7" || err != nil {
				t.Error(url, err)
			}
			if list := app.Routes(); len(list) != 1 || list[0].Method != "GET" || list[0].Path != "/users/:id" {
				t.Errorf("%+v", list)
			}
		},
		"trailing slash": func(t *testing.T) {
			register := func(app *nextrush.App) { app.Get("/users", text("users")) }
			serve(t, register).Get("/users/").WantStatus(308).WantHeader("Location", "/users")
			serve(t, register, nextrush.Options{DisableTrailingSlashRedirect: true}).Get("/users/").WantStatus(404)
		},
		"case": func(t *testing.T) {
			c := serve(t, func(app *nextrush.App) { app.Get("/users", text("users")) })
			c.Get("/Users").WantStatus(404)
		},
		"not found": func(t *testing.T) {
			c := serve(t, func(app *nextrush.App) { app.Get("/users", text("users")) }, nextrush.Options{
				ErrorHandler: func(c *nextrush.Context, err error) {
					if nextrush.StatusOf(err) == 404 {
						_ = c.Status(404).Text("nothing at " + c.Path())
					}
				},
			})
			c.Get("/nowhere").WantStatus(404).WantText("nothing at /nowhere")
			c.Post("/users", nil).WantStatus(405).WantHeader("Allow", "GET, HEAD, OPTIONS")
			c.Options("/users").WantStatus(204).WantHeader("Allow", "GET, HEAD, OPTIONS")
			c.Head("/users").WantStatus(200).WantText("")
		},
		"not found in a folder": func(t *testing.T) {
			c := serve(t, func(app *nextrush.App) {
				app.NotFound(text("no page"))
				api := app.Group("/api")
				api.Get("/users", text("users"))
				api.NotFound(text("no such thing"))
			})
			c.Get("/api/nowhere").WantStatus(404).WantText("no such thing")
			c.Get("/nowhere").WantStatus(404).WantText("no page")
		},
		"hosts": func(t *testing.T) {
			admin := nextrush.New()
			admin.Get("/", text("admin"))
			alone := nextrush.New()
			alone.Get("/", text("alone"))
			alone.Any("/*rest", func(*nextrush.Context) error { return nextrush.NewError(404) })
			c := serve(t, func(app *nextrush.App) {
				app.Get("/", text("everybody"))
				app.Get("/about", text("about"))
				app.Host("alone.example.com").Mount("/", alone)
				app.Host("admin.example.com").Mount("/", admin)
				app.Host(":tenant.example.com").Get("/", func(c *nextrush.Context) error { return c.Text(c.Param("tenant")) })
			})
			c.With("Host", "admin.example.com").Get("/").WantText("admin")
			c.With("Host", "admin.example.com").Get("/about").WantText("about")
			c.With("Host", "alone.example.com").Get("/").WantText("alone")
			c.With("Host", "alone.example.com").Get("/about").WantStatus(404)
			c.With("Host", "shop.example.com:8080").Get("/").WantText("shop")
			c.With("Host", "other.test").Get("/").WantText("everybody")
		},
		"a group without routes": func(t *testing.T) {
			app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
			app.Group("/api", text("")) // guards nothing
			app.Get("/api/users", text(""))
			if err := app.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "/api") {
				t.Error(err)
			}
		},
		"one route twice": func(t *testing.T) {
			app := nextrush.New()
			app.Get("/users/:id", text(""))
			if said := panics(t, func() { app.Get("/users/:name", text("")) }); !strings.Contains(said, "routes_test.go") {
				t.Error(said)
			}
		},
	}.run(t)
}

type database struct{ said *[]string }

func (database) Name() string                     { return "database" }
func (d database) Install(*nextrush.App) error    { *d.said = append(*d.said, "install"); return nil }
func (d database) Start(context.Context) error    { *d.said = append(*d.said, "start"); return nil }
func (d database) Stop(ctx context.Context) error { *d.said = append(*d.said, "stop"); return nil }

func TestPortedApps(t *testing.T) {
	rows{
		"life": func(t *testing.T) {
			var said []string
			note := func(what string) func(context.Context) error {
				return func(context.Context) error { said = append(said, what); return nil }
			}
			app := nextrush.New()
			app.OnStart(note("OnStart"))
			app.OnShutdown(note("OnShutdown"))
			if err := app.Register(database{&said}); err != nil {
				t.Fatal(err)
			}
			if app.Plugin("database") == nil {
				t.Error("the plugin is not found")
			}
			t.Run("served", func(t *testing.T) { nextrushtest.New(t, app).Get("/").WantStatus(404) })
			if got := strings.Join(said, " "); !strings.Contains(got, "install") || !strings.Contains(got, "start") ||
				!strings.Contains(got, "OnStart") || !strings.Contains(got, "OnShutdown") || !strings.Contains(got, "stop") {
				t.Error(got)
			}
		},
		"tests without a port": func(t *testing.T) {
			c := serve(t, func(app *nextrush.App) { app.Get("/", text("hi")) })
			r, _ := http.NewRequest("GET", "/", nil)
			c.Do(r).WantStatus(200).WantText("hi")
		},
	}.run(t)
}
