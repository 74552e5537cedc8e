package rules

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/go-playground/validator/v10"

	"github.com/nextrush/nextrush/internal/fields"
)

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

// panicking names the field of a value whose rules panic.
func panicking(v any, t reflect.Type, with any) (field string) {
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
