package nextrushtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"testing"
)

// Response is a response with its whole body. The methods that begin with Want let the
// test go on after a failure, and return the Response.
type Response struct {
	*http.Response
	Body []byte
	t    testing.TB
}

// Text returns the body as a string.
func (r *Response) Text() string { return string(r.Body) }

// JSON decodes the body.
func (r *Response) JSON(v any) {
	r.t.Helper()
	if err := json.Unmarshal(r.Body, v); err != nil {
		r.t.Fatalf("nextrushtest: body %q: %v", r.Body, err)
	}
}

// WantStatus fails the test if the status is not the one given.
func (r *Response) WantStatus(status int) *Response {
	r.t.Helper()
	if r.StatusCode != status {
		r.t.Errorf("got status %d, want %d; body %q", r.StatusCode, status, r.Body)
	}
	return r
}

// WantHeader fails the test if the first header of that name does not have the value;
// with "", if there is one.
func (r *Response) WantHeader(name, value string) *Response {
	r.t.Helper()
	if got := r.Header.Get(name); got != value {
		r.t.Errorf("got %s %q, want %q", name, got, value)
	}
	return r
}

// WantText fails the test if the body is not the text.
func (r *Response) WantText(text string) *Response {
	r.t.Helper()
	if string(r.Body) != text {
		r.t.Errorf("got body %q, want %q", r.Body, text)
	}
	return r
}

// WantJSON fails the test if the body is not the same JSON as want: a string of JSON, or a
// value that is encoded. Space and the order of members do not count.
func (r *Response) WantJSON(want any) *Response {
	r.t.Helper()
	if text, ok := want.(string); ok {
		want = json.RawMessage(text)
	}
	if err := sameJSON(r.Body, want); err != nil {
		r.t.Error(err)
	}
	return r
}

func sameJSON(got []byte, want any) error {
	text, err := json.Marshal(want)
	if err != nil {
		return fmt.Errorf("want %s: %w", want, err)
	}
	var x, y any
	if err := json.Unmarshal(got, &x); err != nil {
		return fmt.Errorf("got %q, which is not JSON: %w", got, err)
	}
	if err := json.Unmarshal(text, &y); err != nil {
		return err
	}
	if !reflect.DeepEqual(x, y) {
		return fmt.Errorf("got %s, want %s", got, text)
	}
	return nil
}
