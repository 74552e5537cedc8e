package bind

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/nextrush/nextrush/internal/fields"
)

// Forms and queries write what is within a value in brackets: address[zip]=1000,
// items[0][name]=pen, tags[]=new. Names are put in a tree first, as far as the type has
// places for them; then the tree fills the value. An index gives the order of items and
// no more, so a large one costs nothing.

// maxDepth is how many brackets a name may have, which matters for a type that is within
// itself.
const maxDepth = 20

// branch is what was sent for a value.
type branch struct {
	values []string
	inner  map[string]*branch
}

// mustNest panics if a value in brackets could not fill the type.
func mustNest(source Source, f fields.Field) {
	if !nests(source, f.Type, map[reflect.Type]bool{}) {
		panic(fmt.Sprintf("nextrush: Bind: the field %s takes no text, as a %s is: give %s a method UnmarshalText, or its fields the tag %[2]s",
			f.Name, source.Tag(), f.Type))
	}
}

func nests(source Source, t reflect.Type, above map[reflect.Type]bool) bool {
	t = pointedTo(t)
	if takesText(t) || above[t] {
		return true
	}
	above[t] = true
	switch t.Kind() {
	case reflect.Slice:
		return nests(source, t.Elem(), above)
	case reflect.Map:
		return t.Key().Kind() == reflect.String && nests(source, t.Elem(), above)
	case reflect.Struct:
		list := tagged(source, t)
		return len(list) > 0 && !slices.ContainsFunc(list, func(f fields.Field) bool { return !nests(source, f.Type, above) })
	}
	return false
}

type within struct {
	Source
	reflect.Type
}

var taggedFields sync.Map // within to []fields.Field

func tagged(source Source, t reflect.Type) []fields.Field {
	if known, ok := taggedFields.Load(within{source, t}); ok {
		return known.([]fields.Field)
	}
	list := slices.DeleteFunc(fields.Of(t, source.Tag()), func(f fields.Field) bool { return !f.Tagged })
	taggedFields.Store(within{source, t}, list)
	return list
}

// nest fills the fields of a form or query that names with brackets lead into, and lists
// whose names end with brackets.
func (t Target) nest(from Source, sent map[string][]string) (wrong []mismatch) {
	var roots map[string]*branch
	for name, values := range sent {
		head, keys, ok := brackets(name)
		if !ok {
			continue
		}
		f := t.nested(from, head)
		if f == nil {
			continue
		}
		if roots == nil {
			roots = map[string]*branch{}
		}
		if roots[head] == nil {
			roots[head] = &branch{values: sent[head]}
		}
		if !roots[head].grow(from, f.kind, keys, values) {
			wrong = append(wrong, mismatch{head, "nested less deeply"})
		}
	}
	for _, f := range t.fields {
		if b := roots[f.name]; b != nil && f.source == from {
			wrong = append(wrong, from.fill(f.in(t.value), b, f.name)...)
		}
	}
	return wrong
}

// brackets takes "items[0][name]" apart.
func brackets(name string) (head string, keys []string, ok bool) {
	inner, ok := strings.CutSuffix(name, "]")
	if !ok {
		return "", nil, false
	}
	head, inner, ok = strings.Cut(inner, "[")
	return head, strings.Split(inner, "]["), ok
}

// nested is the field of a source that may have brackets after its name, or nil.
func (p *Plan) nested(from Source, name string) *field {
	for i := range p.fields {
		if f := &p.fields[i]; f.source == from && f.name == name && !f.file && (f.nested || isList(f.kind)) {
			return f
		}
	}
	return nil
}

// grow adds what was sent under the keys, if a t has a place for it. It reports false if
// the keys are too many.
func (b *branch) grow(from Source, t reflect.Type, keys, values []string) bool {
	if len(keys) > maxDepth {
		return false
	}
	for _, key := range keys {
		t = pointedTo(t)
		switch {
		case takesText(t):
			return true
		case t.Kind() == reflect.Struct:
			list := tagged(from, t)
			i := slices.IndexFunc(list, func(f fields.Field) bool { return f.Key == key })
			if i < 0 {
				return true
			}
			t = list[i].Type
		default:
			t = t.Elem()
		}
		if b.inner == nil {
			b.inner = map[string]*branch{}
		}
		if b.inner[key] == nil {
			b.inner[key] = &branch{}
		}
		b = b.inner[key]
	}
	b.values = values
	return true
}

// fill puts a branch in a value; path is what the value is called in errors.
func (s Source) fill(v reflect.Value, b *branch, path string) []mismatch {
	t := v.Type()
	switch {
	case takesText(t):
		return fillText(v, b.values, path)
	case t.Kind() == reflect.Pointer:
		return s.fillPointer(v, b, path)
	case t.Kind() == reflect.Slice:
		return s.fillList(v, b, path)
	case t.Kind() == reflect.Map:
		return s.fillMap(v, b, path)
	}
	return s.fillStruct(v, b, path)
}

func (s Source) fillPointer(v reflect.Value, b *branch, path string) []mismatch {
	item := pointedTo(v.Type())
	if takesText(item) && !isText(item) && len(notBlank(b.values)) == 0 {
		return nil
	}
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
	}
	return s.fill(v.Elem(), b, path)
}

func fillText(v reflect.Value, values []string, path string) []mismatch {
	if !isText(v.Type()) {
		values = notBlank(values)
	}
	if len(values) == 0 {
		return nil
	}
	if err := setText(v, values[0]); err != nil {
		return []mismatch{{path, kindName(v.Type())}}
	}
	return nil
}

func (s Source) fillStruct(v reflect.Value, b *branch, path string) (wrong []mismatch) {
	for _, f := range tagged(s, v.Type()) {
		if inner := b.inner[f.Key]; inner != nil {
			place := field{index: f.Index}
			wrong = append(wrong, s.fill(place.in(v), inner, path+"."+f.Key)...)
		}
	}
	return wrong
}

func (s Source) fillMap(v reflect.Value, b *branch, path string) (wrong []mismatch) {
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for _, key := range slices.Sorted(maps.Keys(b.inner)) {
		item := reflect.New(v.Type().Elem()).Elem()
		wrong = append(wrong, s.fill(item, b.inner[key], path+"."+key)...)
		v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), item)
	}
	return wrong
}

// fillList takes the values under the name itself and under "[]", which are one item
// each, and then those with an index, in its order.
func (s Source) fillList(v reflect.Value, b *branch, path string) (wrong []mismatch) {
	var items []*branch
	plain := b.values
	if unnumbered := b.inner[""]; unnumbered != nil {
		plain = append(slices.Clip(plain), unnumbered.values...)
		if unnumbered.inner != nil {
			return []mismatch{{path, "a list with numbers in its brackets"}}
		}
	}
	if item := itemOf(v.Type()); !takesText(item) {
		plain = nil
	} else if !isText(item) {
		plain = notBlank(plain)
	}
	for _, text := range plain {
		items = append(items, &branch{values: []string{text}})
	}
	indexes, ok := b.indexes()
	if !ok {
		return []mismatch{{path, "a list"}}
	}
	for _, i := range indexes {
		items = append(items, b.inner[i])
	}
	if len(items) == 0 {
		return nil
	}
	list := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		wrong = append(wrong, s.fill(list.Index(i), item, path+"["+strconv.Itoa(i)+"]")...)
	}
	v.Set(list)
	return wrong
}

// indexes are the keys but "" in the order of their numbers; ok is false if one is no
// number.
func (b *branch) indexes() (keys []string, ok bool) {
	number := func(key string) int { n, _ := strconv.Atoi(key); return n }
	for key := range b.inner {
		if key == "" {
			continue
		}
		if _, err := strconv.ParseUint(key, 10, 31); err != nil {
			return nil, false
		}
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(x, y string) int {
		if n := number(x) - number(y); n != 0 {
			return n
		}
		return strings.Compare(x, y)
	})
	return keys, true
}
