package nextrush

import (
	"encoding"
	"math"
	"mime/multipart"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nextrush/nextrush/internal/fields"
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
	blank  bool // an empty text is a value
}

var plans sync.Map // reflect.Type to *plan

// planOf panics where no request could fill the type, and names the fix.
func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := &plan{has: make(map[string]bool)}
	mustFit(t)
	if t.Kind() == reflect.Struct {
		for _, f := range reflect.VisibleFields(t) {
			mustHaveSource(f)
		}
		for _, source := range fields.Sources {
			for _, f := range fields.Of(t, source) {
				if f.Tagged {
					p.add(source, f)
				}
			}
		}
	}
	p.untagged = map[string]bool{"json": hasUntagged(t, "json"), "xml": hasUntagged(t, "xml")}
	plans.Store(t, p)
	return p
}

func (p *plan) add(source string, f fields.Field) {
	p.has[source] = true
	if source == "json" || source == "xml" {
		p.body = true
		return
	}
	file := source == "form" && (f.Type == fileType || f.Type.Kind() == reflect.Slice && f.Type.Elem() == fileType)
	if !file {
		mustTakeText(source, f)
	}
	p.body = p.body || source == "form"
	p.outside = p.outside || source != "form"
	p.fields = append(p.fields, field{source, f.Key, f.Index, f.Type, file, isText(itemOf(f.Type))})
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

// sent are the values without those that are blank, where that is no value.
func (f *field) sent(values []string) []string {
	if f.blank || !slices.Contains(values, "") {
		return values
	}
	return slices.DeleteFunc(slices.Clone(values), func(s string) bool { return s == "" })
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

// setValues puts all values in a slice, the first one in anything else.
func setValues(v reflect.Value, values []string) error {
	switch {
	case !isList(v.Type()):
		return setText(v, values[0])
	case v.Kind() == reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		if err := setValues(p.Elem(), values); err != nil {
			return err
		}
		v.Set(p)
		return nil
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

// setText parses s into v, of a type that takes text. Durations are Go's.
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

// timeLayouts are those of times in a text. What has no zone is UTC: a date, and what
// browsers send for <input type="datetime-local">.
var timeLayouts = []string{time.RFC3339, time.DateOnly, "2006-01-02T15:04", "2006-01-02T15:04:05"}

func setTime(v reflect.Value, s string) (err error) {
	var t time.Time
	for _, layout := range timeLayouts {
		if t, err = time.Parse(layout, s); err == nil {
			break
		}
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
		n, err := parseFloat(s, v.Type().Bits())
		return set(err, func() { v.SetFloat(n) })
	case reflect.Slice:
		v.SetBytes([]byte(s))
	case reflect.Interface:
		v.Set(reflect.ValueOf(s))
	}
	return nil
}

// parseFloat takes numbers that JSON has (RFC 8259 §6): an answer could not hold
// another.
func parseFloat(s string, bits int) (float64, error) {
	n, err := strconv.ParseFloat(s, bits)
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, strconv.ErrRange
	}
	return n, err
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
	switch {
	case t == timeType:
		return "a time"
	case t == durationType:
		return "a duration"
	case parsesText(t):
		return "a valid value"
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
