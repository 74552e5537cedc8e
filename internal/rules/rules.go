// Package rules reads the validate tags of fields as the validator does.
package rules

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/go-playground/validator/v10"
)

// Tag is a validate tag, taken apart.
type Tag struct {
	Skip  bool // "-": the field is not validated, and what is in it neither
	Rules []Rule
	Keys  *Tag // of a map's keys; nil: none
	Items *Tag // of what "dive" leads to; nil: it is not validated
}

// Rule is what a comma separates: one check, or several of which one has to pass.
type Rule struct {
	Text   string
	Checks []Check
}

// Check is a rule by its name, with what follows the "=".
type Check struct{ Name, Param string }

var unescape = strings.NewReplacer("0x2C", ",", "0x7C", "|")

// Parse reads a tag.
func Parse(tag string) Tag {
	if tag == "-" {
		return Tag{Skip: true}
	}
	if tag == "" {
		return Tag{}
	}
	return parse(strings.Split(tag, ","))
}

func parse(parts []string) (t Tag) {
	for i, text := range parts {
		if text != "dive" {
			r := rule(text)
			t.Rules = append(t.Rules, r)
			if r.structural() { // what follows does not count
				return t
			}
			continue
		}
		rest := parts[i+1:]
		if len(rest) > 0 && rest[0] == "keys" {
			var keys Tag
			keys, rest = parseKeys(rest[1:])
			t.Keys = &keys
		}
		items := parse(rest)
		t.Items = &items
		return t
	}
	return t
}

// parseKeys reads up to "endkeys" and returns what follows.
func parseKeys(parts []string) (keys Tag, rest []string) {
	for i, text := range parts {
		if text == "endkeys" {
			return parse(parts[:i]), parts[i+1:]
		}
	}
	return parse(parts), nil
}

func rule(text string) Rule {
	r := Rule{Text: text}
	for alternative := range strings.SplitSeq(text, "|") {
		name, param, _ := strings.Cut(alternative, "=")
		r.Checks = append(r.Checks, Check{name, unescape.Replace(param)})
	}
	return r
}

// Values are those of oneof: separated by spaces, in single quotes if they have some.
func (c Check) Values() (values []string) {
	rest := strings.TrimSpace(c.Param)
	for rest != "" {
		var value string
		quoted, isQuoted := strings.CutPrefix(rest, "'")
		if end := strings.IndexByte(quoted, '\''); isQuoted && end >= 0 {
			value, rest = quoted[:end], quoted[end+1:]
		} else {
			end := strings.IndexAny(rest+" ", " \t\n\r\f")
			value, rest = strings.ReplaceAll(rest[:end], "'", ""), rest[end:]
		}
		values = append(values, value)
		rest = strings.TrimSpace(rest)
	}
	return values
}

// Omits reports whether the rule ends the checks of an empty value.
func (r Rule) Omits() bool {
	return r.Text == "omitempty" || r.Text == "omitzero" || r.Text == "omitnil"
}

// Structural reports rules that say how a struct is walked, not how it has to be.
func (r Rule) structural() bool { return r.Text == "structonly" || r.Text == "nostructlevel" }

// Opens reports whether the fields of a struct with this tag are validated.
func (t Tag) Opens() bool {
	for _, r := range t.Rules {
		if r.structural() {
			return false
		}
	}
	return !t.Skip
}

// CrossField reports whether the rule looks at other fields.
func (r Rule) CrossField() bool {
	for _, c := range r.Checks {
		for _, prefix := range []string{"required_", "excluded_", "skip_unless", "fieldcontains", "fieldexcludes"} {
			if strings.HasPrefix(c.Name, prefix) {
				return true
			}
		}
		if strings.HasSuffix(c.Name, "field") {
			return true
		}
	}
	return false
}

var check = validator.New(validator.WithRequiredStructEnabled())

// Accepts reports whether a field with the tag may have the value, as far as that
// does not depend on other fields. Rules that are not the validator's own count as
// kept.
func (t Tag) Accepts(v reflect.Value) bool {
	if t.Skip {
		return true
	}
	omit := ""
	for _, r := range t.Rules {
		switch {
		case r.Omits():
			omit += r.Text + ","
		case !r.CrossField() && !Holds(v, omit+r.Text):
			return false
		}
	}
	if t.Items != nil && !t.acceptsItems(v, omit) {
		return false
	}
	return !t.Opens() || accepts(v, strings.TrimSuffix(omit, ","))
}

// acceptsItems asks of those of an array, which are there even if it is empty.
func (t Tag) acceptsItems(v reflect.Value, omit string) bool {
	if !Holds(v, omit+"dive") {
		return false
	}
	for i := 0; v.Kind() == reflect.Array && i < v.Len(); i++ {
		if !(omit != "" && v.IsZero()) && !t.Items.Accepts(v.Index(i)) {
			return false
		}
	}
	return true
}

// accepts asks of the fields in a value; one by one if a rule of the program's own
// is among them.
func accepts(v reflect.Value, omit string) bool {
	holds, known := ask(v, omit)
	if known || omit != "" && v.IsZero() {
		return holds
	}
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	for i := 0; v.Kind() == reflect.Struct && i < v.NumField(); i++ {
		if f := v.Type().Field(i); f.IsExported() && !Parse(f.Tag.Get("validate")).Accepts(v.Field(i)) {
			return false
		}
	}
	return true
}

// Holds reports whether the validator accepts a field that has the value and rules.
func Holds(v reflect.Value, rules string) bool {
	holds, _ := ask(v, rules)
	return holds
}

// ask does not know rules of the program's own, and those that are not for the type.
func ask(v reflect.Value, rules string) (holds, known bool) {
	defer func() {
		if recover() != nil {
			holds, known = true, false
		}
	}()
	return check.Struct(holder(v, rules)) == nil, true
}

// holder is a struct with one field that has the value and rules.
func holder(v reflect.Value, rules string) any {
	tag := reflect.StructTag("validate:" + strconv.Quote(rules))
	s := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "X", Type: v.Type(), Tag: tag}}))
	s.Elem().Field(0).Set(v)
	return s.Interface()
}
