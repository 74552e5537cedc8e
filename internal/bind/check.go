package bind

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/nextrush/nextrush/internal/fields"
)

// Fields that no request could fill are found before one comes: when Handle makes
// the handler, or at the first Bind of the type.

// isList reports whether each value of a source goes to an item of its own.
func isList(t reflect.Type) bool {
	t = pointedTo(t)
	return t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8 && !parsesText(t)
}

// itemOf is the type that one value of a source is put in.
func itemOf(t reflect.Type) reflect.Type {
	if isList(t) {
		t = pointedTo(t).Elem()
	}
	return pointedTo(t)
}

// pointedTo is what t points to, unless that is itself: type Loop *Loop.
func pointedTo(t reflect.Type) reflect.Type {
	for depth := 0; t.Kind() == reflect.Pointer && depth < 10; depth++ {
		t = t.Elem()
	}
	return t
}

func parsesText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textType) }

// isText reports whether an empty text is a value of the type. For others a blank
// field of a form, which browsers send as well, counts as not sent.
func isText(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Slice, reflect.Interface:
		return !parsesText(t)
	}
	return false
}

// takesText reports whether setText can fill the type.
func takesText(t reflect.Type) bool {
	switch k := t.Kind(); {
	case t == timeType, parsesText(t), k == reflect.String, k == reflect.Bool:
		return true
	case k >= reflect.Int && k <= reflect.Uint64, k == reflect.Float32, k == reflect.Float64:
		return true
	case k == reflect.Slice:
		return t.Elem().Kind() == reflect.Uint8
	case k == reflect.Interface:
		return t.NumMethod() == 0
	}
	return false
}

func mustTakeText(source Source, f fields.Field) {
	if !takesText(itemOf(f.Type)) {
		panic(fmt.Sprintf("nextrush: Bind: the field %s takes no text, as a %s is: give %s a method UnmarshalText", f.Name, source.Tag(), f.Type))
	}
}

// mustFit looks for what no request could fill in a type and in those that a
// decoder of the body comes to.
func mustFit(t reflect.Type) {
	Walk(t, func(f reflect.StructField) {
		if _, ok := f.Tag.Lookup("validate"); !ok {
			refuse(f, "validate", "binding", "valid")
		}
		if hides(f) {
			panic(fmt.Sprintf("nextrush: Bind: the embedded pointer to %s cannot be set, for that is not exported: embed the struct itself", f.Name))
		}
		if _, ok := fields.Key(f, "json"); ok && !inJSON(f.Type) {
			panic(fmt.Sprintf("nextrush: Bind: the field %s is a %s, which JSON cannot hold: tag it json:\"-\"", f.Name, f.Type))
		}
	})
}

// hides reports an embedded pointer that nobody can set, in front of fields to bind.
func hides(f reflect.StructField) bool {
	if !f.Anonymous || f.IsExported() || f.Type.Kind() != reflect.Pointer || f.Type.Elem().Kind() != reflect.Struct {
		return false
	}
	return slices.ContainsFunc(fields.Sources, func(source string) bool {
		inner := fields.Of(f.Type.Elem(), source)
		return f.Tag.Get(source) != "-" && slices.ContainsFunc(inner, func(f fields.Field) bool { return f.Tagged })
	})
}

// MustEncode panics if encoding/json would fail for each value of the type.
func MustEncode(t reflect.Type) {
	if !inJSON(t) {
		panic(fmt.Sprintf("nextrush: Handle: Out is a %s, which JSON cannot hold", t))
	}
	Walk(t, func(f reflect.StructField) {
		if f.IsExported() && f.Tag.Get("json") != "-" && !inJSON(f.Type) {
			panic(fmt.Sprintf("nextrush: Handle: the field %s of Out is a %s, which JSON cannot hold: tag it json:\"-\"", f.Name, f.Type))
		}
	})
}

// Walk visits the fields of a type that a decoder fills, and of those within.
func Walk(t reflect.Type, visit func(reflect.StructField)) {
	walk(t, map[reflect.Type]bool{}, visit)
}

func walk(t reflect.Type, seen map[reflect.Type]bool, visit func(reflect.StructField)) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array || t.Kind() == reflect.Map {
		if seen[t] {
			return
		}
		seen[t] = true
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || seen[t] || codesItself(t) {
		return
	}
	seen[t] = true
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() || f.Anonymous {
			visit(f)
			if f.Tag.Get("json") != "-" || f.Anonymous {
				walk(f.Type, seen, visit)
			}
		}
	}
}

// inJSON reports whether JSON has values of the kind, at any depth of lists.
func inJSON(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return codesItself(t)
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return t.Name() != "" || codesItself(t) || inJSON(t.Elem())
	}
	return true
}

// mustHaveSource panics if a field has only the tag of another framework for path
// parameters.
func mustHaveSource(f reflect.StructField) {
	for _, source := range fields.Sources {
		if _, ok := f.Tag.Lookup(source); ok {
			return
		}
	}
	refuse(f, "path", "param", "params", "uri")
	refuse(f, "header", "reqHeader")
}

// mustNotOrder panics if a tag asks by an option for what other frameworks do for it.
func mustNotOrder(source Source, f fields.Field) {
	for option := range strings.SplitSeq(f.Tag.Get(source.Tag()), ",") {
		switch {
		case option == f.Key:
		case option == "required":
			panic(fmt.Sprintf("nextrush: Bind: the tag %s of the field %s has the option required: write validate:\"required\"", source.Tag(), f.Name))
		case strings.HasPrefix(option, "default=") || strings.HasPrefix(option, "default:"):
			panic(fmt.Sprintf("nextrush: Bind: the tag %s of the field %s has a default: set the field before Bind", source.Tag(), f.Name))
		}
	}
}

// refuse panics if a field has a tag that another framework reads for what ours
// has: it would silently do nothing.
func refuse(f reflect.StructField, ours string, theirs ...string) {
	for _, tag := range theirs {
		if value := f.Tag.Get(tag); value != "" && value != "-" {
			panic(fmt.Sprintf("nextrush: Bind: the field %s has the tag %s:%q: write %s:%[3]q", f.Name, tag, value, ours))
		}
	}
}
