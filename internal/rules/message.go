package rules

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/go-playground/validator/v10"

	"github.com/nextrush/nextrush/internal/fields"
)

// messages are sentences for the common rules; %s is the rule's parameter.
var messages = map[string]string{
	"required": "is required",
	"email":    "must be an e-mail address",
	"url":      "must be a URL",
	"uuid":     "must be a UUID",
	"uuid4":    "must be a UUID",
	"oneof":    "must be one of: %s",
	"eq":       "must be %s",
	"ne":       "must not be %s",
	"alpha":    "must be letters only",
	"alphanum": "must be letters and digits only",
	"numeric":  "must be a number",
	"ip":       "must be an IP address",
	"datetime": "must be a date of the form %s",
	"unique":   "must not have the same value twice",
	"eqfield":  "must be the same as %s",
}

// bounds are rules that count characters, items or the number itself.
var bounds = map[string]string{
	"min": "at least", "gte": "at least", "max": "at most", "lte": "at most",
	"gt": "more than", "lt": "less than", "len": "exactly",
}

// Message says in English what a value has to be.
func Message(f validator.FieldError) string {
	if bound, ok := bounds[f.Tag()]; ok {
		return boundMessage(f, bound)
	}
	text, ok := messages[f.Tag()]
	switch {
	case !ok:
		return "does not satisfy the rule " + f.Tag()
	case strings.Contains(text, "%s"):
		return fmt.Sprintf(text, f.Param())
	}
	return text
}

func boundMessage(f validator.FieldError, bound string) string {
	switch f.Kind() {
	case reflect.String:
		return "must have " + bound + " " + f.Param() + " characters"
	case reflect.Slice, reflect.Map, reflect.Array:
		return "must have " + bound + " " + f.Param() + " items"
	}
	return "must be " + bound + " " + f.Param()
}

// embedded stands for an embedded struct in the names of its fields, which JSON has
// without it.
const embedded = "~"

// FieldName is what a client calls a field.
func FieldName(f reflect.StructField) string {
	for _, tag := range fields.Sources {
		name, ok := fields.Key(f, tag)
		if ok && strings.HasPrefix(f.Tag.Get(tag), name) {
			return name
		}
	}
	if f.Anonymous {
		return embedded
	}
	return f.Name
}

// Path is what a client calls the field of a t that is wrong: "address.zip".
func Path(f validator.FieldError, t reflect.Type) string {
	path := f.Namespace()
	if t.Name() != "" {
		path = strings.TrimPrefix(path, t.Name()+".")
	}
	return strings.ReplaceAll(path, embedded+".", "")
}

// Panicking names the field of a value whose rules panic.
func Panicking(v any, t reflect.Type, with any) (field string) {
	rules, ok := with.(interface {
		StructFiltered(v any, skip validator.FilterFunc) error
	})
	if !ok {
		return t.String()
	}
	defer func() {
		_ = recover() // the same panic
		if field == "" {
			field = t.String() // of which a tag cannot be read
			return
		}
		field = fmt.Sprintf("the field %s of %s", strings.TrimPrefix(field, t.Name()+"."), t)
	}()
	_ = rules.StructFiltered(v, func(namespace []byte) bool {
		field = string(namespace)
		return false
	})
	return field
}
