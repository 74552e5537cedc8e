package jsonschema

import (
	"encoding"
	"encoding/json"
	"math"
	"mime/multipart"
	"reflect"
	"time"

	"github.com/nextrush/nextrush/internal/fields"
)

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	fileType     = reflect.TypeFor[multipart.FileHeader]()
	numberType   = reflect.TypeFor[json.Number]()
)

// opaque is the schema of types that do not show what they are made of; nil for
// others.
func opaque(t reflect.Type, m Mode) Schema {
	switch t {
	case timeType:
		return Schema{"type": "string", "format": "date-time"}
	case fileType:
		return Schema{"type": "string", "contentMediaType": "application/octet-stream"}
	case numberType:
		return Schema{"type": "number"}
	case durationType:
		if m.text() {
			return Schema{"type": "string"}
		}
		return nil
	}
	switch {
	case t.Kind() == reflect.Interface:
		return Schema{}
	case m.text():
		if has[encoding.TextUnmarshaler](t) || has[encoding.TextMarshaler](t) {
			return Schema{"type": "string"}
		}
	case m.Input && has[json.Unmarshaler](t), !m.Input && has[json.Marshaler](t):
		return Schema{}
	case m.Input && has[encoding.TextUnmarshaler](t), writesText(t) && !m.Input:
		return Schema{"type": "string"}
	}
	return nil
}

func has[T any](t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[T]()) || reflect.PointerTo(t).Implements(reflect.TypeFor[T]())
}

func writesText(t reflect.Type) bool { return has[encoding.TextMarshaler](t) }

// isBytes reports slices that encoding/json writes in base64.
func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 &&
		!has[json.Marshaler](t.Elem()) && !has[encoding.TextMarshaler](t.Elem())
}

func base64(m Mode) Schema {
	s := Schema{"type": "string"}
	if !m.text() {
		s["contentEncoding"] = "base64"
	}
	return s
}

// basic are numbers in the bounds of their type, strings and booleans. Bounds of 64
// bits are left out: most readers of JSON could not tell them from those next to them.
func basic(t reflect.Type) Schema {
	switch k := t.Kind(); {
	case k == reflect.String:
		return Schema{"type": "string"}
	case k == reflect.Bool:
		return Schema{"type": "boolean"}
	case isInt(t):
		s := Schema{"type": "integer"}
		if bits := t.Bits(); bits < 64 {
			s["minimum"], s["maximum"] = -math.Ldexp(1, bits-1), math.Ldexp(1, bits-1)-1
		}
		return s
	case isUint(t):
		s := Schema{"type": "integer", "minimum": 0.0}
		if bits := t.Bits(); bits < 64 {
			s["maximum"] = math.Ldexp(1, bits) - 1
		}
		return s
	case k == reflect.Float32, k == reflect.Float64:
		return Schema{"type": "number"}
	}
	return Schema{}
}

func isInt(t reflect.Type) bool  { return t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64 }
func isUint(t reflect.Type) bool { return t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uintptr }

func isFloat(t reflect.Type) bool {
	return t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64
}

// quoted is the schema of a field that encoding/json puts in a string, by the
// option "string"; nil for others.
func quoted(f fields.Field, m Mode) Schema {
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if m.text() || !f.Has("string") || opaque(t, m) != nil {
		return nil
	}
	switch {
	case isInt(t):
		return Schema{"type": "string", "pattern": "^-?[0-9]+$"}
	case isUint(t):
		return Schema{"type": "string", "pattern": "^[0-9]+$"}
	case isFloat(t):
		return Schema{"type": "string", "pattern": `^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$`}
	case t.Kind() == reflect.Bool:
		return Schema{"type": "string", "enum": []any{"true", "false"}}
	case t.Kind() == reflect.String:
		return Schema{"type": "string", "pattern": `^".*"$`}
	}
	return nil
}
