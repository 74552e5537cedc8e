package bind

import (
	"encoding"
	"math"
	"reflect"
	"strconv"
	"time"
)

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// setTexts puts all values in a slice, the first one in anything else.
func setTexts(v reflect.Value, values []string) error {
	switch {
	case !isList(v.Type()):
		return setText(v, values[0])
	case v.Kind() == reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		if err := setTexts(p.Elem(), values); err != nil {
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
		return setDuration(v, s)
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
	for _, layout := range timeLayouts {
		var t time.Time
		if t, err = time.Parse(layout, s); err == nil {
			v.Set(reflect.ValueOf(t))
			return nil
		}
	}
	return err
}

func setDuration(v reflect.Value, s string) error {
	d, err := time.ParseDuration(s)
	if err != nil {
		return err
	}
	v.SetInt(int64(d))
	return nil
}

func setBasic(v reflect.Value, s string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		b, err := parseBool(s)
		if err != nil {
			return err
		}
		v.SetBool(b)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(s, 10, v.Type().Bits())
		if err != nil {
			return err
		}
		v.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		n, err := strconv.ParseUint(s, 10, v.Type().Bits())
		if err != nil {
			return err
		}
		v.SetUint(n)
	case reflect.Float32, reflect.Float64:
		n, err := parseFloat(s, v.Type().Bits())
		if err != nil {
			return err
		}
		v.SetFloat(n)
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
