package asyncapi

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// types gives the structs that messages are made of their names.
type types struct {
	names map[reflect.Type]string
	order []reflect.Type
}

func newTypes() *types { return &types{names: map[reflect.Type]string{}} }

var (
	timeType      = reflect.TypeFor[time.Time]()
	rawType       = reflect.TypeFor[json.RawMessage]()
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// isStruct reports whether JSON shows t as an object with the fields of t.
func isStruct(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != timeType && !opaque(t) && !textual(t)
}

// opaque types may be anything in JSON.
func opaque(t reflect.Type) bool {
	return t == rawType || t != timeType && (t.Implements(jsonMarshaler) || reflect.PointerTo(t).Implements(jsonMarshaler))
}

func textual(t reflect.Type) bool {
	return t == timeType || t.Implements(textMarshaler) || reflect.PointerTo(t).Implements(textMarshaler)
}

// name registers a struct. Two of one name are told apart by a number.
func (ts *types) name(t reflect.Type) string {
	if name, ok := ts.names[t]; ok {
		return name
	}
	base := t.Name()
	if i := strings.IndexByte(base, '['); i >= 0 {
		base = base[:i]
	}
	if base == "" {
		base = "Data"
	}
	base = strings.ToUpper(base[:1]) + base[1:]
	name := base
	for n := 2; ts.taken(name); n++ {
		name = base + strconv.Itoa(n)
	}
	ts.names[t] = name
	ts.order = append(ts.order, t)
	return name
}

func (ts *types) taken(name string) bool {
	for _, n := range ts.names {
		if n == name {
			return true
		}
	}
	return false
}

// property is a field as JSON has it.
type property struct {
	name     string
	optional bool
	t        reflect.Type
	rules    map[string]string // of the validate tag
}

// properties are the fields of a struct and of those embedded in it.
func properties(t reflect.Type) (all []property) {
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || f.Tag.Get("json") == "-" || f.Anonymous && name == "" && isStruct(deref(f.Type)) {
			continue
		}
		if len(f.Index) > 1 && hidden(t, f.Index) {
			continue
		}
		if name == "" {
			name = f.Name
		}
		rules := rulesOf(f.Tag.Get("validate"))
		_, required := rules["required"]
		omitted := slices.ContainsFunc(strings.Split(options, ","), func(o string) bool { return o == "omitempty" || o == "omitzero" })
		all = append(all, property{name, omitted && !required, f.Type, rules})
	}
	return all
}

// hidden reports whether a promoted field is inside one that has a name in JSON.
func hidden(t reflect.Type, index []int) bool {
	for i := 1; i < len(index); i++ {
		outer := t.FieldByIndex(index[:i])
		if name, _, _ := strings.Cut(outer.Tag.Get("json"), ","); name != "" {
			return true
		}
	}
	return false
}

func deref(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

func rulesOf(tag string) map[string]string {
	rules := map[string]string{}
	own, _, _ := strings.Cut(tag, ",dive")
	for rule := range strings.SplitSeq(own, ",") {
		name, param, _ := strings.Cut(rule, "=")
		rules[name] = param
	}
	return rules
}

// schemas are those of all structs, those that only others mention among them.
func (ts *types) schemas() object {
	all := object{}
	for i := 0; i < len(ts.order); i++ { // properties may name more
		t := ts.order[i]
		fields, required := object{}, []string{}
		for _, p := range properties(t) {
			fields[p.name] = limited(ts.schema(p.t), p)
			if !p.optional {
				required = append(required, p.name)
			}
		}
		schema := object{"type": "object", "properties": fields}
		if len(required) > 0 {
			schema["required"] = required
		}
		all[ts.names[t]] = schema
	}
	return all
}

func (ts *types) schema(t reflect.Type) object {
	switch {
	case opaque(t):
		return object{}
	case t == timeType:
		return object{"type": "string", "format": "date-time"}
	case textual(t):
		return object{"type": "string"}
	case isStruct(t):
		return ref("components", "schemas", ts.name(t))
	}
	switch t.Kind() {
	case reflect.Pointer:
		return object{"anyOf": []any{ts.schema(t.Elem()), object{"type": "null"}}}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && t.Kind() == reflect.Slice {
			return object{"type": "string", "contentEncoding": "base64"}
		}
		return object{"type": "array", "items": ts.schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": ts.schema(t.Elem())}
	case reflect.Interface:
		return object{}
	}
	return object{"type": "integer"}
}

// limited adds the rules that JSON Schema has a word for.
func limited(schema object, p property) object {
	least, most := "minimum", "maximum"
	switch schema["type"] {
	case "string":
		least, most = "minLength", "maxLength"
	case "array":
		least, most = "minItems", "maxItems"
	case "integer", "number":
	default:
		return schema
	}
	for rule, keys := range map[string][]string{"min": {least}, "gte": {least}, "max": {most}, "lte": {most}, "len": {least, most}} {
		n, err := strconv.ParseFloat(p.rules[rule], 64)
		if err != nil {
			continue
		}
		for _, key := range keys {
			schema[key] = n
		}
	}
	for rule, format := range map[string]string{"email": "email", "url": "uri", "uuid": "uuid"} {
		if _, ok := p.rules[rule]; ok {
			schema["format"] = format
		}
	}
	if values := strings.Fields(p.rules["oneof"]); len(values) > 0 && schema["type"] == "string" {
		schema["enum"] = values
	}
	return schema
}
