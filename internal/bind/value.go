package bind

import (
	"fmt"
	"reflect"
	"slices"
)

// Value parses the values that a source has of one name, as for a field of the type: all
// for a slice, otherwise the first. Blank ones count for texts only; without one that
// counts, sent is false. If they do not fit, that is an *Error, which calls the source
// what. Value panics if the type takes no text.
func Value[T any](what, name string, values []string) (v T, sent bool, err error) {
	item := itemOf(reflect.TypeFor[T]())
	if !takesText(item) {
		panic(fmt.Sprintf("nextrush: a %T takes no text: give it a method UnmarshalText", v))
	}
	if !isText(item) {
		values = notBlank(values)
	}
	if len(values) == 0 {
		return v, false, nil
	}
	if err := setTexts(reflect.ValueOf(&v).Elem(), values); err != nil {
		return *new(T), true, wrongValue(what, mismatch{name, kindName(item)})
	}
	return v, true, nil
}

func notBlank(values []string) []string {
	if !slices.Contains(values, "") {
		return values
	}
	return slices.DeleteFunc(slices.Clone(values), func(s string) bool { return s == "" })
}
