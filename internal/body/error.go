package body

import (
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"

	"github.com/nextrush/nextrush/internal/query"
)

// Error says why a body cannot be taken. Its Cause, if it says more to the client, comes
// first.
type Error struct {
	Status  int
	Message string
	Cause   error // may be nil
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// tooLarge is of a body over its limit, if it is not net/http that has found that.
var tooLarge = &Error{Status: http.StatusRequestEntityTooLarge, Message: http.StatusText(http.StatusRequestEntityTooLarge)}

// unparsed is the Error of a form that cannot be parsed.
func unparsed(err error) *Error {
	switch {
	case errors.Is(err, query.ErrTooMany):
		return &Error{http.StatusRequestEntityTooLarge, fmt.Sprintf("the form has more than %d fields", query.MaxPairs), err}
	case errors.Is(err, multipart.ErrMessageTooLarge):
		return &Error{http.StatusRequestEntityTooLarge, "the form has too many parts, or too long names", err}
	}
	return &Error{http.StatusBadRequest, "the form is malformed", err}
}
