package openapi

import (
	"encoding"
	"mime/multipart"
	"reflect"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/jsonschema"
)

type object = map[string]any

// schemas makes schemas of types.
type schemas struct{ *jsonschema.Generator }

func newSchemas() schemas { return schemas{jsonschema.New("#/components/schemas/")} }

// input describes what a route binds.
type input struct {
	parameters []object
	body       object // nil: none
}

// mediaTypes are the media types of the body, by tag.
var mediaTypes = [][2]string{
	{"json", "application/json"}, {"xml", "application/xml"}, {"form", "application/x-www-form-urlencoded"},
}

func (s schemas) input(t reflect.Type) (in input) {
	if t.Kind() != reflect.Struct {
		in.body = body(content("application/json", s.Of(t, accepted("json"))), true)
		return in
	}
	for _, source := range []string{"path", "query", "header", "cookie"} {
		seen := map[string]bool{}
		for _, f := range s.Fields(t, accepted(source)) {
			if !seen[f.Key] {
				seen[f.Key] = true
				in.parameters = append(in.parameters, parameter(source, f))
			}
		}
	}
	types, required := object{}, false
	for _, m := range mediaTypes {
		tag, mediaType := m[0], m[1]
		fields := s.Fields(t, accepted(tag))
		if len(fields) == 0 {
			continue
		}
		for _, f := range fields {
			required = required || f.Required
			if isFile(f.Type) && tag == "form" {
				mediaType = "multipart/form-data"
			}
		}
		types[mediaType] = object{"schema": s.Of(t, accepted(tag))}
		if styles := encodings(fields); tag == "form" && len(styles) > 0 {
			types[mediaType].(object)["encoding"] = styles
		}
	}
	if len(types) > 0 {
		in.body = body(types, required)
	}
	return in
}

// encodings are those of the fields of a form that have brackets.
func encodings(fields []jsonschema.Field) object {
	all := object{}
	for _, f := range fields {
		if hasBrackets(f.Type) {
			all[f.Key] = object{"style": "deepObject", "explode": true}
		}
	}
	return all
}

func accepted(source string) jsonschema.Mode { return jsonschema.Mode{Source: source, Input: true} }

func content(mediaType string, schema jsonschema.Schema) object {
	return object{mediaType: object{"schema": schema}}
}

func body(content object, required bool) object {
	b := object{"content": content}
	if required {
		b["required"] = true
	}
	return b
}

func parameter(source string, f jsonschema.Field) object {
	p := object{"name": f.Key, "in": source, "schema": f.Schema}
	if f.Required || source == "path" {
		p["required"] = true
	}
	if source == "query" && hasBrackets(f.Type) {
		p["style"], p["explode"] = "deepObject", true
	}
	return p
}

// hasBrackets reports types that are sent as "name[key]=value".
func hasBrackets(t reflect.Type) bool {
	if isFile(t) {
		return false
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	text := reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
	return !text && (t.Kind() == reflect.Struct || t.Kind() == reflect.Map)
}

func (s schemas) output(t reflect.Type) jsonschema.Schema {
	return s.Of(t, jsonschema.Mode{Source: "json"})
}

type problem struct {
	Type   string                `json:"type"`
	Title  string                `json:"title"`
	Status int                   `json:"status"`
	Detail string                `json:"detail,omitempty"`
	Code   string                `json:"code,omitempty"`
	Errors []nextrush.FieldError `json:"errors,omitempty"`
}

func (s schemas) problemSchema() jsonschema.Schema { return s.output(reflect.TypeFor[problem]()) }

var fileType = reflect.TypeFor[*multipart.FileHeader]()

func isFile(t reflect.Type) bool {
	return t == fileType || t.Kind() == reflect.Slice && t.Elem() == fileType
}
