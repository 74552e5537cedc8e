package porting

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
)

type page struct{}

func (page) Render(w io.Writer, name string, data any, _ *nextrush.Context) error {
	_, err := io.WriteString(w, "<p>"+name+" "+data.(string))
	return err
}

func TestPortedAnswers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	rows{
		"bodies": func(t *testing.T) {
			for want, h := range map[string]nextrush.Handler{
				"application/json; charset=utf-8 {\"a\":1}\n": func(c *nextrush.Context) error { return c.JSON(map[string]int{"a": 1}) },
				"text/plain; charset=utf-8 <h1>":              func(c *nextrush.Context) error { return c.Text("<h1>") },
				"text/html; charset=utf-8 <h1>":               func(c *nextrush.Context) error { return c.HTML("<h1>") },
				"application/pdf %PDF":                        func(c *nextrush.Context) error { return c.Blob("application/pdf", []byte("%PDF")) },
				"image/png png":                               func(c *nextrush.Context) error { return c.Stream("image/png", strings.NewReader("png")) },
				"text/html; charset=utf-8 <p>page ann":        func(c *nextrush.Context) error { return c.Render("page", "ann") },
				"text/css; charset=utf-8 a{}":                 func(c *nextrush.Context) error { return c.Type("css").Text("a{}") },
			} {
				r := at(t, h, nextrush.Options{Renderer: page{}}).Get("/x/7/").WantStatus(200)
				if got := r.Header.Get("Content-Type") + " " + r.Text(); got != want {
					t.Errorf("%q, want %q", got, want)
				}
			}
			type item struct {
				Name string
			}
			at(t, func(c *nextrush.Context) error { return c.XML(item{"a"}) }).Get("/x/7/").WantHeader("Content-Type", "application/xml; charset=utf-8")
			at(t, func(c *nextrush.Context) error { return c.CSV([][]string{{"a", "b"}}, "list.csv") }).Get("/x/7/").
				WantHeader("Content-Disposition", `attachment; filename="list.csv"`)
		},
		"send": func(t *testing.T) {
			at(t, func(c *nextrush.Context) error { return c.Send("<h1>hi</h1>") }).Get("/x/7/").
				WantHeader("Content-Type", "text/plain; charset=utf-8") // text is text; markup is for HTML
			at(t, func(c *nextrush.Context) error { return c.Send(map[string]int{"a": 1}) }).Get("/x/7/").WantJSON(`{"a": 1}`)
			at(t, func(c *nextrush.Context) error { return c.Send([]byte("b")) }).Get("/x/7/").WantHeader("Content-Type", "application/octet-stream")
		},
		"status": func(t *testing.T) {
			at(t, func(c *nextrush.Context) error { return c.Status(201).JSON(1) }).Get("/x/7/").WantStatus(201)
			at(t, func(c *nextrush.Context) error { return c.NoContent() }).Get("/x/7/").WantStatus(204).WantText("")
		},
		"redirects": func(t *testing.T) {
			at(t, func(c *nextrush.Context) error { return c.Redirect("/login") }).Get("/x/7/").WantStatus(302).WantHeader("Location", "/login")
			at(t, func(c *nextrush.Context) error { return c.Redirect("/login", 301) }).Get("/x/7/").WantStatus(301)
		},
		"redirects by name": func(t *testing.T) {
			c := serve(t, func(app *nextrush.App) {
				app.Get("/users/:id", text("")).Named("user")
				app.Get("/me", func(c *nextrush.Context) error { return c.RedirectTo("user", 7) })
			})
			c.Get("/me").WantStatus(302).WantHeader("Location", "/users/7")
		},
		"headers": func(t *testing.T) {
			at(t, func(c *nextrush.Context) error {
				c.SetHeader("X-Own", "1").Append("Link", "<a>", "<b>").Vary("Accept")
				if c.StatusCode() != 0 {
					return nextrush.NewError(500)
				}
				err := c.NoContent()
				if c.StatusCode() != 204 || c.BytesWritten() != 0 {
					return nextrush.NewError(500)
				}
				return err
			}).Get("/x/7/").WantStatus(204).WantHeader("X-Own", "1").WantHeader("Link", "<a>").WantHeader("Vary", "Accept")
		},
		"cookies": func(t *testing.T) {
			c := serve(t, func(app *nextrush.App) {
				app.Get("/in", func(c *nextrush.Context) error {
					return c.SetCookie(&http.Cookie{Name: "a", Value: "1", Path: "/"}).NoContent()
				})
				app.Get("/out", func(c *nextrush.Context) error { return c.ClearCookie("a").NoContent() })
				app.Get("/", func(c *nextrush.Context) error { return c.Text(c.Cookie("a")) })
			}).WithCookies()
			c.Get("/in")
			c.Get("/").WantText("1")
			c.Get("/out")
			c.Get("/").WantText("")
		},
		"signed cookies": func(t *testing.T) {
			signed := nextrush.NewSignedCookies(make([]byte, 32))
			c := serve(t, func(app *nextrush.App) {
				app.Get("/in", func(c *nextrush.Context) error {
					if err := signed.Set(c, &http.Cookie{Name: "a", Value: "1", Path: "/"}); err != nil {
						return err
					}
					return c.NoContent()
				})
				app.Get("/", func(c *nextrush.Context) error {
					v, ok := signed.Get(c, "a")
					return c.JSON([]any{v, ok})
				})
			})
			browser := c.WithCookies()
			browser.Get("/in")
			browser.Get("/").WantJSON(`["1", true]`)
			c.With("Cookie", "a=1").Get("/").WantJSON(`["", false]`)
		},
		"files": func(t *testing.T) {
			at(t, func(c *nextrush.Context) error { return c.File(file) }).Get("/x/7/").WantText("content")
			at(t, func(c *nextrush.Context) error { return c.Download(file, "b.txt") }).Get("/x/7/").
				WantText("content").WantHeader("Content-Disposition", `attachment; filename="b.txt"`)
		},
		"caching": func(t *testing.T) {
			at(t, func(c *nextrush.Context) error { return c.CacheFor(time.Minute).Text("") }).Get("/x/7/").WantHeader("Cache-Control", "public, max-age=60")
			at(t, func(c *nextrush.Context) error { return c.NoCache().Text("") }).Get("/x/7/").WantHeader("Cache-Control", "no-store")
		},
		"envelopes": func(t *testing.T) {
			at(t, func(c *nextrush.Context) error { return c.Success(1, "done") }).Get("/x/7/").
				WantJSON(`{"success": true, "data": 1, "message": "done"}`)
			at(t, func(c *nextrush.Context) error { return c.Fail(409, "taken") }).Get("/x/7/").WantStatus(409).
				WantJSON(`{"success": false, "error": {"message": "taken"}}`)
			at(t, func(c *nextrush.Context) error { return c.Paginate([]int{3}, 2, 2, 3) }).Get("/x/7/").
				WantJSON(`{"success": true, "data": [3], "pagination": {"page": 2, "limit": 2, "total": 3, "totalPages": 2, "hasNext": false, "hasPrev": true}}`)
		},
		"events": func(t *testing.T) {
			at(t, func(c *nextrush.Context) error {
				return c.SSE(func(s *nextrush.SSE) error { return s.Event(nextrush.SSEEvent{Name: "tick", Data: 1}) })
			}).Get("/x/7/").WantHeader("Content-Type", "text/event-stream").WantText("event: tick\ndata: 1\n\n")
		},
		"an answer that is not returned": func(t *testing.T) {
			// As in Express the first answer is sent, and what follows is appended.
			at(t, func(c *nextrush.Context) error {
				c.Status(401).Text("no")
				return c.Text(", and more")
			}).Get("/x/7/").WantStatus(401).WantText("no, and more")
		},
	}.run(t)
}

func TestPortedErrors(t *testing.T) {
	rows{
		"returned": func(t *testing.T) {
			c := at(t, func(c *nextrush.Context) error {
				return nextrush.NewError(418, "short and stout").WithCode("teapot").WithDetails(1)
			})
			c.Get("/x/7/").WantStatus(418).WantHeader("Content-Type", "application/problem+json").
				WantJSON(`{"type": "about:blank", "title": "I'm a teapot", "status": 418, "detail": "short and stout", "code": "teapot", "errors": 1}`)
			if r := c.With("Accept", "text/html").Get("/x/7/").WantStatus(418); !strings.Contains(r.Text(), "<!DOCTYPE html>") {
				t.Error(r.Text())
			}
		},
		"of any kind": func(t *testing.T) {
			h := func(*nextrush.Context) error { return errors.New("password is 1234") }
			if r := at(t, h).Get("/x/7/").WantStatus(500); strings.Contains(r.Text(), "1234") {
				t.Error(r.Text())
			}
			if r := at(t, h, nextrush.Options{Debug: true}).Get("/x/7/").WantStatus(500); !strings.Contains(r.Text(), "1234") {
				t.Error(r.Text())
			}
			hidden := func(*nextrush.Context) error { return nextrush.NewError(400).WithCause(errors.New("secret")) }
			if r := at(t, hidden).Get("/x/7/").WantStatus(400); strings.Contains(r.Text(), "secret") {
				t.Error(r.Text())
			}
		},
		"panics": func(t *testing.T) {
			at(t, func(*nextrush.Context) error { panic("oops") }).Get("/x/7/").WantStatus(500)
		},
		"handler": func(t *testing.T) {
			at(t, func(*nextrush.Context) error { return nextrush.NewError(404, "gone") }, nextrush.Options{
				ErrorHandler: func(c *nextrush.Context, err error) {
					_ = c.Status(nextrush.StatusOf(err)).JSON(map[string]string{"error": nextrush.AsHTTPError(err).Message})
				},
			}).Get("/x/7/").WantStatus(404).WantJSON(`{"error": "gone"}`)
		},
		"seen by middleware": func(t *testing.T) {
			c := serve(t, func(app *nextrush.App) {
				app.Use(func(c *nextrush.Context) error {
					err := c.Next()
					if nextrush.StatusOf(err) == 404 {
						return c.Status(404).Text("seen")
					}
					return err
				})
				app.Get("/", func(*nextrush.Context) error { return nextrush.NewError(404) })
			})
			c.Get("/").WantStatus(404).WantText("seen")
		},
	}.run(t)
}
