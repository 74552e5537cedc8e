package bind

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/nextrush/nextrush/internal/fields"
)

// malformed says where a text is not JSON and why, or, if it is JSON and the error is that
// of a method UnmarshalJSON, that a value is not valid.
func malformed(text []byte, err error) string {
	var syntax *json.SyntaxError
	if json.Valid(text) || !errors.As(err, &syntax) {
		return "a value in the JSON is not valid"
	}
	before := text[:max(0, min(int(syntax.Offset), len(text)))]
	reason := "it ends too early"
	if len(before) < len(text) || syntax.Error() != "unexpected end of JSON input" {
		before, reason = before[:max(0, len(before)-1)], syntax.Error()
	}
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Sprintf("the JSON is malformed at line %d, column %d: %s", line, column, reason)
}

// surplus is a member of an object that a strict reader refuses.
type surplus struct {
	field string // its path: "items[0].name"
	twice bool   // the object has the name twice; otherwise no field has it
}

func (s surplus) fault() fields.Fault {
	if s.twice {
		return fields.Fault{Field: s.field, Rule: "unique", Message: s.field + " is there twice"}
	}
	return fields.Fault{Field: s.field, Rule: "unknown", Message: s.field + " is not known"}
}

// maxSurplus is how many members are named; one is enough to refuse a text.
const maxSurplus = 10

// surplus finds in a JSON text, which has been decoded without an error, members that the
// target has no field for, and those that have the name of another. Upper and lower case
// differ here, as they do in JSON, though not for encoding/json.
func (t Target) surplus(text []byte) []surplus {
	r := surplusReader{Decoder: json.NewDecoder(bytes.NewReader(text))}
	r.UseNumber()
	r.value(t.of, "")
	return r.found
}

type surplusReader struct {
	*json.Decoder
	found []surplus
}

// value reads a value that a t is filled with; nil: one of any type.
func (r *surplusReader) value(t reflect.Type, path string) {
	token, err := r.Token()
	if err != nil {
		return
	}
	t = reachable(t)
	switch token {
	case json.Delim('{'):
		r.object(t, path)
	case json.Delim('['):
		for i := 0; r.More() && len(r.found) < maxSurplus; i++ {
			r.value(itemsOf(t, reflect.Slice, reflect.Array), path+"["+strconv.Itoa(i)+"]")
		}
		r.Token()
	}
}

func (r *surplusReader) object(t reflect.Type, path string) {
	seen := map[string]bool{}
	for r.More() && len(r.found) < maxSurplus {
		token, _ := r.Token()
		name, _ := token.(string)
		inner, known := itemsOf(t, reflect.Map), true
		if t != nil && t.Kind() == reflect.Struct {
			inner, known = membersOf(t)[name]
		}
		at := join(path, name)
		if seen[name] || !known {
			r.found = append(r.found, surplus{at, known})
		}
		seen[name] = true
		r.value(inner, at)
	}
	r.Token()
}

func join(path, name string) string {
	const longest = 100 // bytes of a name that is nobody's, for the answer
	if len(name) > longest {
		name = name[:longest] + "…"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

// reachable is the type that a decoder fills itself; nil if the type does, or any fits.
func reachable(t reflect.Type) reflect.Type {
	if t == nil {
		return nil
	}
	if t = pointedTo(t); decodesItself(t) || t.Kind() == reflect.Interface {
		return nil
	}
	return t
}

func itemsOf(t reflect.Type, kinds ...reflect.Kind) reflect.Type {
	for _, k := range kinds {
		if t != nil && t.Kind() == k {
			return t.Elem()
		}
	}
	return nil
}

var members sync.Map // reflect.Type to map[string]reflect.Type

// membersOf are the types of a struct's fields by their names in JSON.
func membersOf(t reflect.Type) map[string]reflect.Type {
	if known, ok := members.Load(t); ok {
		return known.(map[string]reflect.Type)
	}
	all := map[string]reflect.Type{}
	for _, f := range fields.Of(t, "json") {
		if f.Tagged {
			all[f.Key] = f.Type
		}
	}
	members.Store(t, all)
	return all
}
