package bind

import (
	"errors"
	"reflect"
	"testing"

	"github.com/nextrush/nextrush/internal/fields"
)

// Errors say what is wrong to the client, and keep the reason for the log.
func TestErrorsNameTheFields(t *testing.T) {
	type in struct {
		Page int `json:"page" query:"page" xml:"page"`
	}
	integer := []fields.Fault{{Field: "page", Rule: "type", Param: "an integer", Message: "page must be an integer"}}
	texts := map[string][]string{"page": {"x"}}
	_, _, value := Value[int]("the query parameter", "page", texts["page"])
	for name, tt := range map[string]struct {
		err     error
		message string
		fields  []fields.Fault
		cause   bool
	}{
		"text":      {Into(new(in)).Values(Query, texts), "a value has the wrong type", integer, false},
		"value":     {value, "the query parameter page must be an integer", integer, false},
		"JSON":      {Into(new(in)).DecodeJSON([]byte(`{"page":"x"}`), false), "a value has the wrong type", integer, true},
		"malformed": {Into(new(in)).DecodeJSON([]byte(`{`), false), "the JSON is malformed at line 1, column 2: it ends too early", nil, true},
		"whole":     {Into(new(int)).DecodeJSON([]byte(`""`), false), "a value has the wrong type", []fields.Fault{{Rule: "type", Param: "an integer", Message: "the body must be an integer"}}, true},
		"unknown":   {Into(new(in)).DecodeJSON([]byte(`{"a":1}`), true), "the JSON has a field too many: a is not known", []fields.Fault{{Field: "a", Rule: "unknown", Message: "a is not known"}}, false},
		"twice":     {Into(new(in)).DecodeJSON([]byte(`{"page":1,"page":2}`), true), "the JSON has a field too many: page is there twice", []fields.Fault{{Field: "page", Rule: "unique", Message: "page is there twice"}}, false},
		"XML":       {Into(new(in)).DecodeXML([]byte(`<`)), "the XML is malformed", nil, true},
	} {
		e, ok := tt.err.(*Error)
		if !ok || e.Message != tt.message || !reflect.DeepEqual(e.Fields, tt.fields) || (errors.Unwrap(e) != nil) != tt.cause {
			t.Errorf("%s: %+v", name, tt.err)
		}
	}
}

func TestWhatFitsIsNoError(t *testing.T) {
	type in struct {
		Page int `json:"page" query:"page"`
	}
	for name, err := range map[string]error{
		"text":            Into(new(in)).Values(Query, map[string][]string{"page": {"1"}}),
		"JSON":            Into(new(in)).DecodeJSON([]byte(`{"page":1,"a":2}`), false),
		"JSON, strictly":  Into(new(in)).DecodeJSON([]byte(`{"page":1}`), true),
		"another's value": Into(new(in)).Values(Query, map[string][]string{"size": {"x"}}),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
