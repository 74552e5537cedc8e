package rules

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/go-playground/validator/v10"

	"github.com/nextrush/nextrush/internal/fields"
)

type item struct {
	Name string `json:"name" validate:"required"`
}

func checker() Checker {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(FieldName)
	return Checker{Validator: v}
}

func TestCheckNamesTheFieldsOfStructsAndOfListsOfThem(t *testing.T) {
	wrong := func(field string) []fields.Fault {
		return []fields.Fault{{Field: field, Rule: "required", Message: field + " is required"}}
	}
	for _, tt := range []struct {
		v    any
		want []fields.Fault
	}{
		{item{"a"}, nil},
		{&item{}, wrong("name")},
		{[]item{{"a"}, {}}, wrong("[1].name")},
		{&[]*item{nil, {}}, wrong("[1].name")},
		{[]string{""}, nil},
		{"", nil},
		{(*item)(nil), nil},
		{nil, nil},
	} {
		if got, err := checker().Check(tt.v); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%#v: %+v, %v", tt.v, got, err)
		}
	}
}

func TestMessagesOfTheProgramComeFirst(t *testing.T) {
	c := checker()
	for said, want := range map[string]string{"Name fehlt": "Name fehlt", "": "name is required"} {
		c.Message = func(validator.FieldError) string { return said }
		if wrong, _ := c.Check(item{}); wrong[0].Message != want {
			t.Errorf("%q, want %q", wrong[0].Message, want)
		}
	}
}

func TestARuleThatPanicsIsAnErrorThatNamesTheField(t *testing.T) {
	var p *Panic
	_, err := checker().Check(struct {
		Age int `validate:"hexcolor|len=x"`
	}{1})
	if !errors.As(err, &p) || !strings.Contains(p.Text, "Age") || len(p.Stack) == 0 {
		t.Errorf("%v", err)
	}
}

func TestAnotherErrorOfAValidatorIsPassedOn(t *testing.T) {
	broken := errors.New("it broke")
	if _, err := (Checker{Validator: failing{broken}}).Check([]item{{}}); err != broken {
		t.Errorf("%v", err)
	}
}

type failing struct{ err error }

func (f failing) Struct(any) error { return f.err }
