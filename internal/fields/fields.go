// Package fields finds the fields of a struct by the names that they have outside,
// as encoding/json does: through embedded structs, where the shallowest of a name
// hides the others.
package fields

import (
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// Sources are the tags that name where a field comes from.
var Sources = []string{"json", "form", "query", "path", "header", "cookie", "xml"}

// Fault is what is wrong with one field, as the client is told.
type Fault struct{ Field, Rule, Param, Message string }

// Field is a field with its name outside. Its Index leads there from the struct
// that was asked for.
type Field struct {
	reflect.StructField
	Key    string
	Tagged bool // has the tag
	Behind bool // is behind an embedded pointer, which may be nil

	named   bool // by the tag
	options string
}

// Has reports whether the tag has an option, such as "omitempty".
func (f Field) Has(option string) bool {
	return slices.Contains(strings.Split(f.options, ","), option)
}

// Omitted reports whether the field is left out of an output if it is empty.
func (f Field) Omitted() bool { return f.Has("omitempty") || f.Has("omitzero") }

// Key is the name of a field in a tag, the field's own if the tag leaves it out;
// ok is false if the field does not have the tag, or is excluded by it.
func Key(f reflect.StructField, tag string) (key string, ok bool) {
	value, tagged := f.Tag.Lookup(tag)
	name, _ := parse(value, tag)
	if name == "" {
		name = f.Name
	}
	return name, tagged && value != "-"
}

func parse(value, tag string) (name, options string) {
	name, options, _ = strings.Cut(value, ",")
	if tag == "json" && !isName(name) {
		name = ""
	}
	return name, options
}

// isName reports whether encoding/json takes the name of a tag.
func isName(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r)
	})
}

// level is a struct to look into.
type level struct {
	t      reflect.Type
	index  []int
	behind bool
}

// Of lists the fields of t in their order. For "json" and "xml" those without the
// tag are among them, by their Go names; for other tags, those that have it alone. Of
// several with one name the shallowest counts; of several at its depth none, but of
// other tags those that stand in one struct.
func Of(t reflect.Type, tag string) []Field {
	var all []Field
	seen := map[reflect.Type]bool{}
	count := map[reflect.Type]int{t: 1}
	for next := []level{{t: t}}; len(next) > 0; {
		here, times := next, count
		next, count = nil, map[reflect.Type]int{}
		for _, l := range here {
			if seen[l.t] {
				continue
			}
			seen[l.t] = true
			found, inner := l.look(tag)
			for range min(times[l.t], 2) { // the same struct twice hides itself
				all = append(all, found...)
			}
			for _, in := range inner {
				if count[in.t]++; count[in.t] == 1 {
					next = append(next, in)
				}
			}
		}
	}
	return dominant(all, isBody(tag))
}

// isBody reports whether a decoder of the standard library reads the tag.
func isBody(tag string) bool { return tag == "json" || tag == "xml" }

// look lists the fields of one struct, and the structs that it embeds.
func (l level) look(tag string) (found []Field, inner []level) {
	for i := range l.t.NumField() {
		f := l.t.Field(i)
		base, pointer := f.Type, f.Type.Kind() == reflect.Pointer
		if pointer {
			base = base.Elem()
		}
		embeds := f.Anonymous && base.Kind() == reflect.Struct
		value, tagged := f.Tag.Lookup(tag)
		if value == "-" || !f.IsExported() && !embeds {
			continue
		}
		name, options := parse(value, tag)
		f.Index = append(l.index[:len(l.index):len(l.index)], i)
		switch {
		case embeds && name == "" && (isBody(tag) || !Named(f)):
			inner = append(inner, level{base, f.Index, l.behind || pointer})
		case isBody(tag) || tagged && f.IsExported():
			key, _ := Key(f, tag)
			found = append(found, Field{f, key, tagged, l.behind, name != "", options})
		}
	}
	return found, inner
}

// Named reports whether a tag names a source for the field.
func Named(f reflect.StructField) bool {
	return slices.ContainsFunc(Sources, func(tag string) bool {
		name, _, _ := strings.Cut(f.Tag.Get(tag), ",")
		return name != "" && name != "-"
	})
}

// dominant leaves of each name the field that hides the others.
func dominant(all []Field, body bool) (visible []Field) {
	byKey := map[string][]Field{}
	for _, f := range all {
		byKey[f.Key] = append(byKey[f.Key], f)
	}
	for _, same := range byKey {
		best := slices.MinFunc(same, rank)
		same = slices.DeleteFunc(same, func(f Field) bool { return rank(f, best) != 0 })
		if len(same) == 1 || !body && siblings(same) {
			visible = append(visible, same...)
		}
	}
	slices.SortFunc(visible, func(a, b Field) int { return slices.Compare(a.Index, b.Index) })
	return visible
}

// rank compares fields of one name: the shallower goes first, then the one that a
// tag names.
func rank(a, b Field) int {
	if n := len(a.Index) - len(b.Index); n != 0 {
		return n
	}
	switch {
	case a.named == b.named:
		return 0
	case a.named:
		return -1
	}
	return 1
}

// siblings reports whether the fields are different ones of one struct.
func siblings(list []Field) bool {
	first := list[0].Index
	for i, f := range list[1:] {
		last := len(f.Index) - 1
		if !slices.Equal(f.Index[:last], first[:last]) || slices.Equal(f.Index, list[i].Index) {
			return false
		}
	}
	return true
}
