package rules

import (
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"

	"github.com/go-playground/validator/v10"

	"github.com/nextrush/nextrush/internal/fields"
)

// Panic is the error of a rule that has panicked: it may be for other values than the one
// that a client has sent.
type Panic struct {
	Text  string // names the field
	Stack []byte
}

func (p *Panic) Error() string { return p.Text }

// Checker applies a validator. Message says what is wrong with a field, in English if it
// is nil or returns "".
type Checker struct {
	Validator interface{ Struct(v any) error }
	Message   func(f validator.FieldError) string
}

// Check returns what is wrong with the fields of a struct, or of those in a list, and
// pointers to them; other values have none. The error is what the validator says
// otherwise, or a *Panic.
func (c Checker) Check(v any) ([]fields.Fault, error) {
	val := reflect.ValueOf(v)
	for val.Kind() == reflect.Pointer && !val.IsNil() {
		val = val.Elem()
	}
	switch val.Kind() {
	case reflect.Struct:
		return c.fields(v, val.Type(), "")
	case reflect.Slice, reflect.Array:
		return c.list(val)
	}
	return nil, nil
}

func (c Checker) list(val reflect.Value) (all []fields.Fault, err error) {
	elem := val.Type().Elem()
	if elem.Kind() == reflect.Pointer {
		elem = elem.Elem()
	}
	if elem.Kind() != reflect.Struct {
		return nil, nil
	}
	for i := range val.Len() {
		item := val.Index(i)
		if item.Kind() == reflect.Pointer && item.IsNil() {
			continue
		}
		wrong, err := c.fields(item.Interface(), elem, fmt.Sprintf("[%d].", i))
		if err != nil {
			return nil, err
		}
		all = append(all, wrong...)
	}
	return all, nil
}

func (c Checker) fields(v any, t reflect.Type, prefix string) ([]fields.Fault, error) {
	err := c.apply(v, t)
	if err == nil {
		return nil, nil
	}
	var failed validator.ValidationErrors
	if !errors.As(err, &failed) {
		return nil, err
	}
	wrong := make([]fields.Fault, len(failed))
	for i, f := range failed {
		name := prefix + Path(f, t)
		wrong[i] = fields.Fault{Field: name, Rule: f.Tag(), Param: f.Param(), Message: c.message(f, name, t)}
	}
	return wrong, nil
}

func (c Checker) apply(v any, t reflect.Type) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &Panic{fmt.Sprintf("the rules of %s: %v", panicking(v, t, c.Validator), p), debug.Stack()}
		}
	}()
	return c.Validator.Struct(v)
}

func (c Checker) message(f validator.FieldError, name string, t reflect.Type) string {
	if c.Message != nil {
		if text := c.Message(f); text != "" {
			return text
		}
	}
	return Message(f, name, t)
}
