package nextrush

import (
	"net/http"
	"slices"
	"strings"

	"github.com/nextrush/nextrush/internal/bind"
	"github.com/nextrush/nextrush/internal/query"
)

// Bind fills v, a pointer to a struct, each field from the one source that its
// tag names, path, query, header, cookie, form, json or xml, and validates it.
// Fields without such a tag are not touched, not in nested structs either. A field
// whose source has no value of that name keeps its value.
//
// Errors are *HTTPErrors: 400 for what is malformed, 415 for a body in none of the
// formats that v has tags for, 413 for one over Options.BodyLimit, 422 for invalid
// fields; if fields are to blame, their Details are a []FieldError. An empty body is not
// an error, and a blank value counts as not sent, unless the field is a text. Bind panics
// if v has no such tags, a param, params or uri tag (write path), or a tagged field that
// cannot be set from text.
func (c *Context) Bind(v any) error {
	t := bind.Into(v)
	t.MustHaveTags()
	if err := c.bindBody(t); err != nil {
		return err
	}
	for _, from := range []bind.Source{bind.Query, bind.Header, bind.Cookie, bind.Path} {
		if err := c.bindTexts(t, from); err != nil {
			return err
		}
	}
	return c.Validate(v)
}

// BindJSON is Bind for the body as JSON alone. A v that does not point to a struct is
// filled as a whole. An empty body is a 400.
func (c *Context) BindJSON(v any) error {
	t := bind.Into(v)
	if bind.Format(c.mediaType()) != bind.JSON {
		return unsupported(bind.JSON)
	}
	body, err := c.Body()
	switch {
	case err != nil:
		return err
	case len(body) == 0:
		return NewError(http.StatusBadRequest, "the body is empty")
	}
	if err := decodeJSON(t, body); err != nil {
		return err
	}
	return c.Validate(v)
}

// BindForm is Bind for the body as a form alone, urlencoded or multipart. Files go
// to fields of type *multipart.FileHeader and slices of it.
func (c *Context) BindForm(v any) error {
	t := bind.Into(v)
	if bind.Format(c.mediaType()) != bind.Form {
		return unsupported(bind.Form)
	}
	if err := c.bindForm(t); err != nil {
		return err
	}
	return c.Validate(v)
}

// BindQuery is Bind for the query alone.
func (c *Context) BindQuery(v any) error {
	if err := c.bindTexts(bind.Into(v), bind.Query); err != nil {
		return err
	}
	return c.Validate(v)
}

// unsupported is the 415 that names what is taken; without tags, JSON is.
func unsupported(formats bind.Source) *HTTPError {
	if formats == 0 {
		formats = bind.JSON
	}
	return NewError(http.StatusUnsupportedMediaType, "the Content-Type must be "+strings.Join(formats.MediaTypes(), " or "))
}

// bindBody decodes the body if the target has fields for one.
func (c *Context) bindBody(t bind.Target) error {
	if !t.Whole && !t.Sources.Has(bind.Body) || !c.hasBody() {
		return nil
	}
	format := bind.Format(c.mediaType())
	if format == 0 || !t.Whole && !t.Sources.Has(format) {
		return c.refuseBody(t.Sources & bind.Body)
	}
	if format == bind.Form {
		return c.bindForm(t)
	}
	body, err := c.Body()
	switch {
	case err != nil:
		return err
	case format == bind.XML:
		return decodeXML(t, body)
	case len(body) == 0:
		return nil
	}
	return decodeJSON(t, body)
}

func (c *Context) hasBody() bool {
	return c.bodyRead() || c.req.Body != nil && c.req.Body != http.NoBody
}

// refuseBody is for a body in none of the formats, unless it is empty.
func (c *Context) refuseBody(formats bind.Source) error {
	if c.req.MultipartForm == nil {
		if body, err := c.Body(); err != nil || len(body) == 0 {
			return err
		}
	}
	return unsupported(formats)
}

func decodeJSON(t bind.Target, body []byte) error {
	wrong, err := t.DecodeJSON(body)
	switch {
	case err == nil:
		return nil
	case wrong != nil:
		return wrongTypes(*wrong).WithCause(err)
	}
	return NewError(http.StatusBadRequest, "the JSON is malformed").WithCause(err)
}

func decodeXML(t bind.Target, body []byte) error {
	if err := t.DecodeXML(body); err != nil {
		return NewError(http.StatusBadRequest, "the XML is malformed").WithCause(err)
	}
	return nil
}

func (c *Context) bindForm(t bind.Target) error {
	if c.mediaType() == "multipart/form-data" {
		form, err := c.multipartForm()
		if err != nil {
			return err
		}
		t.Files(form.File)
		return fill(t, bind.Form, func(name string) []string { return form.Value[name] })
	}
	body, err := c.Body()
	if err != nil {
		return err
	}
	values, err := query.Parse(string(body))
	if err != nil {
		return formError(err)
	}
	return fill(t, bind.Form, func(name string) []string { return values[name] })
}

// bindTexts fills the fields of a source other than the body.
func (c *Context) bindTexts(t bind.Target, from bind.Source) error {
	if !t.Sources.Has(from) {
		return nil
	}
	get := c.req.Header.Values
	switch from {
	case bind.Query:
		if strings.Count(c.req.URL.RawQuery, "&") >= query.MaxPairs {
			return NewError(http.StatusBadRequest, "the query has too many parameters").WithCause(query.ErrTooMany)
		}
		get = func(name string) []string { return c.Queries()[name] }
	case bind.Cookie:
		get = c.Cookies
	case bind.Path:
		get = c.pathValues
	}
	return fill(t, from, get)
}

func (c *Context) pathValues(name string) []string {
	if rt := c.matched(); rt != nil && slices.Contains(rt.pattern.Names, name) {
		return []string{c.Param(name)}
	}
	return nil
}

func fill(t bind.Target, from bind.Source, get func(name string) []string) error {
	if wrong := t.Texts(from, get); len(wrong) > 0 {
		return wrongTypes(wrong...)
	}
	return nil
}

// wrongTypes is the 400 that names the fields.
func wrongTypes(wrong ...bind.Mismatch) *HTTPError {
	details := make([]FieldError, len(wrong))
	for i, w := range wrong {
		details[i] = FieldError{Field: w.Field, Rule: "type", Param: w.Want, Message: w.Field + " must be " + w.Want}
	}
	return NewError(http.StatusBadRequest, "a value has the wrong type").WithDetails(details)
}
