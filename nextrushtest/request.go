package nextrushtest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
)

// Get sends a GET request.
func (c *Client) Get(path string) *Response {
	c.t.Helper()
	return c.send(http.MethodGet, path, nil)
}

// Head sends a HEAD request.
func (c *Client) Head(path string) *Response {
	c.t.Helper()
	return c.send(http.MethodHead, path, nil)
}

// Delete sends a DELETE request.
func (c *Client) Delete(path string) *Response {
	c.t.Helper()
	return c.send(http.MethodDelete, path, nil)
}

// Options sends an OPTIONS request.
func (c *Client) Options(path string) *Response {
	c.t.Helper()
	return c.send(http.MethodOptions, path, nil)
}

// Post sends a POST request. What the body is sent as depends on its type:
//
//	string, url.Values   a form
//	Multipart            a form with files
//	json.RawMessage      JSON, as it is and even if it is malformed
//	[]byte, io.Reader    application/octet-stream
//	nil                  no body
//	anything else        JSON
//
// A Content-Type that was given to With is sent instead.
func (c *Client) Post(path string, body any) *Response {
	c.t.Helper()
	return c.send(http.MethodPost, path, body)
}

// Put sends a PUT request with a body as that of Post.
func (c *Client) Put(path string, body any) *Response {
	c.t.Helper()
	return c.send(http.MethodPut, path, body)
}

// Patch sends a PATCH request with a body as that of Post.
func (c *Client) Patch(path string, body any) *Response {
	c.t.Helper()
	return c.send(http.MethodPatch, path, body)
}

func (c *Client) send(method, path string, body any) *Response {
	c.t.Helper()
	content, mediaType, err := encode(body)
	if err != nil {
		c.t.Fatalf("nextrushtest: %s %s: %v", method, path, err)
	}
	if strings.HasPrefix(path, "/") {
		path = "http://" + c.host + path // "//x" names no host here
	}
	r, err := http.NewRequest(method, path, content)
	if err != nil {
		c.t.Fatalf("nextrushtest: %v", err)
	}
	if mediaType != "" && c.header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", mediaType)
	}
	return c.Do(r)
}

// encode returns a body with its media type.
func encode(body any) (io.Reader, string, error) {
	switch b := body.(type) {
	case nil:
		return nil, "", nil
	case string:
		return strings.NewReader(b), "application/x-www-form-urlencoded", nil
	case url.Values:
		return strings.NewReader(b.Encode()), "application/x-www-form-urlencoded", nil
	case Multipart:
		return b.encode()
	case json.RawMessage:
		return bytes.NewReader(b), "application/json", nil
	case []byte:
		return bytes.NewReader(b), "application/octet-stream", nil
	case io.Reader:
		return b, "application/octet-stream", nil
	}
	data, err := json.Marshal(body)
	return bytes.NewReader(data), "application/json", err
}

// Do sends a request; its URL may be a path. Headers of the Client that it does not have
// are added. Redirects are not followed.
func (c *Client) Do(r *http.Request) *Response {
	c.t.Helper()
	if r.URL.Host == "" {
		r.URL.Scheme, r.URL.Host = "http", c.host
	}
	for name, values := range c.header {
		if _, own := r.Header[name]; !own {
			r.Header[name] = values
		}
	}
	resp, err := c.http.Do(r)
	if err != nil {
		c.t.Fatalf("nextrushtest: %s %s: %v", r.Method, r.URL.Path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("nextrushtest: %s %s: %v", r.Method, r.URL.Path, err)
	}
	return &Response{Response: resp, Body: body, t: c.t}
}

// jar keeps cookies as if all came by HTTPS, so that Secure ones come back.
type jar struct{ *cookiejar.Jar }

func newJar() jar {
	j, _ := cookiejar.New(nil) // has no error without options
	return jar{j}
}

func (j jar) SetCookies(u *url.URL, cookies []*http.Cookie) { j.Jar.SetCookies(secure(u), cookies) }
func (j jar) Cookies(u *url.URL) []*http.Cookie             { return j.Jar.Cookies(secure(u)) }

func secure(u *url.URL) *url.URL {
	clone := *u
	clone.Scheme = "https"
	return &clone
}
