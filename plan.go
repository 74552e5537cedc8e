package nextrush

import (
	"encoding"
	"errors"
	"fmt"
	"mime/multipart"
	"reflect"
	"strconv"
	"sync"
	"time"
)

// plan is what Bind has to know of a type.
type plan struct {
	has      map[string]bool // the sources that the type has tags of
	body     bool            // has one of json, xml and form
	outside  bool            // has one of the others
	untagged map[string]bool // the decoders, json or xml, that fields are to be held out of
	fields   []field         // those whose source is neither json nor xml
}

type field struct {
	source string
	name   string
	index  []int
	kind   reflect.Type
	file   bool
}

var plans sync.Map // reflect.Type to *plan

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := &plan{has: make(map[string]bool)}
	if t.Kind() == reflect.Struct {
		p.add(t, nil, map[reflect.Type]bool{})
	}
	p.untagged = map[string]bool{"json": hasUntagged(t, "json"), "xml": hasUntagged(t, "xml")}
	plans.Store(t, p)
	return p
}

// add plans the fields of a struct and of those embedded in it.
func (p *plan) add(t reflect.Type, at []int, above map[reflect.Type]bool) {
	if above[t] {
		return
	}
	above[t] = true
	defer delete(above, t)
	for i := range t.NumField() {
		f := t.Field(i)
		index := append(at[:len(at):len(at)], i)
		if inner := embedded(f); inner != nil {
			p.add(inner, index, above)
			continue
		}
		if f.IsExported() {
			p.addField(f, index)
		}
	}
}

// embedded is the struct that f embeds without naming a source, or nil. Only an
// exported one can be filled through a pointer.
func embedded(f reflect.StructField) reflect.Type {
	t := f.Type
	if t.Kind() == reflect.Pointer && f.IsExported() {
		t = t.Elem()
	}
	if !f.Anonymous || t.Kind() != reflect.Struct {
		return nil
	}
	for _, tag := range sources {
		if _, tagged := f.Tag.Lookup(tag); tagged {
			return nil
		}
	}
	return t
}

func (p *plan) addField(f reflect.StructField, index []int) {
	tagged := false
	for _, source := range sources {
		name, ok := tagName(f, source)
		if !ok {
			continue
		}
		tagged = true
		p.has[source] = true
		switch source {
		case "json", "xml":
			p.body = true
			continue
		case "form":
			p.body = true
		default:
			p.outside = true
		}
		file := f.Type == fileType || f.Type.Kind() == reflect.Slice && f.Type.Elem() == fileType
		p.fields = append(p.fields, field{source, name, index, f.Type, file && source == "form"})
	}
	if !tagged {
		refuseForeign(f)
	}
}

// refuseForeign panics where a field has but the tag that another framework has
// for path parameters: it would silently stay empty.
func refuseForeign(f reflect.StructField) {
	for _, tag := range []string{"param", "params", "uri"} {
		if name, ok := f.Tag.Lookup(tag); ok {
			panic(fmt.Sprintf("nextrush: Bind: the field %s has the tag %s:%q: write path:%[3]q", f.Name, tag, name))
		}
	}
}

// in is the field's place in a struct; embedded pointers on the way are made.
func (f *field) in(v reflect.Value) reflect.Value {
	for _, i := range f.index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v
}

var (
	fileType     = reflect.TypeFor[*multipart.FileHeader]()
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func setFiles(v reflect.Value, files []*multipart.FileHeader) {
	switch {
	case len(files) == 0:
	case v.Kind() == reflect.Slice:
		v.Set(reflect.ValueOf(files))
	default:
		v.Set(reflect.ValueOf(files[0]))
	}
}

var errKind = errors.New("nextrush: no text can be put in a field of this type")

// setValues puts all values in a slice, the first one in anything else.
func setValues(v reflect.Value, values []string) error {
	text := reflect.PointerTo(v.Type()).Implements(textType)
	if v.Kind() != reflect.Slice || text || v.Type().Elem().Kind() == reflect.Uint8 {
		return setText(v, values[0])
	}
	list := reflect.MakeSlice(v.Type(), len(values), len(values))
	for i, s := range values {
		if err := setText(list.Index(i), s); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

// setText parses s into v. Times are RFC 3339 or a date, durations Go's.
func setText(v reflect.Value, s string) error {
	switch {
	case v.Kind() == reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		if err := setText(p.Elem(), s); err != nil {
			return err
		}
		v.Set(p)
		return nil
	case v.Type() == timeType:
		return setTime(v, s)
	case v.Type() == durationType:
		d, err := time.ParseDuration(s)
		return set(err, func() { v.SetInt(int64(d)) })
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(s))
	}
	return setBasic(v, s)
}

func setTime(v reflect.Value, s string) error {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t, err = time.Parse(time.DateOnly, s)
	}
	return set(err, func() { v.Set(reflect.ValueOf(t)) })
}

func set(err error, f func()) error {
	if err == nil {
		f()
	}
	return err
}

func setBasic(v reflect.Value, s string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
		return nil
	case reflect.Bool:
		b, err := parseBool(s)
		return set(err, func() { v.SetBool(b) })
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(s, 10, v.Type().Bits())
		return set(err, func() { v.SetInt(n) })
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(s, 10, v.Type().Bits())
		return set(err, func() { v.SetUint(n) })
	case reflect.Float32, reflect.Float64:
		n, err := strconv.ParseFloat(s, v.Type().Bits())
		return set(err, func() { v.SetFloat(n) })
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(s))
			return nil
		}
	case reflect.Interface:
		if v.NumMethod() == 0 {
			v.Set(reflect.ValueOf(s))
			return nil
		}
	}
	return errKind
}

// parseBool takes what HTML forms send for a checked box as well.
func parseBool(s string) (bool, error) {
	if s == "on" {
		return true, nil
	}
	return strconv.ParseBool(s)
}

// kindName says to a client what a value should have been.
func kindName(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case timeType:
		return "a time"
	case durationType:
		return "a duration"
	}
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "an integer"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "an object"
	}
	return "a value of another type"
}
