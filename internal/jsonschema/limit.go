package jsonschema

import (
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/nextrush/nextrush/internal/rules"
)

// limit puts the rules of a tag into the schema of a type. Those that JSON Schema
// has no word for are left out. Of an empty value the validator is asked, for there
// a rule may end (omitempty) that holds elsewhere; an output may omit it.
func limit(s Schema, t reflect.Type, tag rules.Tag, m Mode, omitted bool) Schema {
	base := deref(t)
	if base.Kind() == reflect.Struct {
		return limitStruct(s, t, tag, m)
	}
	empty := reflect.Value{}
	if zeroOf(base) != nil && (m.Input || !omitted || t != base) {
		empty = emptyAt(t)
	}
	limits, takesEmpty := []Schema{}, true
	for _, r := range tag.Rules {
		if r.Omits() || r.CrossField() {
			continue
		}
		if c := condition(base, r, m); c != nil {
			limits = append(limits, c)
			takesEmpty = takesEmpty && (!empty.IsValid() || rules.Holds(empty, r.Text))
		}
	}
	if empty.IsValid() && takesEmpty != tag.Accepts(empty) {
		limits = correctEmpty(limits, base, m, takesEmpty)
	}
	if base.Kind() == reflect.Map && tag.Keys != nil {
		limits = append(limits, Schema{"propertyNames": limit(Schema{}, base.Key(), *tag.Keys, m, false)})
	}
	return merge(s, limits)
}

// limitStruct is for the rules of the struct itself; its fields have theirs.
func limitStruct(s Schema, t reflect.Type, tag rules.Tag, m Mode) Schema {
	empty := emptyAt(t)
	accepted, byFields := tag.Accepts(empty), !tag.Opens() || rules.Tag{}.Accepts(empty)
	switch {
	case !m.Input || accepted == byFields:
		return s
	case accepted:
		return Schema{"anyOf": []any{s, Schema{"type": "object", "maxProperties": 0.0}}}
	}
	return beside(s, "minProperties", 1.0)
}

// correctEmpty makes limits that take the empty value refuse it, and the other way
// round.
func correctEmpty(limits []Schema, t reflect.Type, m Mode, takes bool) []Schema {
	if takes {
		if !m.Input { // "required" is for what comes in
			return limits
		}
		return append(limits, notEmpty(t))
	}
	merged, zero := merge(Schema{}, limits), zeroOf(t)
	if values, ok := merged["enum"].([]any); ok && len(merged) == 1 {
		return []Schema{{"enum": append(values, zero)}}
	}
	return []Schema{{"anyOf": []any{Schema{"const": zero}, merged}}}
}

func notEmpty(t reflect.Type) Schema {
	switch {
	case t.Kind() == reflect.Bool:
		return Schema{"const": true}
	case isUint(t):
		return Schema{"minimum": 1.0}
	case isInt(t), isFloat(t):
		return Schema{"not": Schema{"const": 0}}
	case t.Kind() == reflect.Map:
		return Schema{"minProperties": 1.0}
	case t.Kind() == reflect.String || isBytes(t):
		return Schema{"minLength": 1.0}
	}
	return Schema{"minItems": 1.0}
}

// emptyAt is the empty value of what t points to, at t. It is not nil.
func emptyAt(t reflect.Type) reflect.Value {
	switch t.Kind() {
	case reflect.Pointer:
		p := reflect.New(t.Elem())
		p.Elem().Set(emptyAt(t.Elem()))
		return p
	case reflect.Slice:
		return reflect.MakeSlice(t, 0, 0)
	case reflect.Map:
		return reflect.MakeMap(t)
	}
	return reflect.Zero(t)
}

// zeroOf is the empty value in JSON; nil for types that have none.
func zeroOf(t reflect.Type) any {
	switch {
	case t.Kind() == reflect.String || isBytes(t):
		return ""
	case t.Kind() == reflect.Bool:
		return false
	case isInt(t), isUint(t), isFloat(t):
		return 0
	case t.Kind() == reflect.Slice:
		return []any{}
	case t.Kind() == reflect.Map:
		return Schema{}
	}
	return nil
}

var lower, upper = []string{"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"},
	[]string{"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}

// merge adds conditions to s: of two bounds the tighter one, of other words that are
// there already a part of their own.
func merge(s Schema, conditions []Schema) Schema {
	for _, c := range conditions {
		for word, value := range c {
			has := s[word]
			old, isNumber := has.(float64)
			n, _ := value.(float64)
			switch {
			case has == nil && s["$ref"] != nil:
				s = beside(s, word, value)
			case has == nil:
				s[word] = value
			case isNumber && slices.Contains(lower, word):
				s[word] = max(old, n)
			case isNumber && slices.Contains(upper, word):
				s[word] = min(old, n)
			default:
				all, _ := s["allOf"].([]any)
				s["allOf"] = append(all, Schema{word: value})
			}
		}
	}
	return s
}

// condition is a rule in JSON Schema; nil if that has no word for it.
func condition(t reflect.Type, r rules.Rule, m Mode) Schema {
	if len(r.Checks) == 1 {
		return check(t, r.Checks[0], m)
	}
	var any []any
	for _, c := range r.Checks {
		s := check(t, c, m)
		if s == nil {
			return nil
		}
		any = append(any, s)
	}
	return Schema{"anyOf": any}
}

var formats = map[string]string{
	"email": "email", "url": "uri", "http_url": "uri", "https_url": "uri", "uri": "uri", "ipv4": "ipv4", "ipv6": "ipv6",
	"uuid": "uuid", "uuid3": "uuid", "uuid4": "uuid", "uuid5": "uuid", "uuid7": "uuid",
	"hostname": "hostname", "hostname_rfc1123": "hostname",
}

var layouts = map[string]string{time.DateOnly: "date", time.RFC3339: "date-time"}

var patterns = map[string]string{
	"alpha": "^[a-zA-Z]+$", "alphanum": "^[a-zA-Z0-9]+$", "number": "^[0-9]+$",
	"numeric": `^[-+]?[0-9]+(\.[0-9]+)?$`, "hexadecimal": "^(0[xX])?[0-9a-fA-F]+$",
}

func check(t reflect.Type, c rules.Check, m Mode) Schema {
	if t.Kind() == reflect.String {
		if s := ofText(c); s != nil {
			return s
		}
	}
	switch c.Name {
	case "oneof":
		if t.Kind() == reflect.String || isInt(t) || isUint(t) {
			return enum(t, c)
		}
	case "unique":
		if isList(t) && c.Param == "" {
			return Schema{"uniqueItems": true}
		}
	case "eq", "ne":
		return equal(t, c, m)
	case "min", "gte", "max", "lte", "gt", "lt", "len":
		return bound(t, c, m)
	}
	return nil
}

// ofText are the rules for strings alone.
func ofText(c rules.Check) Schema {
	quote := regexp.QuoteMeta(c.Param)
	switch c.Name {
	case "ip":
		return Schema{"anyOf": []any{Schema{"format": "ipv4"}, Schema{"format": "ipv6"}}}
	case "datetime":
		if layouts[c.Param] != "" {
			return Schema{"format": layouts[c.Param]}
		}
	case "startswith":
		return Schema{"pattern": "^" + quote}
	case "endswith":
		return Schema{"pattern": quote + "$"}
	case "contains":
		return Schema{"pattern": quote}
	}
	if pattern := patterns[c.Name]; pattern != "" {
		return Schema{"pattern": pattern}
	}
	if format := formats[c.Name]; format != "" {
		return Schema{"format": format}
	}
	return nil
}

// enum lists the values of oneof, which compares numbers as texts.
func enum(t reflect.Type, c rules.Check) Schema {
	values := []any{}
	for _, text := range c.Values() {
		if t.Kind() == reflect.String {
			values = append(values, text)
		} else if n, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(n, 10) == text {
			values = append(values, n)
		}
	}
	return Schema{"enum": values}
}

func equal(t reflect.Type, c rules.Check, m Mode) Schema {
	var value any
	switch {
	case t.Kind() == reflect.String:
		value = c.Param
	case t.Kind() == reflect.Bool:
		value = c.Param == "true"
	case isInt(t), isUint(t), isFloat(t):
		n, ok := number(t, c.Param)
		if !ok {
			return nil
		}
		value = n
	default:
		s := bound(t, rules.Check{Name: "len", Param: c.Param}, m)
		if c.Name == "ne" && s != nil {
			return Schema{"not": s}
		}
		return s
	}
	if c.Name == "ne" {
		return Schema{"not": Schema{"const": value}}
	}
	return Schema{"const": value}
}

// number reads a rule's parameter as the validator does.
func number(t reflect.Type, param string) (n float64, ok bool) {
	if t == durationType {
		if d, err := time.ParseDuration(param); err == nil {
			return float64(d), true
		}
	}
	if isFloat(t) {
		n, err := strconv.ParseFloat(param, 64)
		return n, err == nil
	}
	whole, err := strconv.ParseInt(param, 0, 64)
	return float64(whole), err == nil
}

// bound limits a number, or the count of characters, items or members.
func bound(t reflect.Type, c rules.Check, m Mode) Schema {
	n, ok := number(t, c.Param)
	switch {
	case !ok:
		return nil
	case isInt(t), isUint(t), isFloat(t):
		return map[string]Schema{
			"min": {"minimum": n}, "gte": {"minimum": n}, "max": {"maximum": n}, "lte": {"maximum": n},
			"gt": {"exclusiveMinimum": n}, "lt": {"exclusiveMaximum": n}, "len": {"const": n},
		}[c.Name]
	case isBytes(t):
		if m.text() {
			return nil
		}
		return count("Length", c.Name, n, func(n float64) float64 { return 4 * math.Ceil(n/3) })
	case t.Kind() == reflect.String:
		return count("Length", c.Name, n, nil)
	case t.Kind() == reflect.Slice, t.Kind() == reflect.Array && !m.Input: // what comes in fills an array up
		return count("Items", c.Name, n, nil)
	case t.Kind() == reflect.Map:
		return count("Properties", c.Name, n, nil)
	}
	return nil
}

// count limits how many there are; scale turns what the validator counts into what
// is written.
func count(what, rule string, n float64, scale func(float64) float64) Schema {
	switch rule {
	case "gt":
		n++
	case "lt":
		n--
	}
	if n < 0 {
		return nil
	}
	if scale != nil {
		n = scale(n)
	}
	s := Schema{}
	if rule != "max" && rule != "lte" && rule != "lt" {
		s["min"+what] = n
	}
	if rule != "min" && rule != "gte" && rule != "gt" {
		s["max"+what] = n
	}
	return s
}
