package openapi

import (
	"bytes"
	"encoding/json"
	"maps"
	"mime/multipart"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

type node struct {
	Name     string    `json:"name"`
	Made     time.Time `json:"made"`
	Parent   *node     `json:"parent"`
	Children []node    `json:"children,omitempty"`
}

type nodeIn struct {
	ID     int      `path:"id"`
	Page   int      `query:"page" validate:"gte=1,lt=100"`
	Token  string   `header:"X-Token" validate:"required"`
	Theme  string   `cookie:"theme" validate:"oneof=light dark"`
	Name   string   `json:"name" validate:"required,min=3,max=50"`
	Mail   string   `json:"mail" validate:"email"`
	Tags   []string `json:"tags" validate:"max=10,dive,max=20"`
	Secret string
}

type upload struct {
	Title string                `form:"title" validate:"required"`
	File  *multipart.FileHeader `form:"file"`
}

type none = struct{}

func newApp(t *testing.T, o Options) (*nextrush.App, *Plugin) {
	t.Helper()
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	p := New(o)
	if err := app.Register(p); err != nil {
		t.Fatal(err)
	}
	app.Put("/nodes/:id", nextrush.Describe(nextrush.Operation{ID: "putNode", Summary: "Put", Errors: []int{404}}),
		nextrush.Handle(func(*nextrush.Context, nodeIn) (*node, error) { return nil, nil }))
	app.Post("/files", nextrush.Handle(func(*nextrush.Context, upload) (none, error) { return none{}, nil }))
	app.Get("/plain/*rest", func(c *nextrush.Context) error { return c.Text("") })
	app.WS("/socket", func(*websocket.Socket, *nextrush.Context) error { return nil })
	return app, p
}

func load(t *testing.T, p *Plugin) *openapi3.T {
	t.Helper()
	body, err := p.JSON()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(body)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestTheDocumentIsValidAndTheSameEachTime(t *testing.T) {
	_, p := newApp(t, Options{Title: "Nodes"})
	doc := load(t, p)
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("version %s", doc.OpenAPI)
	}
	first, _ := p.JSON()
	_, other := newApp(t, Options{Title: "Nodes"})
	if second, _ := other.JSON(); !bytes.Equal(first, second) {
		t.Errorf("%s\n%s", first, second)
	}
}

func TestSocketsAndThePluginsOwnRoutesAreLeftOut(t *testing.T) {
	for want, o := range map[string]Options{
		"/files /nodes/{id} /plain/{rest}": {},
		"/files /nodes/{id}":               {TypedOnly: true},
	} {
		_, p := newApp(t, o)
		if got := strings.Join(slices.Sorted(maps.Keys(load(t, p).Paths.Map())), " "); got != want {
			t.Errorf("paths %s, want %s", got, want)
		}
	}
}

func TestTypesBecomeSchemas(t *testing.T) {
	_, p := newApp(t, Options{})
	body, err := p.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	put := "paths /nodes/{id} put "
	for path, want := range map[string]string{
		put + "operationId":  `"putNode"`,
		put + "parameters 0": `{"in":"path","name":"id","required":true,"schema":{"type":"integer"}}`,
		put + "parameters 1": `{"in":"query","name":"page","required":true,"schema":{"exclusiveMaximum":100,"minimum":1,"type":"integer"}}`,
		put + "parameters 2": `{"in":"header","name":"X-Token","required":true,"schema":{"minLength":1,"type":"string"}}`,
		put + "parameters 3": `{"in":"cookie","name":"theme","required":true,"schema":{"enum":["light","dark"],"type":"string"}}`,
		"components schemas NodeIn": `{"properties":{"mail":{"format":"email","type":"string"},` +
			`"name":{"maxLength":50,"minLength":3,"type":"string"},` +
			`"tags":{"items":{"maxLength":20,"type":"string"},"maxItems":10,"type":["array","null"]}},"required":["name","mail"],"type":"object"}`,
		"components schemas Node properties made":                          `{"format":"date-time","type":"string"}`,
		"components schemas Node properties children items":                `{"$ref":"#/components/schemas/Node"}`,
		"components schemas Node required":                                 `["name","made","parent"]`,
		"paths /files post requestBody content multipart/form-data schema": `{"$ref":"#/components/schemas/Upload"}`,
		put + "responses 422 content application/problem+json schema":      `{"$ref":"#/components/schemas/Problem"}`,
		put + "responses 404 description":                                  `"Not Found"`,
		"paths /files post responses 204":                                  `{"description":"No Content"}`,
	} {
		got, _ := json.Marshal(at(doc, strings.Fields(path)))
		if string(got) != want {
			t.Errorf("%s:\n got %s\nwant %s", path, got, want)
		}
	}
}

// at follows names and indexes into decoded JSON.
func at(v any, path []string) any {
	for _, name := range path {
		switch in := v.(type) {
		case map[string]any:
			v = in[name]
		case []any:
			v = in[name[0]-'0']
		}
	}
	return v
}

func TestThePageRunsUnderAStrictPolicy(t *testing.T) {
	app, _ := newApp(t, Options{Title: "<script>alert(1)</script>"})
	c := nextrushtest.New(t, app)
	page := c.Get("/docs").WantStatus(http.StatusOK).Text()
	if strings.Contains(page, "alert(1)</script>") || strings.Contains(page, "<style") || strings.Contains(page, "://") {
		t.Errorf("inline or foreign code in %s", page)
	}
	for path, want := range map[string]string{
		"/docs/page.js":  "text/javascript; charset=utf-8",
		"/docs/page.css": "text/css; charset=utf-8",
		"/openapi.json":  "application/json",
	} {
		if got := c.Get(path).WantStatus(http.StatusOK).Header.Get("Content-Type"); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestThePageRunsNoScriptButItsOwn(t *testing.T) {
	const own, apps = "default-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'", "default-src 'none'"
	app, _ := newApp(t, Options{})
	c := nextrushtest.New(t, app)
	if got := c.Get("/docs").Header.Get("Content-Security-Policy"); got != own {
		t.Errorf("policy %q", got)
	}
	app.Use(func(c *nextrush.Context) error { return c.SetHeader("Content-Security-Policy", apps).Next() })
	if got := c.Get("/docs").Header.Get("Content-Security-Policy"); got != apps {
		t.Errorf("policy %q, want the App's", got)
	}
}

func TestAGuardRunsForAll(t *testing.T) {
	app, _ := newApp(t, Options{Guard: []nextrush.Handler{
		func(*nextrush.Context) error { return nextrush.NewError(http.StatusForbidden) }}})
	c := nextrushtest.New(t, app)
	for _, path := range []string{"/docs", "/docs/page.js", "/docs/page.css", "/openapi.json"} {
		c.Get(path).WantStatus(http.StatusForbidden)
	}
}

func TestMistakesInTheOptionsAreErrors(t *testing.T) {
	for _, o := range []Options{{Path: "x"}, {Page: "docs"}, {Page: "/"}} {
		if err := nextrush.New().Register(New(o)); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

func TestATypeForInputAndOutputHasTwoNames(t *testing.T) {
	s := newSchemas()
	in, out := s.Of(reflect.TypeFor[node](), accepted("json"))["$ref"], s.output(reflect.TypeFor[node]())["$ref"]
	if in != "#/components/schemas/Node" || out != "#/components/schemas/NodeOutput" {
		t.Errorf("in %s, out %s", in, out)
	}
}
