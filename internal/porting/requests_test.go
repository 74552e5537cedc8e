package porting

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-playground/validator/v10"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
)

func TestPortedRequests(t *testing.T) {
	rows{
		"queries": func(t *testing.T) {
			c := at(t, func(c *nextrush.Context) error {
				return c.JSON([]any{c.Query("q"), c.Query("sort", "name"), c.Queries()["tag"]})
			})
			c.Get("/x/7/?q=a+b&tag=1&tag=2").WantJSON(`["a b", "name", ["1", "2"]]`)
		},
		"values as a type": func(t *testing.T) {
			c := at(t, func(c *nextrush.Context) error {
				id, err := nextrush.Param[int](c, "id")
				if err != nil {
					return err
				}
				page, err := nextrush.Query(c, "page", 1)
				if err != nil {
					return err
				}
				tags, err := nextrush.Query[[]string](c, "tag")
				if err != nil {
					return err
				}
				return c.JSON([]any{id, page, tags})
			})
			c.Get("/x/7/").WantJSON(`[7, 1, null]`)
			c.Get("/x/7/?page=2&tag=a&tag=b").WantJSON(`[7, 2, ["a", "b"]]`)
			c.Get("/x/a/").WantStatus(400)
			c.Get("/x/7/?page=x").WantStatus(400)
		},
		"headers and cookies": func(t *testing.T) {
			c := at(t, func(c *nextrush.Context) error {
				return c.JSON([]string{c.Header("x-own"), c.Cookie("a"), c.UserAgent()})
			})
			c.With("X-Own", "1").With("Cookie", "a=2").With("User-Agent", "me").Get("/x/7/").WantJSON(`["1", "2", "me"]`)
		},
		"forms": func(t *testing.T) {
			c := at(t, func(c *nextrush.Context) error { return c.Text(c.Form("name") + " " + c.Form("role", "guest")) })
			c.Post("/x/7/", "name=ann").WantText("ann guest")
			c.Post("/x/7/", nextrushtest.Multipart{}.Field("name", "ann").Field("role", "admin")).WantText("ann admin")
			c.Post("/x/7/?name=q", "role=admin").WantText(" admin") // not from the query
		},
		"files": func(t *testing.T) {
			c := at(t, func(c *nextrush.Context) error {
				header, err := c.FormFile("file")
				if err != nil {
					return err
				}
				f, err := header.Open()
				if err != nil {
					return err
				}
				defer f.Close()
				content, err := io.ReadAll(f)
				if err != nil {
					return err
				}
				return c.Text(header.Filename + " " + string(content))
			})
			c.Post("/x/7/", nextrushtest.Multipart{}.File("file", "a.txt", []byte("hi"))).WantText("a.txt hi")
			c.Post("/x/7/", nextrushtest.Multipart{}).WantStatus(400)
		},
		"body": func(t *testing.T) {
			c := at(t, func(c *nextrush.Context) error {
				first, err := c.Body()
				if err != nil {
					return err
				}
				again, _ := c.Body()
				return c.Text(string(first) + string(again))
			}, nextrush.Options{BodyLimit: 10})
			c.Post("/x/7/", []byte("ab")).WantText("abab")
			c.Post("/x/7/", []byte("more than ten bytes")).WantStatus(413)
		},
		"where from": func(t *testing.T) {
			c := at(t, func(c *nextrush.Context) error {
				return c.JSON([]any{c.Host(), c.Hostname(), c.Scheme(), c.Secure(), c.Method(), c.Path(), c.Route(), c.Request().URL.RequestURI()})
			})
			c.With("Host", "a.test:8080").Get("/x/7/y?z=1").
				WantJSON(`["a.test:8080", "a.test", "http", false, "GET", "/x/7/y", "/x/:id/*rest", "/x/7/y?z=1"]`)
		},
		"forwarded headers": func(t *testing.T) {
			h := func(c *nextrush.Context) error { return c.Text(c.Scheme() + " " + c.Host()) }
			forged := func(c *nextrushtest.Client) *nextrushtest.Response {
				return c.With("X-Forwarded-Proto", "https").With("X-Forwarded-Host", "b.test").Get("/x/7/")
			}
			forged(at(t, h)).WantText("http app.test") // nobody is trusted
			forged(at(t, h, nextrush.Options{TrustedHops: 1})).WantText("https b.test")
		},
		"content negotiation": func(t *testing.T) {
			c := at(t, func(c *nextrush.Context) error {
				return c.JSON([]any{c.Accepts("html", "json"), c.AcceptsEncoding("br", "gzip"), c.AcceptsLanguage("en", "de"), c.Is("json")})
			})
			c.With("Accept", "application/json").With("Accept-Encoding", "gzip").With("Accept-Language", "de-AT").Post("/x/7/", 1).
				WantJSON(`["json", "gzip", "de", true]`)
		},
		"values": func(t *testing.T) {
			type user struct{ name string }
			c := serve(t, func(app *nextrush.App) {
				app.Use(func(c *nextrush.Context) error {
					c.Set("user", user{"ann"})
					return c.Next()
				})
				app.Get("/", func(c *nextrush.Context) error {
					u, ok := nextrush.Value[user](c, "user")
					if _, other := nextrush.Value[string](c, "user"); !ok || other || c.Get("none") != nil {
						return nextrush.NewError(500)
					}
					return c.Text(u.name)
				})
			})
			c.Get("/").WantStatus(200).WantText("ann")
		},
		"kept contexts": func(t *testing.T) {
			kept := make(chan *nextrush.Context, 2)
			c := at(t, func(c *nextrush.Context) error { kept <- c; return c.NoContent() })
			c.Get("/x/first/")
			c.Get("/x/second/")
			if a, b := <-kept, <-kept; a.Param("id") != "first" || b.Param("id") != "second" {
				t.Error(a.Param("id"), b.Param("id"))
			}
		},
		"ids": func(t *testing.T) {
			c := at(t, func(c *nextrush.Context) error {
				c.Log().Info("seen")
				return c.Text(c.ID())
			})
			if id := c.Get("/x/7/").Text(); len(id) < 20 {
				t.Error(id)
			}
		},
	}.run(t)
}

func TestPortedBinding(t *testing.T) {
	rows{
		"one tag per source": func(t *testing.T) {
			type in struct {
				ID    int       `path:"id" json:"id"`
				Page  int       `query:"page" json:"page"`
				Auth  string    `header:"Authorization" json:"auth"`
				Sid   string    `cookie:"sid" json:"sid"`
				Name  string    `json:"name"`
				Since time.Time `query:"since" json:"-"`
				Admin bool
			}
			c := at(t, nextrush.Handle(func(_ *nextrush.Context, in in) (string, error) {
				if in.Admin || in.Since.IsZero() {
					return "", nextrush.NewError(500)
				}
				return in.Name + in.Auth + in.Sid, nil
			}))
			c.With("Authorization", "b").With("Cookie", "sid=c").
				Post("/x/7/?page=2&since=2026-01-02&name=query", map[string]any{"name": "a", "Admin": true}).WantStatus(200).WantJSON(`"abc"`)
		},
		"defaults": func(t *testing.T) {
			c := at(t, func(c *nextrush.Context) error {
				in := struct {
					Page int `query:"page"`
				}{Page: 1}
				if err := c.BindQuery(&in); err != nil {
					return err
				}
				return c.JSON(in.Page)
			})
			c.Get("/x/7/").WantJSON(1)
			c.Get("/x/7/?page=3").WantJSON(3)
		},
		"forms are the body": func(t *testing.T) {
			c := at(t, nextrush.Handle(func(_ *nextrush.Context, in struct {
				Form  string `form:"name"`
				Query string `query:"name"`
			}) (string, error) {
				return in.Form + "|" + in.Query, nil
			}))
			c.Post("/x/7/?name=q", "name=f").WantJSON(`"f|q"`)
			c.Get("/x/7/?name=q").WantJSON(`"|q"`)
		},
		"several tags": func(t *testing.T) {
			type in struct {
				Name string `json:"name" query:"name"`
			}
			all := func(c *nextrush.Context) error {
				var v in
				if err := c.Bind(&v); err != nil {
					return err
				}
				return c.Text(v.Name)
			}
			body := map[string]string{"name": "body"}
			at(t, all).Post("/x/7/", body).WantText("body")
			at(t, all).Post("/x/7/?name=query", body).WantText("query") // which comes after the body
		},
		"one source": func(t *testing.T) {
			type in struct {
				Name string `json:"name" form:"name" query:"name"`
			}
			for bind, body := range map[string]any{"json": map[string]string{"name": "a"}, "form": "name=a", "query": nil} {
				c := at(t, func(c *nextrush.Context) (err error) {
					var v in
					switch bind {
					case "json":
						err = c.BindJSON(&v)
					case "form":
						err = c.BindForm(&v)
					default:
						err = c.BindQuery(&v)
					}
					if err != nil {
						return err
					}
					return c.Text(v.Name)
				})
				c.Post("/x/7/?name=q", body).WantText(map[bool]string{true: "q", false: "a"}[bind == "query"])
				if bind == "json" {
					c.Post("/x/7/", "name=a").WantStatus(415)
				}
			}
		},
		"validation": func(t *testing.T) {
			c := at(t, nextrush.Handle(func(_ *nextrush.Context, in struct {
				Mail string `json:"email" validate:"required,email"`
				Age  int    `json:"age" validate:"gte=18"`
			}) (struct{}, error) {
				return struct{}{}, nil
			}))
			var problem struct{ Errors []nextrush.FieldError }
			c.Post("/x/7/", map[string]any{"email": "x", "age": 3}).WantStatus(422).
				WantHeader("Content-Type", "application/problem+json").JSON(&problem)
			if len(problem.Errors) != 2 || problem.Errors[0].Message != "email must be an email address" || problem.Errors[1].Message != "age must be at least 18" {
				t.Errorf("%+v", problem.Errors)
			}
		},
		"own rules": func(t *testing.T) {
			rules := nextrush.NewValidator()
			even := func(f validator.FieldLevel) bool { return f.Field().Int()%2 == 0 }
			if err := rules.RegisterValidation("even", even); err != nil {
				t.Fatal(err)
			}
			c := at(t, nextrush.Handle(func(_ *nextrush.Context, in struct {
				N int `query:"n" validate:"even"`
			}) (int, error) {
				return in.N, nil
			}), nextrush.Options{Validator: rules})
			c.Get("/x/7/?n=2").WantStatus(200)
			c.Get("/x/7/?n=3").WantStatus(422)
		},
		"unknown members": func(t *testing.T) {
			h := nextrush.Handle(func(_ *nextrush.Context, in struct {
				Name string `json:"name"`
			}) (string, error) {
				return in.Name, nil
			})
			at(t, h).Post("/x/7/", map[string]int{"age": 1}).WantStatus(200)
			at(t, h, nextrush.Options{StrictJSON: true}).Post("/x/7/", map[string]int{"age": 1}).WantStatus(400)
		},
		"brackets": func(t *testing.T) {
			type item struct {
				Name string `form:"name" json:"name"`
			}
			at(t, nextrush.Handle(func(_ *nextrush.Context, in struct {
				Items []item            `form:"items" json:"items"`
				By    map[string]string `query:"by" json:"by"`
			}) (any, error) {
				return in.Items[0].Name + in.By["name"], nil
			})).Post("/x/7/?by[name]=asc", "items[0][name]=pen").WantJSON(`"penasc"`)
		},
		"tags of others": func(t *testing.T) {
			for want, v := range map[string]any{
				`path:"id"`: new(struct {
					ID int `uri:"id"`
				}),
				`path:"key"`: new(struct {
					ID int `param:"key"`
				}),
				`path:"it"`: new(struct {
					ID int `params:"it"`
				}),
				`validate:"required"`: new(struct {
					Name string `json:"name" binding:"required"`
				}),
				`header:"X-Own"`: new(struct {
					Own string `reqHeader:"X-Own"`
				}),
				"before Bind": new(struct {
					Page int `form:"page,default=1"`
				}),
				`write validate:"required"`: new(struct {
					Page int `query:"page,required"`
				}),
				"no field has a tag": new(struct{ Name string }),
			} {
				c := at(t, func(c *nextrush.Context) error {
					said := panics(t, func() { _ = c.Bind(v) })
					if !strings.Contains(said, want) {
						t.Errorf("%q, want %s", said, want)
					}
					return c.NoContent()
				})
				c.Get("/x/7/").WantStatus(204)
			}
		},
		"media types": func(t *testing.T) {
			c := at(t, nextrush.Handle(func(_ *nextrush.Context, in struct {
				Name string `json:"name" xml:"name"`
			}) (string, error) {
				return in.Name, nil
			}))
			c.Post("/x/7/", map[string]string{"name": "a"}).WantJSON(`"a"`)
			c.With("Content-Type", "application/xml").Post("/x/7/", "<in><name>b</name></in>").WantJSON(`"b"`)
			c.Post("/x/7/", "name=c").WantStatus(http.StatusUnsupportedMediaType)
		},
	}.run(t)
}
