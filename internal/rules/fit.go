package rules

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-playground/validator/v10"
)

// Fit returns an error if a rule of the tag is one that v does not know, or is not
// for the type: such a rule panics when it runs. Rules of the program's own do not
// run; those of other fields and of values whose type is not known before are taken.
func Fit(v *validator.Validate, field string, t reflect.Type, tag Tag) error {
	base := t
	for depth := 0; base.Kind() == reflect.Pointer && depth < 10; depth++ {
		base = base.Elem()
	}
	for _, r := range tag.Rules {
		if err := fit(v, field, base, r); err != nil {
			return err
		}
	}
	if tag.Items == nil || base.Kind() == reflect.Interface {
		return nil
	}
	switch base.Kind() {
	case reflect.Map:
		if tag.Keys != nil {
			if err := Fit(v, field, base.Key(), *tag.Keys); err != nil {
				return err
			}
		}
	case reflect.Slice, reflect.Array:
	default:
		return fmt.Errorf("the rule %q of the field %s is not for %s: remove it", "dive", field, base)
	}
	return Fit(v, field, base.Elem(), *tag.Items)
}

func fit(v *validator.Validate, field string, t reflect.Type, r Rule) error {
	if r.Omits() || r.structural() {
		return nil
	}
	own := false
	for _, c := range r.Checks {
		if !known(v, c.Name) {
			return fmt.Errorf("the rule %q of the field %s is not known: correct it, or register it with the App's Validator", c.Name, field)
		}
		own = own || !known(check, c.Name)
	}
	if own || r.CrossField() || t.Kind() == reflect.Interface {
		return nil
	}
	if err := try(v, r.Text, sample(t)); err != nil {
		return fmt.Errorf("the rule %q of the field %s is not for %s: %w", r.Text, field, t, err)
	}
	return nil
}

func known(v *validator.Validate, rule string) bool {
	return try(v, "omitempty,"+rule, reflect.ValueOf("")) == nil
}

// try applies a rule to a field, but not to what is in it. It returns a panic as an
// error.
func try(v *validator.Validate, rule string, value reflect.Value) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New(strings.TrimSpace(fmt.Sprint(p)))
		}
	}()
	if value.Kind() == reflect.Struct {
		rule += ",nostructlevel"
	}
	_ = v.Struct(holder(value, rule))
	return nil
}

// sample is a value of the type that rules look into.
func sample(t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	switch t.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Slice:
		v.Set(reflect.MakeSlice(t, 1, 1))
	case reflect.Map:
		v.Set(reflect.MakeMap(t))
	}
	return v
}
