package bind

import (
	"encoding"
	"encoding/json"
	"encoding/xml"
	"reflect"
	"sync"
)

// encoding/json and encoding/xml fill fields without a tag by their names. Those
// are the ones that a client must not set, so they are held out: kept aside while
// the decoder runs and put back when it is done.

// maxHoldOutDepth ends the walk of a cycle. It is more than the 10,000 levels that
// the decoders take come to, of a pointer or slice and a struct each.
const maxHoldOutDepth = 100_000

var (
	jsonType = reflect.TypeFor[json.Unmarshaler]()
	xmlType  = reflect.TypeFor[xml.Unmarshaler]()
)

var untaggedTypes sync.Map // of untaggedKey to bool

type untaggedKey struct {
	t   reflect.Type
	tag string
}

// holdOut keeps the fields without the tag aside; what it returns puts them back
// and empties those that have come into being in between.
func holdOut(root reflect.Value, tag string) func() {
	var places, kept []reflect.Value
	walkUntagged(root, tag, false, 0, func(f reflect.Value) {
		copied := reflect.New(f.Type()).Elem()
		copied.Set(f)
		places, kept = append(places, f), append(kept, copied)
		f.SetZero()
	})
	return func() {
		walkUntagged(root, tag, true, 0, reflect.Value.SetZero)
		for i, f := range places {
			f.Set(kept[i])
		}
	}
}

func hasUntagged(t reflect.Type, tag string) bool {
	key := untaggedKey{t, tag}
	if known, ok := untaggedTypes.Load(key); ok {
		return known.(bool)
	}
	found := findUntagged(t, tag, map[reflect.Type]bool{})
	untaggedTypes.Store(key, found)
	return found
}

func findUntagged(t reflect.Type, tag string, seen map[reflect.Type]bool) bool {
	if seen[t] || decodesItself(t) {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return findUntagged(t.Elem(), tag, seen)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			if heldOut(f, tag) || decoded(f) && findUntagged(f.Type, tag, seen) {
				return true
			}
		}
	}
	return false
}

func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(jsonType) || p.Implements(xmlType) || p.Implements(textType)
}

// codesItself reports types with methods that decide what JSON they have.
func codesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return decodesItself(t) || p.Implements(reflect.TypeFor[json.Marshaler]()) || p.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

// decoded reports whether a decoder reaches into f.
func decoded(f reflect.StructField) bool { return f.IsExported() || f.Anonymous }

// heldOut reports whether a decoder would fill f though it has no tag.
func heldOut(f reflect.StructField, tag string) bool {
	_, tagged := f.Tag.Lookup(tag)
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	promoted := f.Anonymous && t.Kind() == reflect.Struct
	return f.IsExported() && !tagged && !promoted
}

// walkUntagged visits the fields to hold out; deep: also those that pointers lead to, in
// slices and in maps.
func walkUntagged(v reflect.Value, tag string, deep bool, depth int, visit func(reflect.Value)) {
	if depth > maxHoldOutDepth || !hasUntagged(v.Type(), tag) {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		walkFields(v, tag, deep, depth, visit)
	case reflect.Pointer:
		if deep && !v.IsNil() {
			walkUntagged(v.Elem(), tag, deep, depth+1, visit)
		}
	case reflect.Slice, reflect.Array:
		for i := 0; deep && i < v.Len(); i++ {
			walkUntagged(v.Index(i), tag, deep, depth+1, visit)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if deep {
				item := reflect.New(v.Type().Elem()).Elem()
				item.Set(v.MapIndex(key))
				walkUntagged(item, tag, deep, depth+1, visit)
				v.SetMapIndex(key, item)
			}
		}
	}
}

func walkFields(v reflect.Value, tag string, deep bool, depth int, visit func(reflect.Value)) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		switch {
		case heldOut(f, tag):
			visit(v.Field(i))
		case decoded(f):
			walkUntagged(v.Field(i), tag, deep, depth+1, visit)
		}
	}
}
