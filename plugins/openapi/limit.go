package openapi

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// has reports whether a validate tag has a rule for the field itself.
func has(tag, rule string) bool {
	own, _, _ := strings.Cut(tag, ",dive")
	return slices.Contains(strings.Split(own, ","), rule)
}

// limit puts the rules of a validate tag into a schema; those that JSON Schema has
// no word for are left out, as are alternatives (a|b). What follows "dive" is
// for the items.
func limit(s *openapi3.Schema, tag string, t reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	own, items, dive := strings.Cut(tag, ",dive")
	for rule := range strings.SplitSeq(own, ",") {
		name, param, _ := strings.Cut(rule, "=")
		apply(s, t, name, param)
	}
	if dive && s.Items != nil && s.Items.Ref == "" {
		limited := *s.Items.Value
		limit(&limited, strings.TrimPrefix(items, ","), t.Elem())
		s.Items = limited.NewRef()
	}
}

var formats = map[string]string{
	"email": "email", "url": "uri", "http_url": "uri", "uri": "uri", "uuid": "uuid", "uuid4": "uuid",
	"ipv4": "ipv4", "ipv6": "ipv6", "hostname": "hostname",
}

func apply(s *openapi3.Schema, t reflect.Type, name, param string) {
	if format, ok := formats[name]; ok && t.Kind() == reflect.String {
		s.Format = format
		return
	}
	switch name {
	case "oneof":
		s.Enum = enum(param, t)
	case "unique":
		s.UniqueItems = t.Kind() == reflect.Slice
	case "min", "gte", "max", "lte", "gt", "lt", "len":
		bound(s, t, name, param)
	}
}

func enum(param string, t reflect.Type) (values []any) {
	for text := range strings.FieldsSeq(param) {
		if t.Kind() == reflect.String {
			values = append(values, strings.Trim(text, "'"))
		} else if n, err := strconv.ParseFloat(text, 64); err == nil {
			values = append(values, n)
		}
	}
	return values
}

// bound limits a number, or the count of characters, items or members.
func bound(s *openapi3.Schema, t reflect.Type, name, param string) {
	n, err := strconv.ParseFloat(param, 64)
	if err != nil {
		return
	}
	lower, upper := name == "min" || name == "gte" || name == "len", name == "max" || name == "lte" || name == "len"
	switch t.Kind() {
	case reflect.String, reflect.Slice, reflect.Array, reflect.Map:
		switch {
		case n < 0:
		case name == "gt":
			count(s, t, uint64(n)+1, true, false)
		case name == "lt" && n >= 1:
			count(s, t, uint64(n)-1, false, true)
		default:
			count(s, t, uint64(n), lower, upper)
		}
		return
	}
	switch {
	case name == "gt":
		s.ExclusiveMin = openapi3.ExclusiveBound{Value: &n}
	case name == "lt":
		s.ExclusiveMax = openapi3.ExclusiveBound{Value: &n}
	case name == "len":
		s.Const = n
	}
	if lower && name != "len" {
		s.Min = &n
	}
	if upper && name != "len" {
		s.Max = &n
	}
}

func count(s *openapi3.Schema, t reflect.Type, n uint64, lower, upper bool) {
	lowest, highest := &s.MinLength, &s.MaxLength
	switch t.Kind() {
	case reflect.Slice, reflect.Array:
		lowest, highest = &s.MinItems, &s.MaxItems
	case reflect.Map:
		lowest, highest = &s.MinProps, &s.MaxProps
	}
	if lower {
		*lowest = n
	}
	if upper {
		*highest = &n
	}
}
