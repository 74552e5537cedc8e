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
