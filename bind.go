package nextrush

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/nextrush/nextrush/internal/query"
)

// Bind fills v, a pointer to a struct, each field from the one source that its
// tag names, path, query, header, cookie, form, json or xml, and validates it.
// Fields without such a tag are not touched, in nested structs neither. A field
// whose source has no value of that name keeps its own.
//
// Errors are *HTTPErrors: 400 for what is malformed, 415 for a body in none of the
// formats that v has tags for, 413 for one over Options.BodyLimit, 422 for invalid
// fields, and where fields are to blame, a []FieldError tells which. An empty body
// is no error, and a blank value counts as not sent, unless the field is a text. A
// type that no request could fill panics: a struct without any tag, a field of a type
// that takes no text, one with a tag of other frameworks instead of ours.
func (c *Context) Bind(v any) error {
	p := mustHaveTags(mustPointer(v))
	if err := c.bindBody(v); err != nil {
		return err
	}
	if p.outside {
		if err := c.bindOutside(v); err != nil {
			return err
		}
	}
	return c.Validate(v)
}

// bindOutside fills the fields whose source is not the body.
func (c *Context) bindOutside(v any) error {
	for _, source := range []string{"query", "header", "cookie", "path"} {
		if err := c.bindValues(source, v); err != nil {
			return err
		}
	}
	return nil
}

// BindJSON is Bind for the body as JSON alone. Of a v that is no pointer to a
// struct the whole is filled. An empty body is a 400.
func (c *Context) BindJSON(v any) error { return c.bindOne("json", v) }

// BindXML is Bind for the body as XML alone.
func (c *Context) BindXML(v any) error { return c.bindOne("xml", v) }

// BindForm is Bind for the body as a form alone, urlencoded or multipart. Files go
// to fields of type *multipart.FileHeader and slices of it.
func (c *Context) BindForm(v any) error { return c.bindOne("form", v) }

// BindQuery is Bind for the query alone.
func (c *Context) BindQuery(v any) error { return c.bindOne("query", v) }

// BindPath is Bind for the parameters of the path alone.
func (c *Context) BindPath(v any) error { return c.bindOne("path", v) }

// BindHeader is Bind for the request's header alone.
func (c *Context) BindHeader(v any) error { return c.bindOne("header", v) }

// BindCookie is Bind for cookies alone.
func (c *Context) BindCookie(v any) error { return c.bindOne("cookie", v) }

func (c *Context) bindOne(source string, v any) error {
	err := c.bindFrom(source, v)
	if err != nil {
		return err
	}
	return c.Validate(v)
}

func (c *Context) bindFrom(source string, v any) error {
	switch source {
	case "json", "xml", "form":
		if format := c.bodyFormat(); format != source {
			return unsupported(map[string]bool{source: true})
		}
	}
	switch source {
	case "json":
		return c.decodeJSON(v, false)
	case "xml":
		return c.decodeXML(v)
	case "form":
		return c.decodeForm(v)
	}
	return c.bindValues(source, v)
}

// bodyFormat is the source that the Content-Type stands for, or "".
func (c *Context) bodyFormat() string {
	t := c.mediaType()
	switch {
	case mediaTypeIs(t, "json"):
		return "json"
	case mediaTypeIs(t, "xml"):
		return "xml"
	case t == "application/x-www-form-urlencoded", t == "multipart/form-data":
		return "form"
	}
	return ""
}

// unsupported is the 415 that names what is taken; without tags, JSON is.
func unsupported(formats map[string]bool) *HTTPError {
	if len(formats) == 0 {
		formats = map[string]bool{"json": true}
	}
	var types []string
	for _, t := range [][2]string{
		{"json", "application/json"}, {"xml", "application/xml"},
		{"form", "application/x-www-form-urlencoded"}, {"form", "multipart/form-data"},
	} {
		if formats[t[0]] {
			types = append(types, t[1])
		}
	}
	return NewError(http.StatusUnsupportedMediaType, "the Content-Type must be "+strings.Join(types, " or "))
}

// bindBody decodes the body where v has fields for one.
func (c *Context) bindBody(v any) error {
	t := mustPointer(v)
	p := planOf(t)
	if t.Kind() == reflect.Struct && !p.body {
		return nil
	}
	if !c.bodyRead() && (c.req.Body == nil || c.req.Body == http.NoBody) {
		return nil
	}
	format := c.bodyFormat()
	if format == "" || t.Kind() == reflect.Struct && !p.has[format] {
		if c.req.MultipartForm == nil {
			if body, err := c.Body(); err != nil || len(body) == 0 {
				return err
			}
		}
		return unsupported(p.has)
	}
	switch format {
	case "json":
		return c.decodeJSON(v, true)
	case "xml":
		return c.decodeXML(v)
	}
	return c.decodeForm(v)
}

func (c *Context) decodeJSON(v any, emptyIsFine bool) error {
	body, err := c.Body()
	if err != nil {
		return err
	}
	if len(body) == 0 {
		if emptyIsFine {
			return nil
		}
		return NewError(http.StatusBadRequest, "the body is empty")
	}
	if planOf(mustPointer(v)).untagged["json"] {
		defer holdOut(v, "json")()
	}
	return jsonError(json.Unmarshal(body, v))
}

func jsonError(err error) error {
	if err == nil {
		return nil
	}
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		name := kindName(mismatch.Type)
		f := FieldError{Field: mismatch.Field, Rule: "type", Param: name, Message: "must be " + name}
		return NewError(http.StatusBadRequest, "a value has the wrong type").WithDetails([]FieldError{f}).WithCause(err)
	}
	return NewError(http.StatusBadRequest, "the JSON is malformed").WithCause(err)
}

func (c *Context) decodeXML(v any) error {
	body, err := c.Body()
	if err != nil {
		return err
	}
	if planOf(mustPointer(v)).untagged["xml"] {
		defer holdOut(v, "xml")()
	}
	d := xml.NewDecoder(bytes.NewReader(body))
	if err = d.Decode(v); err == nil {
		err = onlyMisc(d)
	}
	if err != nil {
		return NewError(http.StatusBadRequest, "the XML is malformed").WithCause(err)
	}
	return nil
}

// onlyMisc reads to the end of a document, where only comments, processing
// instructions and white space may follow (XML 1.0 §2.1).
func onlyMisc(d *xml.Decoder) error {
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		text, ok := token.(xml.CharData)
		_, element := token.(xml.StartElement)
		if element || ok && len(bytes.TrimSpace(text)) > 0 {
			return errors.New("text after the root element")
		}
	}
}

func (c *Context) decodeForm(v any) error {
	if c.mediaType() == "multipart/form-data" {
		form, err := c.multipartForm()
		if err != nil {
			return err
		}
		return bindFields("form", v, func(name string) []string { return form.Value[name] }, form.File)
	}
	body, err := c.Body()
	if err != nil {
		return err
	}
	values, err := query.Parse(string(body))
	if err != nil {
		return formError(err)
	}
	return bindFields("form", v, func(name string) []string { return values[name] }, nil)
}

// bindValues fills the fields of a source other than the body.
func (c *Context) bindValues(source string, v any) error {
	var get func(string) []string
	switch source {
	case "query":
		get = func(name string) []string { return c.queries()[name] }
	case "header":
		get = c.req.Header.Values
	case "cookie":
		get = c.Cookies
	case "path":
		get = c.pathValues
	}
	crowded := strings.Count(c.req.URL.RawQuery, "&") >= query.MaxPairs
	if crowded && source == "query" && planOf(mustPointer(v)).has["query"] {
		return NewError(http.StatusBadRequest, "the query has too many parameters").WithCause(query.ErrTooMany)
	}
	return bindFields(source, v, get, nil)
}

func (c *Context) pathValues(name string) []string {
	if rt := c.matched(); rt != nil && slices.Contains(rt.names, name) {
		return []string{c.Param(name)}
	}
	return nil
}

// bindFields fills the fields of one source and collects what did not fit.
func bindFields(source string, v any, get func(string) []string, files map[string][]*multipart.FileHeader) error {
	p := planOf(mustPointer(v))
	if !p.has[source] {
		return nil
	}
	var wrong []FieldError
	root := reflect.ValueOf(v).Elem()
	for _, f := range p.fields {
		if f.source != source {
			continue
		}
		if f.file {
			setFiles(f.in(root), files[f.name])
			continue
		}
		values := f.sent(get(f.name))
		if len(values) == 0 {
			continue
		}
		if err := setValues(f.in(root), values); err != nil {
			name := kindName(itemOf(f.kind))
			wrong = append(wrong, FieldError{Field: f.name, Rule: "type", Param: name, Message: "must be " + name})
		}
	}
	if len(wrong) > 0 {
		return NewError(http.StatusBadRequest, "a value has the wrong type").WithDetails(wrong)
	}
	return nil
}

// mustPointer returns what v points to; it panics where v is no pointer.
func mustPointer(v any) reflect.Type {
	val := reflect.ValueOf(v)
	if val.Kind() != reflect.Pointer || val.IsNil() {
		panic(fmt.Sprintf("nextrush: Bind into %T: give a pointer to a struct", v))
	}
	return val.Type().Elem()
}

// mustHaveTags returns the plan of a type; it panics where Bind would find nothing
// to do.
func mustHaveTags(t reflect.Type) *plan {
	p := planOf(t)
	if t.Kind() == reflect.Struct && t.NumField() > 0 && len(p.has) == 0 {
		panic(fmt.Sprintf("nextrush: Bind into %s: no field has a tag that says where it comes from, as json:\"name\" does", t))
	}
	return p
}
