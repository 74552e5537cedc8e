package openapi

import (
	"encoding"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"path"
	"reflect"
	"strings"
	"time"
	"unicode"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/nextrush/nextrush"
)

// schemas makes schemas of types. Structs with a name become components, each for
// input and for output, which differ in what is required.
type schemas struct {
	components openapi3.Schemas
	names      map[key]string
}

type key struct {
	t     reflect.Type
	input bool
	tag   string // the fields' names
}

func newSchemas(components openapi3.Schemas) *schemas {
	return &schemas{components, make(map[key]string)}
}

// input is what a route binds.
type input struct {
	parameters []*openapi3.Parameter
	body       *openapi3.RequestBodyRef
}

// mediaTypes are those of the body by tag, in the order that the document has.
var mediaTypes = []struct{ tag, mediaType string }{
	{"json", "application/json"}, {"xml", "application/xml"}, {"form", "application/x-www-form-urlencoded"},
}

func (s *schemas) input(t reflect.Type) input {
	if t.Kind() != reflect.Struct {
		return input{body: body(openapi3.NewContentWithSchemaRef(s.ref(t, true, "json"), []string{"application/json"}), true)}
	}
	var in input
	for _, source := range []string{"path", "query", "header", "cookie"} {
		for _, f := range fields(t, source, true) {
			in.parameters = append(in.parameters, s.parameter(source, f))
		}
	}
	content, required := openapi3.Content{}, false
	for _, m := range mediaTypes {
		of := fields(t, m.tag, true)
		if len(of) == 0 {
			continue
		}
		mediaType := m.mediaType
		for _, f := range of {
			required = required || f.required
			if isFile(f.Type) {
				mediaType = "multipart/form-data"
			}
		}
		content[mediaType] = openapi3.NewMediaType().WithSchemaRef(s.ref(t, true, m.tag))
	}
	if len(content) > 0 {
		in.body = body(content, required)
	}
	return in
}

func body(content openapi3.Content, required bool) *openapi3.RequestBodyRef {
	return &openapi3.RequestBodyRef{Value: openapi3.NewRequestBody().WithContent(content).WithRequired(required)}
}

func (s *schemas) parameter(source string, f field) *openapi3.Parameter {
	return &openapi3.Parameter{
		Name: f.name, In: source, Required: f.required || source == "path",
		Schema: s.field(f, true, ""),
	}
}

func (s *schemas) output(t reflect.Type) *openapi3.SchemaRef { return s.ref(t, false, "json") }

type problem struct {
	Type   string                `json:"type"`
	Title  string                `json:"title"`
	Status int                   `json:"status"`
	Detail string                `json:"detail,omitempty"`
	Code   string                `json:"code,omitempty"`
	Errors []nextrush.FieldError `json:"errors,omitempty"`
}

func (s *schemas) problemSchema() *openapi3.SchemaRef { return s.output(reflect.TypeFor[problem]()) }

// field is a field with its name on the wire.
type field struct {
	reflect.StructField
	name     string
	required bool
}

// fields lists those of one source. As input only tagged fields count; as output
// all that encoding/json writes.
func fields(t reflect.Type, tag string, in bool) []field {
	var list []field
	for i := range t.NumField() {
		f := t.Field(i)
		value, tagged := f.Tag.Lookup(tag)
		name, options, _ := strings.Cut(value, ",")
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case f.Anonymous && name == "" && inner.Kind() == reflect.Struct && inner != t:
			list = append(list, fields(inner, tag, in)...)
			continue
		case !f.IsExported(), name == "-" && options == "", in && !tagged:
			continue
		case name == "":
			name = f.Name
		}
		required := !strings.Contains(options, "omit")
		if in {
			required = has(f.Tag.Get("validate"), "required")
		}
		list = append(list, field{f, name, required})
	}
	return list
}

func (s *schemas) field(f field, in bool, tag string) *openapi3.SchemaRef {
	ref := s.ref(f.Type, in, tag)
	limited := *orEmpty(ref.Value)
	limit(&limited, f.Tag.Get("validate"), f.Type)
	limited.Description = f.Tag.Get("doc")
	if ref.Ref != "" {
		return ref
	}
	return limited.NewRef()
}

func orEmpty(s *openapi3.Schema) *openapi3.Schema {
	if s == nil {
		return openapi3.NewSchema()
	}
	return s
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	fileType     = reflect.TypeFor[*multipart.FileHeader]()
	rawType      = reflect.TypeFor[json.RawMessage]()
)

func isFile(t reflect.Type) bool {
	return t == fileType || t.Kind() == reflect.Slice && t.Elem() == fileType
}

// ref is the schema of a type; tag is empty for a single value from a text.
func (s *schemas) ref(t reflect.Type, in bool, tag string) *openapi3.SchemaRef {
	if known := wellKnown(t, tag); known != nil {
		return known.NewRef()
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.pointer(t, in, tag)
	case reflect.Slice, reflect.Array:
		a := openapi3.NewArraySchema()
		a.Items = s.ref(t.Elem(), in, tag)
		return a.NewRef()
	case reflect.Map:
		o := openapi3.NewObjectSchema()
		o.AdditionalProperties = openapi3.AdditionalProperties{Schema: s.ref(t.Elem(), in, tag)}
		return o.NewRef()
	case reflect.Struct:
		return s.structure(t, in, tag)
	}
	return openapi3.NewSchema().NewRef()
}

// pointer may be null in an answer.
func (s *schemas) pointer(t reflect.Type, in bool, tag string) *openapi3.SchemaRef {
	ref := s.ref(t.Elem(), in, tag)
	if in {
		return ref
	}
	null := &openapi3.Schema{Type: &openapi3.Types{"null"}}
	if ref.Ref != "" || ref.Value.Type == nil {
		return (&openapi3.Schema{AnyOf: openapi3.SchemaRefs{ref, null.NewRef()}}).NewRef()
	}
	types := append(openapi3.Types{}, *ref.Value.Type...)
	types = append(types, "null")
	ref.Value.Type = &types
	return ref
}

// wellKnown are the schemas of types that are no objects, lists or maps.
func wellKnown(t reflect.Type, tag string) *openapi3.Schema {
	switch t {
	case timeType:
		return openapi3.NewDateTimeSchema()
	case fileType:
		return &openapi3.Schema{Type: &openapi3.Types{"string"}, ContentMediaType: "application/octet-stream"}
	case rawType:
		return openapi3.NewSchema()
	case durationType:
		if tag != "json" {
			return openapi3.NewStringSchema()
		}
	}
	if t.Kind() != reflect.Pointer {
		if implements[json.Marshaler](t) && tag == "json" {
			return openapi3.NewSchema()
		}
		if implements[encoding.TextMarshaler](t) || implements[encoding.TextUnmarshaler](t) {
			return openapi3.NewStringSchema()
		}
	}
	return basic(t)
}

func implements[T any](t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[T]()) || reflect.PointerTo(t).Implements(reflect.TypeFor[T]())
}

func basic(t reflect.Type) *openapi3.Schema {
	switch k := t.Kind(); {
	case k == reflect.String:
		return openapi3.NewStringSchema()
	case k == reflect.Bool:
		return openapi3.NewBoolSchema()
	case k >= reflect.Int && k <= reflect.Int64:
		return openapi3.NewIntegerSchema()
	case k >= reflect.Uint && k <= reflect.Uintptr:
		return openapi3.NewIntegerSchema().WithMin(0)
	case k == reflect.Float32, k == reflect.Float64:
		return openapi3.NewFloat64Schema()
	case k == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		return &openapi3.Schema{Type: &openapi3.Types{"string"}, ContentEncoding: "base64"}
	}
	return nil
}

// structure is a component, or, without a name, the object itself.
func (s *schemas) structure(t reflect.Type, in bool, tag string) *openapi3.SchemaRef {
	if t.Name() == "" {
		return s.object(t, in, tag).NewRef()
	}
	k := key{t, in, tag}
	name, known := s.names[k]
	if !known {
		name = s.name(k)
		s.names[k] = name
		ref := &openapi3.SchemaRef{}
		s.components[name] = ref
		ref.Value = s.object(t, in, tag)
	}
	return openapi3.NewSchemaRef("#/components/schemas/"+name, s.components[name].Value)
}

func (s *schemas) object(t reflect.Type, in bool, tag string) *openapi3.Schema {
	o := openapi3.NewObjectSchema()
	o.Properties = openapi3.Schemas{}
	for _, f := range fields(t, tag, in) {
		o.Properties[f.name] = s.field(f, in, tag)
		if f.required {
			o.Required = append(o.Required, f.name)
		}
	}
	return o
}

// name is that of the type; of several that would have it, the later ones get
// their use, their package or a number with it.
func (s *schemas) name(k key) string {
	plain := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '_'
	}, withoutPath(k.t.Name()))
	plain = strings.ToUpper(plain[:1]) + plain[1:]
	use := "Output"
	if k.input {
		use = "Input"
	}
	names := []string{plain, plain + use, path.Base(k.t.PkgPath()) + "_" + plain + use}
	for _, n := range names {
		if _, taken := s.components[n]; !taken {
			return n
		}
	}
	for i := 2; ; i++ {
		n := fmt.Sprintf("%s%d", names[1], i)
		if _, taken := s.components[n]; !taken {
			return n
		}
	}
}

// withoutPath removes the import paths from the arguments of a generic type.
func withoutPath(name string) string {
	base, args, generic := strings.Cut(name, "[")
	if !generic {
		return name
	}
	for _, arg := range strings.Split(strings.TrimSuffix(args, "]"), ",") {
		base += "_" + arg[strings.LastIndexAny(arg, "./")+1:]
	}
	return base
}
