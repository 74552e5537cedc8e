package nextrush

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/nextrush/nextrush/internal/bind"
	"github.com/nextrush/nextrush/internal/body"
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
	return c.validated(v, refused(t.DecodeJSON(body, c.app.opts.StrictJSON)))
}

// BindForm is Bind for the body as a form alone, urlencoded or multipart. Files go
// to fields of type *multipart.FileHeader and slices of it.
func (c *Context) BindForm(v any) error {
	t := bind.Into(v)
	if bind.Format(c.mediaType()) != bind.Form {
		return unsupported(bind.Form)
	}
	return c.validated(v, c.bindForm(t))
}

// BindQuery is Bind for the query alone.
func (c *Context) BindQuery(v any) error {
	return c.validated(v, c.bindTexts(bind.Into(v), bind.Query))
}

// validated validates what was filled without an error.
func (c *Context) validated(v any, err error) error {
	if err != nil {
		return err
	}
	return c.Validate(v)
}

// Query returns a query parameter as a T, all values of it if T is a slice. If it is not
// sent, that is the fallback, or the zero value. T may be what a field of [Context.Bind]
// may: a number, a boolean, a time, a text, a slice of these, a type with UnmarshalText.
// A value that is none is an *HTTPError with status 400. Query panics if T takes no text.
func Query[T any](c *Context, name string, fallback ...T) (T, error) {
	v, sent, err := bind.Value[T]("the query parameter", name, c.Queries()[name])
	switch {
	case err != nil:
		return v, refused(err)
	case sent || len(fallback) == 0:
		return v, c.checkQuery()
	}
	return fallback[0], c.checkQuery()
}

// Param returns a parameter of the route's path as a T, as Query does. That the route does
// not have it is an error of the server.
func Param[T any](c *Context, name string) (T, error) {
	values := c.pathValues(name)
	v, _, err := bind.Value[T]("the path parameter", name, values)
	switch {
	case err != nil:
		return v, refused(err)
	case values == nil:
		return v, fmt.Errorf("nextrush: Param: the path of the route %s has no :%s", c.Route(), name)
	}
	return v, nil
}

// Form returns the first value of a form field in the body, or, if there is none, the
// fallback or "". A body that is not a form or cannot be read has no fields;
// [Context.Body] and [Context.BindForm] return the reason.
func (c *Context) Form(name string, fallback ...string) string {
	values, _ := c.formValues()
	return first(values[name], fallback)
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
		return refused(t.DecodeXML(body))
	case len(body) == 0:
		return nil
	}
	return refused(t.DecodeJSON(body, c.app.opts.StrictJSON))
}

func (c *Context) hasBody() bool {
	return !body.IsEmpty(c.req) || c.extras != nil && c.extras.body.WasRead()
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

func (c *Context) bindForm(t bind.Target) error {
	values, err := c.formValues()
	if err != nil {
		return err
	}
	if form := c.req.MultipartForm; form != nil {
		t.Files(form.File)
	}
	return refused(t.Values(bind.Form, values))
}

// formValues are those of the body, which is parsed once.
func (c *Context) formValues() (url.Values, error) {
	if c.mediaType() == "multipart/form-data" {
		form, err := c.multipartForm()
		if err != nil {
			return nil, err
		}
		return form.Value, nil
	}
	if bind.Format(c.mediaType()) != bind.Form {
		return nil, unsupported(bind.Form)
	}
	values, err := c.needExtras().body.Values(c.Request())
	return values, bodyError(err)
}

// bindTexts fills the fields of a source other than the body.
func (c *Context) bindTexts(t bind.Target, from bind.Source) error {
	if !t.Sources.Has(from) {
		return nil
	}
	switch from {
	case bind.Query:
		if err := c.checkQuery(); err != nil {
			return err
		}
		return refused(t.Values(from, c.Queries()))
	case bind.Cookie:
		return refused(t.Texts(from, c.Cookies))
	case bind.Path:
		return refused(t.Texts(from, c.pathValues))
	}
	return refused(t.Texts(from, c.Request().Header.Values))
}

func (c *Context) checkQuery() error {
	if strings.Count(c.req.URL.RawQuery, "&") >= query.MaxPairs {
		return NewError(http.StatusBadRequest, "the query has too many parameters").WithCause(query.ErrTooMany)
	}
	return nil
}

func (c *Context) pathValues(name string) []string {
	if slices.Contains(c.paramNames(), name) {
		return []string{c.Param(name)}
	}
	return nil
}
