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
	Field   string `json:"field"` // as the client names it: "address.zip"
	Rule    string `json:"rule"`  // "min"
	Param   string `json:"param"` // "3"
	Message string `json:"message"`
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
func (c *Context) Validate(v any) error { return c.app.validate(c, v) }

// validate has no Context for events of sockets.
func (a *App) validate(c *Context, v any) error {
	val := reflect.ValueOf(v)
	for val.Kind() == reflect.Pointer && !val.IsNil() {
		val = val.Elem()
	}
	switch val.Kind() {
	case reflect.Struct:
		wrong, err := a.validateStruct(c, v, val.Type(), "")
		return invalid(wrong, err)
	case reflect.Slice, reflect.Array:
		return a.validateSlice(c, val)
	}
	return nil
}

func (a *App) validateSlice(c *Context, val reflect.Value) error {
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
		wrong, err := a.validateStruct(c, item.Interface(), elem, fmt.Sprintf("[%d].", i))
		if err != nil {
			return invalid(nil, err)
		}
		all = append(all, wrong...)
	}
	return invalid(all, nil)
}

// validateStruct returns what is wrong with the fields, or an error of another kind.
func (a *App) validateStruct(c *Context, v any, t reflect.Type, prefix string) ([]FieldError, error) {
	err := a.apply(v, t)
	if err == nil {
		return nil, nil
	}
	var failed validator.ValidationErrors
	if !errors.As(err, &failed) {
		return nil, err
	}
	wrong := make([]FieldError, len(failed))
	for i, f := range failed {
		wrong[i] = FieldError{Field: prefix + rules.Path(f, t), Rule: f.Tag(), Param: f.Param(), Message: a.message(c, f)}
	}
	return wrong, nil
}

// apply returns a panic as an error with status 500 that names the field: a rule may
// be for other values than the one that a client has sent.
func (a *App) apply(v any, t reflect.Type) (err error) {
	defer func() {
		if p := recover(); p != nil {
			text := fmt.Sprintf("the rules of %s: %v", rules.Panicking(v, t, a.opts.Validator), p)
			err = NewError(http.StatusInternalServerError).WithCause(&PanicError{Value: text, Stack: debug.Stack()})
		}
	}()
	return a.opts.Validator.Struct(v)
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

func (a *App) message(c *Context, f validator.FieldError) string {
	if a.opts.ValidationMessage != nil {
		if text := a.opts.ValidationMessage(c, f); text != "" {
			return text
		}
	}
	return rules.Message(f)
}
