package nextrush

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"runtime/debug"

	"github.com/go-playground/validator/v10"

	"github.com/nextrush/nextrush/internal/rules"
)

// Validator checks a struct, or a pointer to one. *validator.Validate is one;
// see NewValidator.
type Validator interface{ Struct(v any) error }

// FieldError says what is wrong with one field.
type FieldError struct {
	Field   string `json:"field"`   // as the client names it: "address.zip"
	Rule    string `json:"rule"`    // "min"
	Param   string `json:"param"`   // "3"
	Message string `json:"message"` // for people: "name must have at least 3 characters"
}

// NewValidator returns a validator that reports field names as in the request. Register
// your own rules on it.
func NewValidator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(rules.FieldName)
	return v
}

// Validate applies the app's validator to v. Invalid fields are an *HTTPError
// with status 422 and a []FieldError as details.
func (c *Context) Validate(v any) error { return validation{&c.app.opts, c}.check(v) }

// validation applies the app's validator.
type validation struct {
	opts *Options
	c    *Context // of the request; nil: for an event of a socket
}

func (r validation) check(v any) error {
	val := reflect.ValueOf(v)
	for val.Kind() == reflect.Pointer && !val.IsNil() {
		val = val.Elem()
	}
	switch val.Kind() {
	case reflect.Struct:
		wrong, err := r.fields(v, val.Type(), "")
		return invalid(wrong, err)
	case reflect.Slice, reflect.Array:
		return r.list(val)
	}
	return nil
}

func (r validation) list(val reflect.Value) error {
	elem := val.Type().Elem()
	if elem.Kind() == reflect.Pointer {
		elem = elem.Elem()
	}
	if elem.Kind() != reflect.Struct {
		return nil
	}
	var all []FieldError
	for i := range val.Len() {
		item := val.Index(i)
		if item.Kind() == reflect.Pointer && item.IsNil() {
			continue
		}
		wrong, err := r.fields(item.Interface(), elem, fmt.Sprintf("[%d].", i))
		if err != nil {
			return invalid(nil, err)
		}
		all = append(all, wrong...)
	}
	return invalid(all, nil)
}

// fields returns what is wrong with the fields, or an error of another kind.
func (r validation) fields(v any, t reflect.Type, prefix string) ([]FieldError, error) {
	err := r.apply(v, t)
	if err == nil {
		return nil, nil
	}
	var failed validator.ValidationErrors
	if !errors.As(err, &failed) {
		return nil, err
	}
	wrong := make([]FieldError, len(failed))
	for i, f := range failed {
		name := prefix + rules.Path(f, t)
		wrong[i] = FieldError{Field: name, Rule: f.Tag(), Param: f.Param(), Message: r.message(f, name, t)}
	}
	return wrong, nil
}

// apply returns a panic as an error with status 500 that names the field: a rule may
// be for other values than the one that a client has sent.
func (r validation) apply(v any, t reflect.Type) (err error) {
	defer func() {
		if p := recover(); p != nil {
			text := fmt.Sprintf("the rules of %s: %v", rules.Panicking(v, t, r.opts.Validator), p)
			err = NewError(http.StatusInternalServerError).WithCause(&PanicError{Value: text, Stack: debug.Stack()})
		}
	}()
	return r.opts.Validator.Struct(v)
}

func invalid(wrong []FieldError, err error) error {
	if err == nil && len(wrong) == 0 {
		return nil
	}
	var he *HTTPError
	switch {
	case errors.As(err, &he):
		return err
	case err != nil:
		return NewError(http.StatusUnprocessableEntity, "the input is invalid").WithCause(err)
	}
	return NewError(http.StatusUnprocessableEntity, "the input is invalid").WithDetails(wrong)
}

func (r validation) message(f validator.FieldError, name string, t reflect.Type) string {
	if r.opts.ValidationMessage != nil {
		if text := r.opts.ValidationMessage(r.c, f); text != "" {
			return text
		}
	}
	return rules.Message(f, name, t)
}
