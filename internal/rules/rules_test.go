package rules

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

func TestParseReadsTheValidatorsGrammar(t *testing.T) {
	for _, tt := range []struct {
		tag   string
		names []string // of the checks of the field itself
		items []string
	}{
		{"", nil, nil},
		{"required,min=3", []string{"required", "min=3"}, nil},
		{"oneof=a0x2Cb c|hexcolor,max=1", []string{"oneof=a,b c", "hexcolor", "max=1"}, nil},
		{"eq=a0x7Cb", []string{"eq=a|b"}, nil},
		{"max=2,dive,min=1,dive,min=9", []string{"max=2"}, []string{"min=1"}},
		{"dive,keys,len=2,endkeys,max=5", nil, []string{"max=5"}},
		{"dive", nil, nil},
	} {
		parsed := Parse(tt.tag)
		var items []string
		if parsed.Items != nil {
			items = checks(*parsed.Items)
		}
		if got := checks(parsed); !slices.Equal(got, tt.names) || !slices.Equal(items, tt.items) {
			t.Errorf("%q: %q, items %q", tt.tag, got, items)
		}
	}
	if keys := Parse("dive,keys,len=2,endkeys,max=5").Keys; keys == nil || !slices.Equal(checks(*keys), []string{"len=2"}) {
		t.Errorf("keys %+v", keys)
	}
}

func checks(t Tag) (list []string) {
	for _, r := range t.Rules {
		for _, c := range r.Checks {
			text := c.Name
			if c.Param != "" {
				text += "=" + c.Param
			}
			list = append(list, text)
		}
	}
	return list
}

func TestValuesMayHaveSpacesInQuotes(t *testing.T) {
	for param, want := range map[string][]string{
		"red green":          {"red", "green"},
		"'red green' blue":   {"red green", "blue"},
		" a  'b c''d' e'f '": {"a", "b c", "d", "ef", ""},
		"'open":              {"open"},
		"":                   nil,
	} {
		if got := (Check{"oneof", param}).Values(); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", param, got, want)
		}
	}
}

func TestAcceptsAsksTheValidator(t *testing.T) {
	type inner struct {
		Zip string `validate:"required"`
	}
	type own struct {
		Zip string `validate:"required,unknown"`
	}
	one := 1
	for _, tt := range []struct {
		tag   string
		value any
		want  bool
	}{
		{"", 0, true},
		{"gte=1450", 0, false},
		{"omitempty,gte=1450", 0, true},
		{"omitempty,required", 0, true},
		{"required,omitempty", 0, false},
		{"max=3", (*int)(nil), false},
		{"omitnil,max=3", (*int)(nil), true},
		{"omitempty,min=3", new(int), false},
		{"max=3", &one, true},
		{"omitempty,email", "", true},
		{"email", "", false},
		{"required_if=B 1", "", true},
		{"required_if=B 1,min=2", "", false},
		{"eqfield=B,max=2", 1, true},
		{"", inner{}, false},
		{"-", inner{}, true},
		{"structonly", inner{}, true},
		{"omitempty", inner{}, true},
		{"required", []int(nil), false},
		{"required", []int{}, true},
		{"unknown,required", "", false},
		{"", own{}, false},
		{"", &own{Zip: "x"}, true},
		{"omitempty", own{}, true},
		{"max=1", true, true},
		{"required", time.Time{}, false},
	} {
		if got := Parse(tt.tag).Accepts(reflect.ValueOf(tt.value)); got != tt.want {
			t.Errorf("%q with %#v: %v", tt.tag, tt.value, got)
		}
	}
}
