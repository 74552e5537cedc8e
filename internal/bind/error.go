package bind

import (
	"cmp"
	"fmt"

	"github.com/nextrush/nextrush/internal/fields"
)

// Error says to a client why its input cannot be taken.
type Error struct {
	Message string
	Fields  []fields.Fault // that are to blame; nil: the input as a whole
	Cause   error          // for the log; nil: the message says it all
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// mismatch is a field whose value has the wrong type.
type mismatch struct {
	field string // as the client names it
	want  string // "an integer"
}

// fault names the field, or the body if all of it has the wrong type.
func (m mismatch) fault() fields.Fault {
	return fields.Fault{Field: m.field, Rule: "type", Param: m.want, Message: cmp.Or(m.field, "the body") + " must be " + m.want}
}

// wrongTypes is the Error that names the fields, or nil if there are none.
func wrongTypes(wrong []mismatch, cause error) error {
	if len(wrong) == 0 {
		return nil
	}
	e := &Error{Message: "a value has the wrong type", Cause: cause}
	for _, m := range wrong {
		e.Fields = append(e.Fields, m.fault())
	}
	return e
}

// wrongValue is the Error for one value that does not belong to a struct.
func wrongValue(what string, m mismatch) error {
	return &Error{Message: fmt.Sprintf("%s %s must be %s", what, m.field, m.want), Fields: []fields.Fault{m.fault()}}
}

// tooMuch is the Error that names what a strict reader has found.
func tooMuch(found []surplus) error {
	if len(found) == 0 {
		return nil
	}
	e := &Error{Message: "the JSON has a field too many: " + found[0].fault().Message}
	for _, s := range found {
		e.Fields = append(e.Fields, s.fault())
	}
	return e
}
