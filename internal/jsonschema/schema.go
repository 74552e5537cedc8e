// Package jsonschema says in JSON Schema, and in TypeScript, what values of Go types
// look like: what encoding/json writes, and what a server that binds and validates
// accepts. It uses the words that drafts 7 and 2020-12 have in common.
package jsonschema

import (
	"reflect"

	"github.com/nextrush/nextrush/internal/fields"
	"github.com/nextrush/nextrush/internal/rules"
)

// Schema is a schema, to be encoded as JSON.
type Schema = map[string]any

// Mode is what a schema is for.
type Mode struct {
	Source    string // the tag that names the fields
	Input     bool   // what is accepted; else what is written
	Untagged  bool   // fields without the tag are filled too
	Unchecked bool   // the validator does not see it
}

// text reports whether values are texts, and not those of JSON.
func (m Mode) text() bool { return m.Source != "json" }

// Generator makes schemas. Structs with a name become components, one for each use
// of the type.
type Generator struct {
	prefix string
	names  map[key]string
	list   []*component
	open   map[reflect.Type]bool // lists and maps that are on their way
}

type key struct {
	t reflect.Type
	Mode
}

type component struct {
	name   string
	schema Schema
	keys   []string // of the properties, in the order of the fields
}

// New makes a generator whose references begin with prefix:
// "#/components/schemas/".
func New(prefix string) *Generator {
	return &Generator{prefix: prefix, names: map[key]string{}, open: map[reflect.Type]bool{}}
}

// Components are the schemas that others refer to, by name.
func (g *Generator) Components() map[string]Schema {
	all := map[string]Schema{}
	for _, c := range g.list {
		all[c.name] = c.schema
	}
	return all
}

// Of is the schema of a whole body or argument. Validated are a struct, and the
// structs of a list.
func (g *Generator) Of(t reflect.Type, m Mode) Schema {
	base := deref(t)
	tag := rules.Tag{}
	if isList(base) && deref(base.Elem()).Kind() == reflect.Struct {
		tag.Items = &rules.Tag{}
	}
	m.Unchecked = m.Unchecked || m.Input && base.Kind() != reflect.Struct && tag.Items == nil
	return g.value(t, tag, m, false)
}

// Field is a field with its schema.
type Field struct {
	fields.Field
	Schema   Schema
	Required bool
}

// Fields are those of a struct that a mode has.
func (g *Generator) Fields(t reflect.Type, m Mode) (list []Field) {
	for _, f := range fields.Of(t, m.Source) {
		if m.Input && !m.Untagged && !f.Tagged || m.Source == "xml" && notElement(f) {
			continue
		}
		tag := rules.Parse(f.Tag.Get("validate"))
		required := !f.Omitted()
		if m.Input {
			required = !m.Unchecked && !tag.Accepts(reflect.Zero(f.Type))
		}
		list = append(list, Field{f, g.field(f, tag, m), required && !f.Behind})
	}
	return list
}

// notElement reports fields that are neither elements nor attributes of XML.
func notElement(f fields.Field) bool {
	return f.Name == "XMLName" || f.Has("chardata") || f.Has("cdata") || f.Has("innerxml") || f.Has("comment") || f.Has("any")
}

func (g *Generator) field(f fields.Field, tag rules.Tag, m Mode) Schema {
	var s Schema
	if q := quoted(f, m); q != nil {
		s = g.orNull(q, f.Type, tag, m, f.Omitted())
	} else {
		s = g.value(f.Type, tag, m, f.Omitted())
	}
	if doc := f.Tag.Get("doc"); doc != "" {
		s = beside(s, "description", doc)
	}
	if value, ok := exampleOf(f, m); ok {
		s = beside(s, "examples", []any{value})
	}
	return s
}

// beside adds a word. In draft 7 it would count for nothing beside a reference.
func beside(s Schema, word string, value any) Schema {
	if s["$ref"] != nil {
		s = Schema{"allOf": []any{s}}
	}
	s[word] = value
	return s
}

// value is the schema of a type whose field has the tag. What is omitted where it
// is empty is never null.
func (g *Generator) value(t reflect.Type, tag rules.Tag, m Mode, omitted bool) Schema {
	base := deref(t)
	s := opaque(base, m)
	if s == nil {
		s = g.byKind(base, tag, m)
		if !m.Unchecked && !tag.Skip {
			s = limit(s, t, tag, m, omitted)
		}
	}
	return g.orNull(s, t, tag, m, omitted)
}

// byKind says nothing of what a list or map of its own kind holds: type Tree []Tree.
func (g *Generator) byKind(t reflect.Type, tag rules.Tag, m Mode) Schema {
	if g.open[t] {
		return Schema{}
	}
	g.open[t] = t.Kind() != reflect.Struct
	defer delete(g.open, t)
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		if isBytes(t) {
			return base64(m)
		}
		s := Schema{"type": "array", "items": g.item(t.Elem(), tag.Items, m)}
		if t.Kind() == reflect.Array {
			sized(s, t, tag, m)
		}
		return s
	case reflect.Map:
		return Schema{"type": "object", "additionalProperties": g.item(t.Elem(), tag.Items, m)}
	case reflect.Struct:
		m.Unchecked = m.Unchecked || m.Input && !tag.Opens()
		return g.structure(t, m)
	}
	return basic(t)
}

// sized says how many items an array has. Of one that comes in those that are left
// out are empty, which their rules may refuse, and those beyond its end do not count.
func sized(s Schema, t reflect.Type, tag rules.Tag, m Mode) {
	n := float64(t.Len())
	if !m.Input {
		s["minItems"], s["maxItems"] = n, n
	} else if !m.Unchecked && tag.Items != nil && !tag.Items.Accepts(reflect.Zero(t.Elem())) {
		s["minItems"] = n
	}
}

// item is the schema of what a list or map holds, which is validated where "dive"
// leads to it.
func (g *Generator) item(t reflect.Type, tag *rules.Tag, m Mode) Schema {
	if tag == nil {
		m.Unchecked = m.Unchecked || m.Input
		tag = &rules.Tag{}
	}
	return g.value(t, *tag, m, false)
}

// orNull admits null if a nil is written, or accepted.
func (g *Generator) orNull(s Schema, t reflect.Type, tag rules.Tag, m Mode, omitted bool) Schema {
	switch {
	case m.text() || !nilable(t) || len(s) == 0:
		return s
	case m.Input && !m.Unchecked && !tag.Accepts(reflect.Zero(t)):
		return s
	case !m.Input && (omitted || t.Kind() != reflect.Pointer && writesText(t)):
		return s
	}
	return withNull(s)
}

func withNull(s Schema) Schema {
	kind, plain := s["type"].(string)
	for _, word := range []string{"const", "not", "anyOf", "allOf"} {
		plain = plain && s[word] == nil
	}
	if !plain {
		return Schema{"anyOf": []any{s, Schema{"type": "null"}}}
	}
	s["type"] = []string{kind, "null"}
	if values, ok := s["enum"].([]any); ok {
		s["enum"] = append(values, nil)
	}
	return s
}

// structure is a reference to a component, or, without a name, the object itself.
func (g *Generator) structure(t reflect.Type, m Mode) Schema {
	if t.Name() == "" {
		s, _ := g.object(t, m)
		return s
	}
	k := key{t, m}
	name, known := g.names[k]
	if !known {
		name = g.name(k)
		g.names[k] = name
		c := &component{name: name}
		g.list = append(g.list, c)
		c.schema, c.keys = g.object(t, m)
	}
	return Schema{"$ref": g.prefix + name}
}

func (g *Generator) object(t reflect.Type, m Mode) (s Schema, keys []string) {
	properties, required := Schema{}, []string{}
	for _, f := range g.Fields(t, m) {
		if properties[f.Key] != nil {
			continue // of several fields of a form with one name
		}
		properties[f.Key] = f.Schema
		keys = append(keys, f.Key)
		if f.Required {
			required = append(required, f.Key)
		}
	}
	s = Schema{"type": "object", "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	return s, keys
}

// deref is what t points to, unless that is itself: type Loop *Loop.
func deref(t reflect.Type) reflect.Type {
	for depth := 0; t.Kind() == reflect.Pointer && depth < 10; depth++ {
		t = t.Elem()
	}
	return t
}

func isList(t reflect.Type) bool { return t.Kind() == reflect.Slice || t.Kind() == reflect.Array }

func nilable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return true
	}
	return false
}
