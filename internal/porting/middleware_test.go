package porting

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/nextrushtest"
)

// behind serves "/" behind middleware, which answers "ok".
func behind(t *testing.T, mw ...nextrush.Handler) *nextrushtest.Client {
	t.Helper()
	return serve(t, func(app *nextrush.App) {
		app.Use(mw)
		app.Any("/", text("ok"))
	})
}

// shouting writes in capitals.
type shouting struct{ http.ResponseWriter }

func (w shouting) Unwrap() http.ResponseWriter       { return w.ResponseWriter }
func (w shouting) Write(p []byte) (int, error)       { return w.ResponseWriter.Write(bytes.ToUpper(p)) }
func (w shouting) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

func TestPortedMiddleware(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	rows{
		"next": func(t *testing.T) {
			c := serve(t, func(app *nextrush.App) {
				app.Use(func(c *nextrush.Context) error {
					c.SetHeader("X-Before", "1")
					return c.Next()
				})
				app.Use(func(c *nextrush.Context) error {
					if c.Query("stop") != "" {
						return c.Status(403).Text("stopped") // without Next the rest does not run
					}
					return c.Next()
				})
				app.Get("/", text("ok"))
			})
			c.Get("/").WantText("ok").WantHeader("X-Before", "1")
			c.Get("/?stop=1").WantStatus(403).WantText("stopped")
			c.Get("/nowhere?stop=1").WantStatus(403) // without a route, too
		},
		"under a path": func(t *testing.T) {
			refuse := func(*nextrush.Context) error { return nextrush.NewError(401) }
			api := nextrush.New()
			api.Get("/mounted", text("mounted"))
			c := serve(t, func(app *nextrush.App) {
				app.Get("/api/before", text("before"))
				app.Use("/api", refuse)
				app.Get("/api/after", text("after"))
				app.Mount("/api/app", api)
				app.Get("/apis", text("apis"))
			})
			for _, path := range []string{"/api", "/api/before", "/api/after", "/api/app/mounted", "/api/nowhere", "/API/before", "//api/before"} {
				c.Get(path).WantStatus(401)
			}
			c.Get("/apis").WantText("apis")

			serve(t, func(app *nextrush.App) {
				app.Use("/notes/:id", func(c *nextrush.Context) error {
					c.Set("note", "note "+c.Param("id"))
					return c.Next()
				})
				app.Get("/notes/:id/text", func(c *nextrush.Context) error { return c.Text(c.Get("note").(string)) })
			}).Get("/notes/7/text").WantText("note 7")
		},
		"conditions": func(t *testing.T) {
			api := func(c *nextrush.Context) bool { return c.Query("api") != "" }
			refuse := middleware.Chain(func(*nextrush.Context) error { return nextrush.NewError(401) })
			behind(t, middleware.Only(api, refuse)).Get("/").WantStatus(200)
			behind(t, middleware.Only(api, refuse)).Get("/?api=1").WantStatus(401)
			behind(t, middleware.Skip(api, refuse)).Get("/?api=1").WantStatus(200)
		},
		"logger": func(t *testing.T) {
			behind(t, middleware.RequestID(), middleware.Logger(middleware.LoggerOptions{Logger: logger})).Get("/").WantStatus(200)
			if !strings.Contains(log.String(), "status=200") {
				t.Error(log.String())
			}
		},
		"recover": func(t *testing.T) {
			behind(t, middleware.Recover(), func(*nextrush.Context) error { panic("oops") }).Get("/").WantStatus(500)
			behind(t, func(*nextrush.Context) error { panic("oops") }).Get("/").WantStatus(500) // without it, too
		},
		"presets": func(t *testing.T) {
			behind(t, middleware.Production()...).Get("/").WantStatus(200).WantHeader("X-Content-Type-Options", "nosniff")
			behind(t, middleware.Development()...).Get("/").WantStatus(200)
		},
		"request ids": func(t *testing.T) {
			if r := behind(t, middleware.RequestID()).Get("/"); r.Header.Get("X-Request-Id") == "" {
				t.Error(r.Header)
			}
		},
		"cors": func(t *testing.T) {
			mw := middleware.CORS(middleware.CORSOptions{AllowOrigins: []string{"https://a.example"}})
			behind(t, mw).With("Origin", "https://a.example").Get("/").WantHeader("Access-Control-Allow-Origin", "https://a.example")
			behind(t, mw).With("Origin", "https://b.example").Get("/").WantHeader("Access-Control-Allow-Origin", "")
			behind(t, middleware.CORS()).With("Origin", "https://b.example").Get("/").WantHeader("Access-Control-Allow-Origin", "*")
		},
		"security headers": func(t *testing.T) {
			behind(t, middleware.SecureHeaders()).Get("/").WantHeader("X-Content-Type-Options", "nosniff")
		},
		"csrf": func(t *testing.T) {
			c := behind(t, middleware.CSRF())
			c.Post("/", nil).WantStatus(200) // no browser
			c.With("Sec-Fetch-Site", "cross-site").Post("/", nil).WantStatus(403)
			c.With("Sec-Fetch-Site", "same-origin").Post("/", nil).WantStatus(200)

			c = serve(t, func(app *nextrush.App) {
				app.Use(middleware.CSRF(middleware.CSRFOptions{Secret: []byte(strings.Repeat("s", 32))}))
				app.Get("/", func(c *nextrush.Context) error { return c.Text(middleware.CSRFToken(c)) })
				app.Post("/", text("ok"))
			}).WithCookies()
			token := c.Get("/").WantStatus(200).Text()
			c.Post("/", "name=ann").WantStatus(403)
			c.Post("/", "name=ann&csrf_token="+token).WantStatus(200)
		},
		"limits": func(t *testing.T) {
			behind(t, middleware.BodyLimit(3)).Post("/", []byte("more")).WantStatus(413)
			c := behind(t, middleware.RateLimit(middleware.RateLimitOptions{Requests: 1, Window: time.Hour}))
			c.Get("/").WantStatus(200)
			c.Get("/").WantStatus(429)
			behind(t, middleware.Concurrency()).Get("/").WantStatus(200)
		},
		"timeout": func(t *testing.T) {
			hang := make(chan struct{})
			defer close(hang)
			c := serve(t, func(app *nextrush.App) {
				app.Use(middleware.Timeout(time.Millisecond, middleware.TimeoutOptions{Abandon: true}))
				app.Get("/hangs", func(*nextrush.Context) error { <-hang; return nil })
				app.Get("/waits", func(c *nextrush.Context) error { <-c.Context().Done(); return c.Context().Err() })
			})
			c.Get("/hangs").WantStatus(503)
			c.Get("/waits").WantStatus(503)
		},
		"auth": func(t *testing.T) {
			c := behind(t, middleware.BasicAuth(middleware.BasicAuthOptions{Users: map[string]string{"ann": "secret"}}))
			c.Get("/").WantStatus(401).WantHeader("Www-Authenticate", `Basic realm="Restricted", charset="UTF-8"`)
			c.With("Authorization", "Basic YW5uOnNlY3JldA==").Get("/").WantStatus(200)
			c = behind(t, middleware.BearerAuth(middleware.BearerAuthOptions{Tokens: map[string]string{"t": "ann"}}))
			c.Get("/").WantStatus(401)
			c.With("Authorization", "Bearer t").Get("/").WantStatus(200)
			c = behind(t, middleware.KeyAuth(middleware.KeyAuthOptions{Keys: map[string]string{"k": "ann"}}))
			c.Get("/").WantStatus(401)
			c.With("X-API-Key", "k").Get("/").WantStatus(200)
		},
		"compression": func(t *testing.T) {
			c := serve(t, func(app *nextrush.App) {
				app.Use(middleware.Compress(), middleware.ETag(), middleware.Decompress())
				app.Get("/", text(strings.Repeat("a", 5000)))
			})
			c.With("Accept-Encoding", "gzip").Get("/").WantHeader("Content-Encoding", "gzip")
		},
		"before routing": func(t *testing.T) {
			c := serve(t, func(app *nextrush.App) {
				app.Pre(middleware.MethodOverride(), middleware.Rewrite(middleware.RewriteRule{From: "/old/:id", To: "/new/:id"}))
				app.Put("/", text("put"))
				app.Get("/new/:id", func(c *nextrush.Context) error { return c.Text(c.Param("id")) })
			})
			c.With("X-HTTP-Method-Override", "PUT").Post("/", nil).WantText("put")
			c.Get("/old/7").WantText("7")
		},
		"original URL": func(t *testing.T) {
			c := serve(t, func(app *nextrush.App) {
				app.Pre(middleware.Rewrite(middleware.RewriteRule{From: "/old/:id", To: "/new/:id"}))
				app.Get("/new/:id", func(c *nextrush.Context) error { return c.Text(c.Path() + " " + c.Request().RequestURI) })
			})
			c.Get("/old/7?a=1").WantText("/new/7 /old/7?a=1")
		},
		"changed answers": func(t *testing.T) {
			c := behind(t, func(c *nextrush.Context) error {
				c.SetWriter(shouting{c.Writer()})
				return c.Next()
			})
			c.Get("/").WantText("OK")
		},
		"hosts": func(t *testing.T) {
			c := behind(t, middleware.HostFilter("a.test"))
			c.With("Host", "a.test").Get("/").WantStatus(200)
			c.With("Host", "b.test").Get("/").WantStatus(421)
		},
	}.run(t)
}
