package bind

import (
	"fmt"
	"reflect"
	"slices"
)

// Value parses the values that a source has of one name, as for a field of the type: all
// for a slice, otherwise the first. Blank ones count for texts only; without one that
// counts, sent is false. If they do not fit, want says what would: "an integer". Value
// panics if the type takes no text.
func Value[T any](values []string) (v T, sent bool, want string) {
	item := itemOf(reflect.TypeFor[T]())
	if !takesText(item) {
		panic(fmt.Sprintf("nextrush: a %T takes no text: give it a method UnmarshalText", v))
	}
	if !isText(item) {
		values = notBlank(values)
	}
	if len(values) == 0 {
		return v, false, ""
	}
	if err := setTexts(reflect.ValueOf(&v).Elem(), values); err != nil {
		return *new(T), true, kindName(item)
	}
	return v, true, ""
}

func notBlank(values []string) []string {
	if !slices.Contains(values, "") {
		return values
	}
	return slices.DeleteFunc(slices.Clone(values), func(s string) bool { return s == "" })
}
