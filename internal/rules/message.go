package rules

import (
	"reflect"
	"strings"
	"time"

	"github.com/go-playground/validator/v10"
)

// Message says in English what is wrong with a field of a t that a client calls name:
// "name is required", "age must be at least 18".
func Message(f validator.FieldError, name string, t reflect.Type) string {
	var said []string
	for alternative := range strings.SplitSeq(f.Tag(), "|") {
		rule, param, _ := strings.Cut(alternative, "=")
		if alternative == f.Tag() {
			rule, param = f.Tag(), f.Param()
		}
		text := sentence{f, rule, param, t}.String()
		if len(said) > 0 {
			text = strings.TrimPrefix(text, "must be ")
		}
		said = append(said, text)
	}
	return name + " " + strings.Join(said, " or ")
}

// sentence is what a rule asks of a field.
type sentence struct {
	f           validator.FieldError
	rule, param string
	of          reflect.Type // what has the field
}

var timeType = reflect.TypeFor[time.Time]()

func (s sentence) String() string {
	if bound, ok := bounds[s.rule]; ok {
		return s.bound(bound)
	}
	if n, ok := s.number(); ok && s.rule == "eq" {
		return "must have exactly " + n
	} else if ok && s.rule == "ne" {
		return "must not have " + n
	}
	text, ok := texts[strings.Replace(s.rule, "csfield", "field", 1)]
	switch {
	case !ok:
		return "does not satisfy the rule " + s.rule
	case strings.Contains(text, "%s"):
		return strings.Replace(text, "%s", s.operand(), 1)
	}
	return text
}

func (s sentence) bound(bound string) string {
	if at, ok := moments[s.rule]; ok && s.f.Type() == timeType {
		return at
	}
	if s.f.Kind() == reflect.String {
		return "must have " + bound + " " + plural(s.param, "character")
	}
	if n, ok := s.number(); ok {
		return "must have " + bound + " " + n
	}
	return "must be " + bound + " " + s.param
}

// number is of the items that rules count in lists and maps.
func (s sentence) number() (string, bool) {
	switch s.f.Kind() {
	case reflect.Slice, reflect.Map, reflect.Array:
		return plural(s.param, "item"), true
	}
	return "", false
}

func plural(n, what string) string {
	if n == "1" {
		return n + " " + what
	}
	return n + " " + what + "s"
}

// operand is the parameter of the rule as a client reads it.
func (s sentence) operand() string {
	words := Check{s.rule, s.param}.Values()
	switch kind := s.rule[strings.LastIndexByte(s.rule, '_')+1:]; {
	case strings.Contains(kind, "oneof"):
		return strings.Join(words, ", ")
	case strings.Contains(s.rule, "field"):
		return s.named(s.param)
	case kind == "if", kind == "unless":
		return s.conditions(words)
	case strings.HasPrefix(s.rule, "required_"), strings.HasPrefix(s.rule, "excluded_"):
		for i, w := range words {
			words[i] = s.named(w)
		}
		return strings.Join(words, conjunctions[s.rule[len("required_"):]])
	}
	return s.param
}

// conjunctions join the fields of rules such as required_with.
var conjunctions = map[string]string{"with": " or ", "with_all": " and ", "without": " or no ", "without_all": " and no "}

// conditions reads pairs of a field and a value.
func (s sentence) conditions(words []string) string {
	var all []string
	for i := 0; i+1 < len(words); i += 2 {
		all = append(all, s.named(words[i])+" is "+words[i+1])
	}
	return strings.Join(all, " and ")
}

// named is what a client calls a field beside this one, or one within it: "Address.Zip".
func (s sentence) named(goName string) string {
	t := s.of
	path := strings.Split(s.f.StructNamespace(), ".")
	if t.Name() != "" {
		path = path[1:]
	}
	var names []string
	beside := strings.Split(goName, ".")
	for _, step := range append(path[:len(path)-1], beside...) {
		step, _, _ = strings.Cut(step, "[")
		f, ok := structOf(t).FieldByName(step)
		if !ok {
			return goName
		}
		t = f.Type
		names = append(names, FieldName(f))
	}
	return strings.Join(names[len(names)-len(beside):], ".")
}

// structOf is the struct that a type holds, or an empty one.
func structOf(t reflect.Type) reflect.Type {
	for range 10 {
		switch t.Kind() {
		case reflect.Struct:
			return t
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			t = t.Elem()
		}
	}
	return reflect.TypeFor[struct{}]()
}
