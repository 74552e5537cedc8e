package jsonschema

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/nextrush/nextrush/internal/fields"
)

// exampleOf is what the tag "example" of a field says, as a value of JSON. Texts are
// written as they are, lists of them with commas too, everything else as JSON: 18, true,
// {"a":1}. What does not fit the type is none.
func exampleOf(f fields.Field, m Mode) (value any, ok bool) {
	text, ok := f.Tag.Lookup("example")
	if !ok {
		return nil, false
	}
	t := deref(f.Type)
	if f.Has("string") && !m.text() {
		return text, true
	}
	if s := opaque(t, m); s["type"] == "string" || t.Kind() == reflect.String {
		return text, true
	}
	if t.Kind() == reflect.Slice && deref(t.Elem()).Kind() == reflect.String && !strings.HasPrefix(text, "[") {
		return strings.Split(text, ","), true
	}
	if json.Unmarshal([]byte(text), reflect.New(t).Interface()) != nil {
		return nil, false
	}
	err := json.Unmarshal([]byte(text), &value)
	return value, err == nil
}
