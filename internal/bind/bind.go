// Package bind fills structs with what a request says: texts and uploaded files by
// the tags of the fields, and a body through encoding/json and encoding/xml. It knows
// no request: texts and bytes come in, values and what did not fit go out.
package bind

import (
	"fmt"
	"math/bits"
	"mime/multipart"
	"reflect"

	"github.com/nextrush/nextrush/internal/fields"
	"github.com/nextrush/nextrush/internal/header"
)

// Source is where a field comes from, or a set of such places.
type Source uint8

// The sources, in the order of [fields.Sources].
const (
	JSON Source = 1 << iota
	Form
	Query
	Path
	Header
	Cookie
	XML
)

// Body is the set of sources that are formats of a body; a request has one at most.
const Body = JSON | Form | XML

// Tag is the struct tag of a source.
func (s Source) Tag() string { return fields.Sources[bits.TrailingZeros8(uint8(s))] }

// Has reports whether s and t have a source in common.
func (s Source) Has(t Source) bool { return s&t != 0 }

// mediaTypes are those of the formats of a body.
var mediaTypes = []struct {
	format Source
	name   string
}{
	{JSON, "application/json"}, {XML, "application/xml"},
	{Form, "application/x-www-form-urlencoded"}, {Form, "multipart/form-data"},
}

// Format is the format of a body of that media type, or 0.
func Format(mediaType string) Source {
	switch {
	case header.IsType(mediaType, "json"):
		return JSON
	case header.IsType(mediaType, "xml"):
		return XML
	case header.IsType(mediaType, "form"), mediaType == "multipart/form-data":
		return Form
	}
	return 0
}

// MediaTypes lists those of the formats in s.
func (s Source) MediaTypes() (names []string) {
	for _, t := range mediaTypes {
		if s.Has(t.format) {
			names = append(names, t.name)
		}
	}
	return names
}

// Target is a value to fill, with the plan of its type.
type Target struct {
	*Plan
	pointer any
	value   reflect.Value // what it points to
}

// Into returns the target that v points to. It panics if v is not a pointer, or if no
// request could fill its type.
func Into(v any) Target {
	value := reflect.ValueOf(v)
	if value.Kind() != reflect.Pointer || value.IsNil() {
		panic(fmt.Sprintf("nextrush: Bind into %T: give a pointer to a struct", v))
	}
	value = value.Elem()
	return Target{PlanOf(value.Type()), v, value}
}

// Texts fills the fields of a source with the texts that get returns for their names.
// What does not fit is an *Error.
func (t Target) Texts(from Source, get func(name string) []string) error {
	return wrongTypes(t.texts(from, get), nil)
}

// Values is Texts for a source that has names with brackets as well.
func (t Target) Values(from Source, sent map[string][]string) error {
	wrong := t.texts(from, func(name string) []string { return sent[name] })
	return wrongTypes(append(wrong, t.nest(from, sent)...), nil)
}

func (t Target) texts(from Source, get func(name string) []string) (wrong []mismatch) {
	for _, f := range t.fields {
		if f.source != from || f.file || f.nested {
			continue
		}
		values := f.sent(get(f.name))
		if len(values) == 0 {
			continue
		}
		if err := setTexts(f.in(t.value), values); err != nil {
			wrong = append(wrong, mismatch{f.name, kindName(itemOf(f.kind))})
		}
	}
	return wrong
}

// Files fills the fields of a form that are for files.
func (t Target) Files(files map[string][]*multipart.FileHeader) {
	for _, f := range t.fields {
		if f.file {
			setFiles(f.in(t.value), files[f.name])
		}
	}
}
