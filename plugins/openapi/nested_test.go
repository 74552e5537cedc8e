package openapi

import (
	"encoding/json"
	"mime/multipart"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
)

func TestFieldsInBracketsAreDeepObjects(t *testing.T) {
	type place struct {
		Zip string `form:"zip" query:"zip"`
	}
	type in struct {
		Near  place                 `query:"near"`
		Since time.Time             `query:"since"`
		Home  *place                `form:"home"`
		Meta  map[string]string     `form:"meta"`
		Photo *multipart.FileHeader `form:"photo"`
	}
	app := nextrush.New()
	p := New()
	app.Register(p)
	app.Post("/", nextrush.Handle(func(*nextrush.Context, in) (none, error) { return none{}, nil }))
	text, err := p.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"parameters 0 style": `"deepObject"`,
		"parameters 1 style": "null",
		"requestBody content multipart/form-data encoding": `{"home":{"explode":true,"style":"deepObject"},"meta":{"explode":true,"style":"deepObject"}}`,
		"requestBody content multipart/form-data schema":   `{"$ref":"#/components/schemas/In"}`,
	} {
		got, _ := json.Marshal(at(doc, strings.Fields("paths / post "+path)))
		if string(got) != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func TestExamplesLeaveTheDocumentValid(t *testing.T) {
	app := nextrush.New()
	p := New()
	app.Register(p)
	app.Post("/:id", nextrush.Handle(func(_ *nextrush.Context, in struct {
		ID   int       `path:"id" example:"7"`
		Name string    `json:"name" example:"Ann"`
		When time.Time `json:"when" example:"2026-01-02T03:04:05Z"`
	}) (none, error) {
		return none{}, nil
	}))
	doc := load(t, p)
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	text, _ := p.JSON()
	if !strings.Contains(string(text), `"examples":[7]`) || !strings.Contains(string(text), `"examples":["Ann"]`) {
		t.Errorf("%s", text)
	}
}
