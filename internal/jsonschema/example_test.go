package jsonschema

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

func TestExamplesAreValuesOfTheirFields(t *testing.T) {
	type inner struct {
		A int `json:"a"`
	}
	type in struct {
		Name  string         `json:"name" example:"Ann"`
		Text  string         `json:"text" example:"18"`
		Age   *int           `json:"age" example:"18"`
		OK    bool           `json:"ok" example:"true"`
		When  time.Time      `json:"when" example:"2026-01-02T03:04:05Z"`
		Tags  []string       `json:"tags" example:"new,old"`
		More  []string       `json:"more" example:"[\"a,b\"]"`
		Nums  []int          `json:"nums" example:"[1,2]"`
		In    inner          `json:"in" example:"{\"a\":1}"`
		Meta  map[string]int `json:"meta" example:"{\"a\":1}"`
		ID    int64          `json:"id,string" example:"7"`
		Wrong int            `json:"wrong" example:"seven"`
		None  int            `json:"none"`
		Empty string         `json:"empty" example:""`
	}
	s := New("#/").Of(reflect.TypeFor[struct{ in }](), Mode{Source: "json", Input: true, Untagged: true})
	got := map[string]any{}
	for name, field := range s["properties"].(Schema) {
		if list, ok := field.(Schema)["examples"].([]any); ok {
			text, _ := json.Marshal(list[0])
			got[name] = string(text)
		}
	}
	want := map[string]any{
		"name": `"Ann"`, "text": `"18"`, "age": "18", "ok": "true", "when": `"2026-01-02T03:04:05Z"`, "tags": `["new","old"]`,
		"more": `["a,b"]`, "nums": "[1,2]", "in": `{"a":1}`, "meta": `{"a":1}`, "id": `"7"`, "empty": `""`,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}
