package openapi

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/nextrush/nextrush"
)

type Embedded2 struct {
	ID int `json:"id"`
}

// Box is encoded with null for nil values.
type Box struct {
	Tags  []string          `json:"tags"`
	M     map[string]int    `json:"m"`
	B     []byte            `json:"b"`
	SS    [][]string        `json:"ss"`
	P     *sub              `json:"p"`
	A     any               `json:"a"`
	List  []*sub            `json:"list"`
	Omit  []string          `json:"omit,omitempty"`
	Zero  map[string]string `json:"zero,omitzero"`
	Pair  [2]int            `json:"pair"`
	Quote int               `json:"quote,string"`
	//lint:ignore SA5008 encoding/json takes the tag so
	Dash int `json:"-,"`
	*base
}

type base struct {
	Hidden string `json:"hidden"`
}

func TestTheDocumentTakesWhatTheServerWrites(t *testing.T) {
	written(t, Box{}, Box{SS: [][]string{nil}, List: []*sub{nil}, B: []byte("a"), base: &base{}})
	written[[]Box](t, nil, []Box{})
	written[*Box](t, nil, &Box{})
	written(t, Outer{}, Outer{ID: "a"})
	written(t, Tree{}, Tree{nil, Tree{}})
	written(t, Page[Outer, map[string]Outer]{}, Page[Outer, map[string]Outer]{Items: []Outer{{}}})
	written(t, Left{}, Left{Right: &Right{}})
}

type (
	Tree           []Tree
	Loop           *Loop
	Page[T, U any] struct {
		Items []T         `json:"items"`
		Other U           `json:"other"`
		Next  *Page[T, U] `json:"next"`
		Loop  Loop        `json:"loop,omitempty"`
	}
)

// Outer hides the field of what it embeds.
type Outer struct {
	ID string `json:"id"`
	Embedded2
}

func written[Out any](t *testing.T, values ...Out) {
	t.Helper()
	app := nextrush.New()
	p := New()
	app.Register(p)
	app.Get("/", nextrush.Handle(func(*nextrush.Context, struct{}) (out Out, err error) { return out, nil }))
	schema := compile(t, p, "/paths/~1/get/responses/200/content/application~1json/schema")
	for _, v := range values {
		body, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(decoded(t, string(body))); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
	text, _ := p.JSON()
	if bytes.Contains(text, []byte(`["id","id"]`)) {
		t.Errorf("a field is required twice: %s", text)
	}
}
