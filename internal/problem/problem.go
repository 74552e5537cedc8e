// Package problem writes what an error is answered with (RFC 9457).
package problem

import (
	"bytes"
	"encoding/json"
	"html/template"
	"maps"
	"net/http"

	"github.com/nextrush/nextrush/internal/header"
)

// Details is the body of RFC 9457 §3.1, with "code" and "errors" as extensions.
type Details struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Code   string `json:"code,omitempty"`
	Errors any    `json:"errors,omitempty"`
	Cause  string `json:"cause,omitempty"` // for developers only
	Stack  string `json:"stack,omitempty"` // for developers only
}

// New returns the Details of an error. The message, if it says more than the status, is
// the detail.
func New(status int, message, code string, errors any) Details {
	d := Details{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Errors: errors}
	if message != d.Title {
		d.Detail = message
	}
	return d
}

// For returns the body for a client with these lines of Accept: a page for people if it
// prefers that, otherwise application/problem+json.
func (d Details) For(accept []string) (contentType string, body []byte, err error) {
	if header.Accept(accept, []string{"application/problem+json", "application/json", "text/html"}) != "text/html" {
		return "application/problem+json", d.json(), nil
	}
	var page bytes.Buffer
	err = pageTemplate.Execute(&page, d)
	return "text/html; charset=utf-8", page.Bytes(), err
}

// json leaves out Errors that cannot be encoded.
func (d Details) json() []byte {
	body, err := json.Marshal(d)
	if err != nil {
		d.Errors = nil
		body, _ = json.Marshal(d)
	}
	return body
}

// KeepHeader leaves of a header what suits the answer to an error, and adds the error's
// own to it.
func KeepHeader(h, own http.Header) {
	for _, k := range []string{"Content-Encoding", "Content-Length", "Etag", "Last-Modified"} {
		h.Del(k)
	}
	if h.Get("Cache-Control") != "" {
		h.Set("Cache-Control", "no-store") // it was for another answer, and without one a 404 may be stored (RFC 9110 §15.1)
	}
	maps.Copy(h, own)
	h.Set("X-Content-Type-Options", "nosniff")
}

var pageTemplate = template.Must(template.New("problem").Parse(`<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Status}} {{.Title}}</title>
<h1>{{.Status}} {{.Title}}</h1>
{{with .Detail}}<p>{{.}}</p>
{{end}}{{with .Cause}}<pre>{{.}}</pre>
{{end}}{{with .Stack}}<pre>{{.}}</pre>
{{end}}`))
