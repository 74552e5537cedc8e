package nextrush

import (
	"errors"
	"net/http"

	"github.com/go-playground/validator/v10"

	"github.com/nextrush/nextrush/internal/rules"
)

// Validator checks a struct, or a pointer to one. *validator.Validate is one;
// see NewValidator.
type Validator interface{ Struct(v any) error }

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

// validate applies the app's validator, for a request or, if c is nil, an event of a socket.
func (a *App) validate(c *Context, v any) error {
	check := rules.Checker{Validator: a.opts.Validator}
	if say := a.opts.ValidationMessage; say != nil {
		check.Message = func(f validator.FieldError) string { return say(c, f) }
	}
	wrong, err := check.Check(v)
	if err == nil && wrong == nil {
		return nil
	}
	invalid := NewError(http.StatusUnprocessableEntity, "the input is invalid")
	var he *HTTPError
	var p *rules.Panic
	switch {
	case errors.As(err, &p):
		return NewError(http.StatusInternalServerError).WithCause(&PanicError{Value: p.Text, Stack: p.Stack})
	case errors.As(err, &he):
		return err
	case err != nil:
		return invalid.WithCause(err)
	}
	return invalid.WithDetails(fieldErrors(wrong))
}
