package nextrush

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/nextrush/nextrush/internal/bind"
	"github.com/nextrush/nextrush/internal/body"
	"github.com/nextrush/nextrush/internal/fields"
	"github.com/nextrush/nextrush/websocket"
)

// HTTPError is an error with an answer. Everything in it is sent to the client,
// except the cause, which is logged.
type HTTPError struct {
	Status  int         // 400 to 599
	Code    string      // for programs to branch on; may be empty
	Message string      // for people; empty: the status text
	Details any         // sent as the member "errors"; may be nil
	Header  http.Header // sent with the answer; may be nil

	cause error
}

// NewError makes an HTTPError. Without a message it says the status text.
func NewError(status int, message ...string) *HTTPError {
	e := &HTTPError{Status: status, Message: http.StatusText(status)}
	if len(message) > 0 {
		e.Message = message[0]
	}
	return e
}

// WithCause returns a copy that has err as its cause.
func (e *HTTPError) WithCause(err error) *HTTPError {
	clone := *e
	clone.cause = err
	return &clone
}

// WithDetails returns a copy that carries details.
func (e *HTTPError) WithDetails(details any) *HTTPError {
	clone := *e
	clone.Details = details
	return &clone
}

// WithCode returns a copy with a code.
func (e *HTTPError) WithCode(code string) *HTTPError {
	clone := *e
	clone.Code = code
	return &clone
}

// WithHeader returns a copy that sends a header with the answer.
func (e *HTTPError) WithHeader(name, value string) *HTTPError {
	clone := *e
	clone.Header = e.Header.Clone()
	if clone.Header == nil {
		clone.Header = make(http.Header)
	}
	clone.Header.Set(name, value)
	return &clone
}

func (e *HTTPError) Error() string {
	text := fmt.Sprintf("%d %s", e.Status, e.Message)
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *HTTPError) Unwrap() error { return e.cause }

// EventReply is the answer to a WebSocket event whose handler returns the error; see
// [websocket.On].
func (e *HTTPError) EventReply() (message string, details any) {
	if e.Status >= 500 {
		return "internal error", nil
	}
	return e.Message, e.Details
}

// PanicError is the error that a panic in a handler becomes.
type PanicError = websocket.PanicError

// AsHTTPError returns the HTTPError that answers err: the one that err wraps, 413 for a
// body over the limit, 500 for everything else, and for a status that is not of an error.
func AsHTTPError(err error) *HTTPError {
	he := asHTTPError(err)
	if he.Status < 400 || he.Status > 599 {
		return NewError(http.StatusInternalServerError).WithCause(err)
	}
	return he
}

func asHTTPError(err error) *HTTPError {
	var he *HTTPError
	if errors.As(err, &he) {
		return he
	}
	var refused *websocket.HandshakeError
	if errors.As(err, &refused) {
		return &HTTPError{Status: refused.Status, Message: refused.Message, Header: refused.Header, cause: err}
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return NewError(http.StatusRequestEntityTooLarge).WithCause(err)
	}
	return NewError(http.StatusInternalServerError).WithCause(err)
}

// StatusOf is the status that answers err; 200 for nil.
func StatusOf(err error) int {
	if err == nil {
		return http.StatusOK
	}
	return AsHTTPError(err).Status
}

// FieldError says what is wrong with one field.
type FieldError struct {
	Field   string `json:"field"`   // as the client names it: "address.zip"
	Rule    string `json:"rule"`    // "min"
	Param   string `json:"param"`   // "3"
	Message string `json:"message"` // for people: "name must have at least 3 characters"
}

func fieldErrors(faults []fields.Fault) []FieldError {
	all := make([]FieldError, len(faults))
	for i, f := range faults {
		all[i] = FieldError(f)
	}
	return all
}

// refused is the 400 for input that cannot be taken, or nil.
func refused(err error) error {
	wrong, ok := err.(*bind.Error)
	if !ok {
		return err
	}
	he := NewError(http.StatusBadRequest, wrong.Message)
	he.cause = wrong.Cause
	if wrong.Fields != nil {
		he.Details = fieldErrors(wrong.Fields)
	}
	return he
}

// unsupported is the 415 that names what is taken; without tags, JSON is.
func unsupported(formats bind.Source) *HTTPError {
	if formats == 0 {
		formats = bind.JSON
	}
	return NewError(http.StatusUnsupportedMediaType, "the Content-Type must be "+strings.Join(formats.MediaTypes(), " or "))
}

// bodyError is the answer to a body that cannot be taken: that of the cause, if it has
// one, as the cause of a body over its limit has.
func bodyError(err error) error {
	e, ok := err.(*body.Error)
	if !ok {
		return err
	}
	if he := AsHTTPError(e.Cause); he.Status != http.StatusInternalServerError {
		return he
	}
	return &HTTPError{Status: e.Status, Message: e.Message, cause: e.Cause}
}

// asPanicError is the error that v becomes in the deferred function that recovered
// it. One that is a PanicError already knows where it began.
func asPanicError(v any) *PanicError {
	if p, ok := v.(*PanicError); ok {
		return p
	}
	return &PanicError{Value: v, Stack: debug.Stack()}
}
