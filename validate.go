package nextrush

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/go-playground/validator/v10"
)

// validation is the validator of an App.
type validation struct{ v *validator.Validate }

func newValidation() *validation {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(inputName)
	return &validation{v}
}

// Validator is the validator behind Bind: the place for rules of your own,
// registered before the App serves.
func (a *App) Validator() *validator.Validate { return a.valid.v }

// inputName is what the client calls a field.
func inputName(f reflect.StructField) string {
	for _, s := range []source{fromJSON, fromQuery, fromPath, fromForm, fromHeader, fromCookie, fromXML} {
		if name := tagName(f, string(s)); name != "" {
			return name
		}
	}
	return f.Name
}

// check validates structs, also in slices and maps; other values pass.
func (v *validation) check(value any) error {
	target := reflect.ValueOf(value)
	for target.Kind() == reflect.Pointer {
		if target.IsNil() {
			return nil
		}
		target = target.Elem()
	}
	var err error
	switch target.Kind() {
	case reflect.Struct:
		err = v.v.Struct(value)
	case reflect.Slice, reflect.Array, reflect.Map:
		err = v.v.Var(target.Interface(), "dive")
	}
	return invalid(err)
}

// invalid makes a 422 of the validator's errors.
func invalid(err error) error {
	var list validator.ValidationErrors
	if !errors.As(err, &list) {
		return err
	}
	problems := make([]FieldError, len(list))
	for i, e := range list {
		name := e.Namespace()
		if _, rest, ok := strings.Cut(name, "."); ok {
			name = rest
		}
		problems[i] = FieldError{Field: name, Rule: e.Tag(), Param: e.Param(), Message: ruleText(e)}
	}
	return NewError(http.StatusUnprocessableEntity, "invalid input").WithDetails(problems)
}

// ruleText says what a rule asks for, in plain English.
func ruleText(e validator.FieldError) string {
	text := e.Kind() == reflect.String
	list := e.Kind() == reflect.Slice || e.Kind() == reflect.Array || e.Kind() == reflect.Map
	unit := ""
	if text {
		unit = " characters"
	} else if list {
		unit = " items"
	}
	switch e.Tag() {
	case "required":
		return "is required"
	case "email":
		return "must be an e-mail address"
	case "url", "uri", "http_url":
		return "must be a URL"
	case "uuid", "uuid4":
		return "must be a UUID"
	case "min", "gte":
		return fmt.Sprintf("must be at least %s%s", e.Param(), unit)
	case "max", "lte":
		return fmt.Sprintf("must be at most %s%s", e.Param(), unit)
	case "gt":
		return fmt.Sprintf("must be more than %s%s", e.Param(), unit)
	case "lt":
		return fmt.Sprintf("must be less than %s%s", e.Param(), unit)
	case "len":
		return fmt.Sprintf("must be exactly %s%s", e.Param(), unit)
	case "oneof":
		return "must be one of " + strings.Join(strings.Fields(e.Param()), ", ")
	case "eqfield":
		return "must equal " + e.Param()
	case "alphanum":
		return "must have letters and digits only"
	case "numeric", "number":
		return "must be a number"
	}
	if e.Param() != "" {
		return fmt.Sprintf("fails the rule %s=%s", e.Tag(), e.Param())
	}
	return "fails the rule " + e.Tag()
}
