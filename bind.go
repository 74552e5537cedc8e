package nextrush

import (
	"encoding"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
)

// source is where a field's value comes from: the struct tag of that name.
type source string

const (
	fromPath   source = "path"
	fromQuery  source = "query"
	fromHeader source = "header"
	fromCookie source = "cookie"
	fromForm   source = "form"
	fromJSON   source = "json"
	fromXML    source = "xml"
)

// FieldError tells what is wrong with one field of the input.
type FieldError struct {
	Field   string `json:"field"` // as the client names it: "address.zip"
	Rule    string `json:"rule"`
	Param   string `json:"param,omitempty"`
	Message string `json:"message"`
}

// Bind fills the struct that v points to from the request, and validates it.
// Each field comes from exactly the source its tag names: path, query, header,
// cookie, form, json or xml. Fields without a tag are never touched, and a
// field whose value was not sent keeps what it has.
//
// Its errors are HTTPErrors: 400 for what can not be read, 415 for a body of
// another media type, 413 for one that is too large, 422 with a list of
// FieldError for what the validate tags refuse.
func (c *Context) Bind(v any) error {
	return c.bind(v, fromPath, fromQuery, fromHeader, fromCookie, fromForm, fromJSON, fromXML)
}

// BindPath is Bind with the path parameters alone.
func (c *Context) BindPath(v any) error { return c.bind(v, fromPath) }

// BindQuery is Bind with the query alone.
func (c *Context) BindQuery(v any) error { return c.bind(v, fromQuery) }

// BindHeader is Bind with the headers alone.
func (c *Context) BindHeader(v any) error { return c.bind(v, fromHeader) }

// BindCookie is Bind with the cookies alone.
func (c *Context) BindCookie(v any) error { return c.bind(v, fromCookie) }

// BindForm is Bind with a form body alone, URL-encoded or multipart.
func (c *Context) BindForm(v any) error { return c.bind(v, fromForm) }

// BindJSON is Bind with a JSON body alone. v may also point to a slice or map.
func (c *Context) BindJSON(v any) error { return c.bind(v, fromJSON) }

// BindXML is Bind with an XML body alone.
func (c *Context) BindXML(v any) error { return c.bind(v, fromXML) }

// Validate checks the validate tags of v; its error is a 422 HTTPError.
func (c *Context) Validate(v any) error { return c.app.valid.check(v) }

func (c *Context) bind(v any, sources ...source) error {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return fmt.Errorf("nextrush: Bind: give a pointer to a struct, not %T", v)
	}
	target = target.Elem()
	if target.Kind() != reflect.Struct {
		return c.bindValue(v, sources)
	}
	p := planOf(target.Type())
	if err := c.bindBody(p, target, sources); err != nil {
		return err
	}
	var problems []FieldError
	for _, from := range sources {
		problems = append(problems, c.bindFields(p, target, from)...)
	}
	if len(problems) > 0 {
		return NewError(http.StatusBadRequest, "malformed input").WithDetails(problems)
	}
	return c.app.valid.check(v)
}

// bindValue takes a JSON body for something that is no struct.
func (c *Context) bindValue(v any, sources []source) error {
	if !contains(sources, fromJSON) {
		return fmt.Errorf("nextrush: Bind: give a pointer to a struct, not %T", v)
	}
	if !c.Is("json") {
		return c.wrongType("application/json")
	}
	if err := c.decodeJSON(v); err != nil {
		return err
	}
	return c.app.valid.check(v)
}

func contains(list []source, s source) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func (c *Context) wrongType(want ...string) error {
	return NewError(http.StatusUnsupportedMediaType, "body must be "+strings.Join(want, " or "))
}

// bindBody decodes the body by its media type, if a field wants one. Without a
// body nothing is decoded; what is required the validator knows.
func (c *Context) bindBody(p *plan, target reflect.Value, sources []source) error {
	wants := func(s source) bool { return p.body[s] && contains(sources, s) }
	if !wants(fromForm) && !wants(fromJSON) && !wants(fromXML) {
		return nil
	}
	if c.req.Body == nil || c.req.Body == http.NoBody || c.req.ContentLength == 0 {
		return nil
	}
	switch {
	case wants(fromJSON) && c.Is("json"):
		return c.decodeInto(p, target, fromJSON, c.decodeJSON)
	case wants(fromXML) && (c.Is("xml") || c.Is("text/xml")):
		return c.decodeInto(p, target, fromXML, c.decodeXML)
	case wants(fromForm) && (c.Is("form") || c.Is("multipart/form-data")):
		return c.parseForm()
	}
	var want []string
	for s, t := range map[source]string{fromJSON: "application/json", fromXML: "application/xml", fromForm: "a form"} {
		if wants(s) {
			want = append(want, t)
		}
	}
	return c.wrongType(want...)
}

// decodeInto decodes into a copy and takes over the fields that have the tag,
// so that a client can set no other.
func (c *Context) decodeInto(p *plan, target reflect.Value, from source, decode func(any) error) error {
	if p.plain[from] {
		return decode(target.Addr().Interface())
	}
	decoded := reflect.New(target.Type())
	decoded.Elem().Set(target)
	if err := decode(decoded.Interface()); err != nil {
		return err
	}
	takeTagged(target, decoded.Elem(), string(from))
	return nil
}

func (c *Context) decodeJSON(v any) error {
	data, err := c.Body()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return malformedJSON(err)
	}
	return nil
}

func malformedJSON(err error) error {
	var t *json.UnmarshalTypeError
	if errors.As(err, &t) {
		e := FieldError{Field: t.Field, Rule: "type", Param: jsonKind(t.Type), Message: "must be " + jsonKind(t.Type)}
		return NewError(http.StatusBadRequest, "malformed input").WithDetails([]FieldError{e}).WithCause(err)
	}
	var s *json.SyntaxError
	if errors.As(err, &s) {
		return NewError(http.StatusBadRequest, fmt.Sprintf("malformed JSON at byte %d", s.Offset)).WithCause(err)
	}
	return NewError(http.StatusBadRequest, "malformed JSON").WithCause(err)
}

// jsonKind names a type in the words of JSON.
func jsonKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "a boolean"
	case reflect.String:
		return "a string"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Float32, reflect.Float64:
		return "a number"
	}
	return "a whole number"
}

func (c *Context) decodeXML(v any) error {
	data, err := c.Body()
	if err != nil {
		return err
	}
	if err := xml.Unmarshal(data, v); err != nil {
		return NewError(http.StatusBadRequest, "malformed XML").WithCause(err)
	}
	return nil
}

// plan is what Bind needs to know of a struct type.
type plan struct {
	fields []field
	body   map[source]bool // body sources that some field names
	plain  map[source]bool // body sources whose tag all fields have, however deep
}

type field struct {
	index []int
	from  source
	name  string
}

var plans sync.Map // reflect.Type → *plan

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := &plan{body: make(map[source]bool), plain: make(map[source]bool)}
	p.collect(t, nil)
	for _, s := range []source{fromJSON, fromXML} {
		p.plain[s] = allTagged(t, string(s), nil)
	}
	actual, _ := plans.LoadOrStore(t, p)
	return actual.(*plan)
}

func (p *plan) collect(t reflect.Type, index []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(index[:len(index):len(index)], i)
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			p.collect(f.Type, at)
			continue
		}
		if !f.IsExported() {
			continue
		}
		for _, s := range []source{fromPath, fromQuery, fromHeader, fromCookie, fromForm} {
			if name := tagName(f, string(s)); name != "" {
				p.fields = append(p.fields, field{at, s, name})
				p.body[s] = true
			}
		}
		for _, s := range []source{fromJSON, fromXML} {
			p.body[s] = p.body[s] || tagName(f, string(s)) != ""
		}
	}
}

// tagName is the name in a tag; empty where there is no tag or it is "-".
func tagName(f reflect.StructField, tag string) string {
	name, options, _ := strings.Cut(f.Tag.Get(tag), ",")
	if name == "-" && options == "" {
		return ""
	}
	if name == "" && f.Tag.Get(tag) != "" {
		return f.Name
	}
	return name
}

// decodesItself reports whether a type has a decoder of its own.
func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) ||
		p.Implements(reflect.TypeFor[xml.Unmarshaler]())
}

// allTagged reports whether every field that a decoder could reach has the tag.
func allTagged(t reflect.Type, tag string, seen []reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return allTagged(t.Elem(), tag, seen)
	case reflect.Struct:
	default:
		return true
	}
	for _, s := range seen {
		if s == t {
			return true
		}
	}
	if decodesItself(t) {
		return true
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() && !f.Anonymous {
			continue
		}
		if f.Tag.Get(tag) == "-" {
			continue
		}
		if !f.Anonymous && tagName(f, tag) == "" || !allTagged(f.Type, tag, append(seen, t)) {
			return false
		}
	}
	return true
}

// takeTagged copies the fields that have the tag; deeper fields without it are
// cleared.
func takeTagged(dst, src reflect.Value, tag string) {
	t := dst.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		switch {
		case f.Anonymous && f.Type.Kind() == reflect.Struct && tagName(f, tag) == "":
			takeTagged(dst.Field(i), src.Field(i), tag)
		case f.IsExported() && tagName(f, tag) != "":
			clearUntagged(src.Field(i), tag)
			dst.Field(i).Set(src.Field(i))
		}
	}
}

func clearUntagged(v reflect.Value, tag string) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			clearUntagged(v.Elem(), tag)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			clearUntagged(v.Index(i), tag)
		}
	case reflect.Map:
		clearMap(v, tag)
	case reflect.Struct:
		if !decodesItself(v.Type()) {
			clearFields(v, tag)
		}
	}
}

func clearFields(v reflect.Value, tag string) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		switch {
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			clearFields(v.Field(i), tag)
		case !f.IsExported():
		case tagName(f, tag) == "":
			v.Field(i).SetZero()
		default:
			clearUntagged(v.Field(i), tag)
		}
	}
}

func clearMap(v reflect.Value, tag string) {
	for _, key := range v.MapKeys() {
		element := reflect.New(v.Type().Elem()).Elem()
		element.Set(v.MapIndex(key))
		clearUntagged(element, tag)
		v.SetMapIndex(key, element)
	}
}

// bindFields sets the fields of one source that is a list of strings by name.
func (c *Context) bindFields(p *plan, target reflect.Value, from source) (problems []FieldError) {
	for _, f := range p.fields {
		if f.from != from {
			continue
		}
		v := target.FieldByIndex(f.index)
		if from == fromForm && c.bindFile(v, f.name) {
			continue
		}
		values := c.sourceValues(from, f.name)
		if len(values) == 0 {
			continue
		}
		if err := setField(v, values); err != nil {
			problems = append(problems, FieldError{Field: f.name, Rule: "type", Message: err.Error()})
		}
	}
	return problems
}

// sourceValues lists what a source has under a name.
func (c *Context) sourceValues(from source, name string) []string {
	switch from {
	case fromPath:
		if value := c.Param(name); value != "" {
			return []string{value}
		}
	case fromQuery:
		return c.queryValues()[name]
	case fromHeader:
		return c.req.Header.Values(name)
	case fromCookie:
		if cookie, err := c.req.Cookie(name); err == nil {
			return []string{cookie.Value}
		}
	case fromForm:
		return c.req.PostForm[name]
	}
	return nil
}

// bindFile reports whether the field is for uploaded files.
func (c *Context) bindFile(v reflect.Value, name string) bool {
	switch v.Interface().(type) {
	case *multipart.FileHeader:
		if m := c.req.MultipartForm; m != nil && len(m.File[name]) > 0 {
			v.Set(reflect.ValueOf(m.File[name][0]))
		}
	case []*multipart.FileHeader:
		if m := c.req.MultipartForm; m != nil && len(m.File[name]) > 0 {
			v.Set(reflect.ValueOf(m.File[name]))
		}
	default:
		return false
	}
	return true
}

// setField converts values into v. A slice takes all of them, anything else
// the first.
func setField(v reflect.Value, values []string) error {
	if v.Kind() == reflect.Pointer {
		fresh := reflect.New(v.Type().Elem())
		if err := setField(fresh.Elem(), values); err != nil {
			return err
		}
		v.Set(fresh)
		return nil
	}
	_, itself := v.Addr().Interface().(encoding.TextUnmarshaler)
	if v.Kind() == reflect.Slice && !itself && v.Type().Elem().Kind() != reflect.Uint8 {
		list := reflect.MakeSlice(v.Type(), len(values), len(values))
		for i := range values {
			if err := setField(list.Index(i), values[i:i+1]); err != nil {
				return err
			}
		}
		v.Set(list)
		return nil
	}
	return setScalar(v, values[0])
}

var errKind = errors.New("has a type that can not be bound")

func setScalar(v reflect.Value, text string) error {
	switch target := v.Addr().Interface().(type) {
	case *time.Time:
		return setTime(target, text)
	case *time.Duration:
		d, err := time.ParseDuration(text)
		*target = d
		return mustBe(err, "a duration, such as 1h30m")
	case *[]byte:
		*target = []byte(text)
		return nil
	case encoding.TextUnmarshaler:
		return mustBe(target.UnmarshalText([]byte(text)), "valid")
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return nil
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		v.SetBool(b)
		return mustBe(err, "a boolean")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		v.SetInt(n)
		return mustBe(err, "a whole number")
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(text, 10, v.Type().Bits())
		v.SetUint(n)
		return mustBe(err, "a whole number, not negative")
	case reflect.Float32, reflect.Float64:
		f, err := strconv.ParseFloat(text, v.Type().Bits())
		v.SetFloat(f)
		return mustBe(err, "a number")
	}
	return errKind
}

func mustBe(err error, want string) error {
	if err != nil {
		return errors.New("must be " + want)
	}
	return nil
}

// setTime reads RFC 3339, a date, or what the datetime-local input of HTML sends.
func setTime(t *time.Time, text string) error {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly, "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if parsed, err := time.Parse(layout, text); err == nil {
			*t = parsed
			return nil
		}
	}
	return errors.New("must be a time, such as 2006-01-02T15:04:05Z")
}
