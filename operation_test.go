package nextrush

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
)

type renameIn struct {
	ID   int    `path:"id" json:"-"`
	Name string `json:"name" validate:"required"`
}

type renameOut struct {
	Greeting string `json:"greeting"`
}

func rename(_ *Context, in renameIn) (renameOut, error) {
	if in.Name == "taken" {
		return renameOut{}, NewError(http.StatusConflict, "taken")
	}
	return renameOut{"hello " + in.Name}, nil
}

func TestHandleBindsAndAnswers(t *testing.T) {
	app := New()
	app.Put("/users/:id", Handle(rename))
	app.Post("/users", Describe(Operation{Status: http.StatusCreated}), Handle(rename))
	app.Delete("/users/:id", Handle(func(*Context, struct{}) (struct{}, error) { return struct{}{}, nil }))
	app.Post("/jobs", Describe(Operation{Status: http.StatusAccepted}),
		Handle(func(*Context, struct{}) (struct{}, error) { return struct{}{}, nil }))
	app.Get("/own", Handle(func(c *Context, _ struct{}) (renameOut, error) { return renameOut{"x"}, c.Text("own") }))
	app.Get("/teapot", Handle(func(c *Context, _ struct{}) (renameOut, error) {
		c.Status(http.StatusTeapot)
		return renameOut{"short"}, nil
	}))
	app.Post("/list", Handle(func(_ *Context, in []int) (int, error) { return len(in), nil }))
	for _, tt := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"PUT", "/users/7", `{"name":"ada"}`, 200, `{"greeting":"hello ada"}`},
		{"POST", "/users", `{"name":"ada"}`, 201, `{"greeting":"hello ada"}`},
		{"PUT", "/users/7", `{"name":"taken"}`, 409, "taken"},
		{"POST", "/users", `{"name":"taken"}`, 409, "taken"},
		{"PUT", "/users/7", `{"name":""}`, 422, `"field":"name"`},
		{"PUT", "/users/x", `{"name":"ada"}`, 400, `"field":"id"`},
		{"PUT", "/users/7", `{`, 400, "malformed"},
		{"DELETE", "/users/7", "", 204, ""},
		{"POST", "/jobs", "", 202, ""},
		{"GET", "/own", "", 200, "own"},
		{"GET", "/teapot", "", 418, "short"},
		{"POST", "/list", "[1,2,3]", 200, "3"},
	} {
		r := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) || tt.want == "" && w.Body.Len() > 0 {
			t.Errorf("%s %s %s: %d %s, want %d %s", tt.method, tt.path, tt.body, w.Code, w.Body, tt.status, tt.want)
		}
	}
}

func TestRoutesTellWhatHandlersDo(t *testing.T) {
	plain := func(*Context) error { panic("asked without a request") }
	app, inner := New(), New()
	app.Use(plain, Describe(Operation{Tags: []string{"all"}, Errors: []int{503}}))
	app.Group("/g", plain, Describe(Operation{Summary: "group", Tags: []string{"g"}})).
		Put("/:id", plain, Describe(Operation{Summary: "rename", ID: "rename", Errors: []int{409}}), Handle(rename))
	app.Get("/plain", plain)
	inner.Post("/x", Handle(rename)).Named("x")
	app.Mount("/inner", inner)

	routes := app.Routes()
	i := slices.IndexFunc(routes, func(r RouteInfo) bool { return r.Path == "/g/:id" })
	want := &Operation{
		ID: "rename", Summary: "rename", Tags: []string{"all", "g"}, Errors: []int{503, 409},
		In: reflect.TypeFor[renameIn](), Out: reflect.TypeFor[renameOut](),
	}
	if got := routes[i].Operation; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	i = slices.IndexFunc(routes, func(r RouteInfo) bool { return r.Path == "/inner/x" })
	if r := routes[i]; r.Name != "x" || r.Operation.In != want.In || !slices.Equal(r.Operation.Tags, []string{"all"}) {
		t.Errorf("mounted: %+v", r)
	}
	inner.Get("/nothing", plain)
	if op := inner.Routes()[1].Operation; op != nil {
		t.Errorf("a route of plain handlers: %+v", op)
	}
}

func TestAskingTwiceGivesTheSame(t *testing.T) {
	app := New()
	app.Get("/", Describe(Operation{Tags: []string{"a"}}), Describe(Operation{Tags: []string{"b"}}), Handle(rename))
	first := app.Routes()[0].Operation
	if second := app.Routes()[0].Operation; !reflect.DeepEqual(first, second) || len(first.Tags) != 2 {
		t.Errorf("%+v, then %+v", first, second)
	}
}

func TestHandleNamesMistakes(t *testing.T) {
	for want, f := range map[string]func(){
		"Handle: In is *nextrush.renameIn: give what it points to": func() {
			Handle(func(*Context, *renameIn) (struct{}, error) { return struct{}{}, errors.New("x") })
		},
		"Handle: the function is nil": func() { Handle[renameIn, renameOut](nil) },
		"no field has a tag": func() {
			Handle(func(*Context, struct{ Name string }) (struct{}, error) { return struct{}{}, nil })
		},
		`the field ID has the tag param:"id": write path:"id"`: func() {
			Handle(func(*Context, struct {
				ID int `param:"id"`
			}) (struct{}, error) {
				return struct{}{}, nil
			})
		},
	} {
		func() {
			defer func() {
				if got, _ := recover().(string); !strings.Contains(got, want) {
					t.Errorf("panic %q, want %q", got, want)
				}
			}()
			f()
		}()
	}
}
