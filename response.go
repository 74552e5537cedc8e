package nextrush

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

const keptBuffer = 64 << 10 // bytes of the largest buffer that is kept

var bufferPool = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func getBuffer() *bytes.Buffer {
	b := bufferPool.Get().(*bytes.Buffer)
	b.Reset()
	return b
}

func putBuffer(b *bytes.Buffer) {
	if b.Cap() <= keptBuffer {
		bufferPool.Put(b)
	}
}

// Status sets the status of the answer that follows: c.Status(201).JSON(v).
func (c *Context) Status(code int) *Context {
	c.code = code
	return c
}

// Written reports whether the answer has begun.
func (c *Context) Written() bool { return c.rw.status != 0 || c.rw.hijacked }

// StatusCode is the status of the answer: what was sent, or 101 after an
// upgrade, or 0 before either.
func (c *Context) StatusCode() int {
	if c.rw.hijacked {
		return http.StatusSwitchingProtocols
	}
	return c.rw.status
}

// Size is the number of body bytes sent so far.
func (c *Context) Size() int64 { return c.rw.size }

// SetHeader sets a response header.
func (c *Context) SetHeader(name, value string) *Context {
	c.w.Header().Set(name, value)
	return c
}

// Append adds a value to a response header.
func (c *Context) Append(name, value string) *Context {
	c.w.Header().Add(name, value)
	return c
}

// Vary adds request headers that the answer depends on.
func (c *Context) Vary(names ...string) *Context {
	for _, name := range names {
		if !headerHas(c.w.Header()["Vary"], name) {
			c.w.Header().Add("Vary", name)
		}
	}
	return c
}

func headerHas(values []string, name string) bool {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), name) {
				return true
			}
		}
	}
	return false
}

// Type sets the Content-Type: a media type, or a file extension such as ".png".
func (c *Context) Type(t string) *Context {
	if strings.HasPrefix(t, ".") {
		t = mime.TypeByExtension(t)
	}
	if t != "" {
		c.w.Header().Set("Content-Type", t)
	}
	return c
}

var (
	typeJSON = []string{"application/json; charset=utf-8"}
	typeText = []string{"text/plain; charset=utf-8"}
	typeHTML = []string{"text/html; charset=utf-8"}
)

// write sends a body with the status that was set; a Content-Type that a
// handler set before is kept.
func (c *Context) write(contentType []string, body []byte) error {
	c.writeHead(contentType)
	_, err := c.w.Write(body)
	return err
}

func (c *Context) writeString(contentType []string, body string) error {
	c.writeHead(contentType)
	_, err := io.WriteString(c.w, body)
	return err
}

func (c *Context) writeHead(contentType []string) {
	h := c.w.Header()
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = contentType
	}
	if c.code != 0 {
		c.w.WriteHeader(c.code)
	}
}

// JSON answers with v. It is encoded before the status is sent, so that an
// error of encoding is still a 500.
func (c *Context) JSON(v any) error {
	buf := getBuffer()
	defer putBuffer(buf)
	if err := json.NewEncoder(buf).Encode(v); err != nil {
		return fmt.Errorf("nextrush: encode JSON: %w", err)
	}
	return c.write(typeJSON, buf.Bytes())
}

// Text answers with plain text.
func (c *Context) Text(s string) error { return c.writeString(typeText, s) }

// HTML answers with HTML, which is sent as it is.
func (c *Context) HTML(s string) error { return c.writeString(typeHTML, s) }

// XML answers with v and an XML declaration.
func (c *Context) XML(v any) error {
	body, err := xml.Marshal(v)
	if err != nil {
		return fmt.Errorf("nextrush: encode XML: %w", err)
	}
	return c.write([]string{"application/xml; charset=utf-8"}, append([]byte(xml.Header), body...))
}

// CSV answers with rows as a download. Fields that a spreadsheet would take
// for formulas are sent as they are.
func (c *Context) CSV(rows [][]string, filename string) error {
	buf := getBuffer()
	defer putBuffer(buf)
	w := csv.NewWriter(buf)
	if err := w.WriteAll(rows); err != nil {
		return fmt.Errorf("nextrush: encode CSV: %w", err)
	}
	c.SetHeader("Content-Disposition", attachment(filename))
	return c.write([]string{"text/csv; charset=utf-8"}, buf.Bytes())
}

// Send answers with v by its type: a string is text, a []byte bytes, an
// io.Reader a stream, nil no content, anything else JSON.
func (c *Context) Send(v any) error {
	switch v := v.(type) {
	case nil:
		return c.NoContent()
	case string:
		return c.Text(v)
	case []byte:
		return c.Blob("application/octet-stream", v)
	case io.Reader:
		return c.Stream("application/octet-stream", v)
	}
	return c.JSON(v)
}

// Blob answers with bytes of a media type.
func (c *Context) Blob(contentType string, b []byte) error {
	c.w.Header().Set("Content-Type", contentType)
	return c.write(nil, b)
}

// Stream copies r to the client.
func (c *Context) Stream(contentType string, r io.Reader) error {
	if err := c.Blob(contentType, nil); err != nil {
		return err
	}
	_, err := io.Copy(c.w, r)
	return err
}

// File answers with a file; ranges and conditional requests work. The name is
// the program's own: never make it of what a client sent, for that there is
// the plugin static. A file that is not there is a 404.
func (c *Context) File(name string) error {
	f, err := os.Open(filepath.Clean(name))
	if err != nil {
		return NewError(http.StatusNotFound).WithCause(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return NewError(http.StatusNotFound).WithCause(err)
	}
	http.ServeContent(c.w, c.req, info.Name(), info.ModTime(), f)
	return nil
}

// Download is File with a name under which the client is to save it (RFC 6266).
func (c *Context) Download(file, name string) error {
	c.SetHeader("Content-Disposition", attachment(name))
	err := c.File(file)
	if err != nil {
		c.w.Header().Del("Content-Disposition")
	}
	return err
}

// attachment is a Content-Disposition: the name in ASCII for old clients, and
// whole in UTF-8 (RFC 6266 §4.3, RFC 8187).
func attachment(name string) string {
	name = path.Base(strings.ReplaceAll(name, "\\", "/"))
	plain := strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' || r == '%' {
			return '_'
		}
		return r
	}, name)
	value := fmt.Sprintf("attachment; filename=%q", plain)
	if plain != name {
		value += "; filename*=UTF-8''" + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
	}
	return value
}

// Redirect sends the client elsewhere: with 302, or with the given status. The
// URL is the program's own; one that a client sent must be checked before.
func (c *Context) Redirect(location string, code ...int) error {
	status := http.StatusFound
	if len(code) > 0 {
		status = code[0]
	}
	if status < 300 || status > 399 {
		return fmt.Errorf("nextrush: Redirect: %d is no redirect", status)
	}
	http.Redirect(c.w, c.req, location, status)
	return nil
}

// NoContent answers with 204 and no body.
func (c *Context) NoContent() error {
	if c.code == 0 {
		c.code = http.StatusNoContent
	}
	c.w.WriteHeader(c.code)
	return nil
}

// SetCookie sets a cookie. Path "/", HttpOnly and SameSite=Lax are filled in
// where they are not set; Secure where the client's connection is encrypted.
// For a cookie that scripts may read use http.SetCookie.
func (c *Context) SetCookie(cookie *http.Cookie) *Context {
	filled := *cookie
	if filled.Path == "" {
		filled.Path = "/"
	}
	if filled.SameSite == 0 {
		filled.SameSite = http.SameSiteLaxMode
	}
	filled.HttpOnly = true
	filled.Secure = filled.Secure || c.Secure()
	http.SetCookie(c.w, &filled)
	return c
}

// ClearCookie has the client forget a cookie of path "/".
func (c *Context) ClearCookie(name string) *Context {
	return c.SetCookie(&http.Cookie{Name: name, MaxAge: -1})
}

// Render answers with a template, through Options.Renderer.
func (c *Context) Render(name string, data any) error {
	if c.app.opts.Renderer == nil {
		return fmt.Errorf("nextrush: Render(%q): set Options.Renderer", name)
	}
	buf := getBuffer()
	defer putBuffer(buf)
	if err := c.app.opts.Renderer.Render(buf, name, data, c); err != nil {
		return fmt.Errorf("nextrush: render %q: %w", name, err)
	}
	return c.write(typeHTML, buf.Bytes())
}

// CacheFor lets everybody keep the answer for a while.
func (c *Context) CacheFor(d time.Duration) *Context {
	return c.SetHeader("Cache-Control", "public, max-age="+strconv.Itoa(int(d.Seconds())))
}

// NoCache has nobody keep the answer.
func (c *Context) NoCache() *Context { return c.SetHeader("Cache-Control", "no-store") }

type successBody struct {
	Success bool   `json:"success"`
	Data    any    `json:"data"`
	Message string `json:"message,omitempty"`
}

// Success answers {"success":true,"data":…,"message":…}.
func (c *Context) Success(v any, message ...string) error {
	return c.JSON(successBody{true, v, strings.Join(message, " ")})
}

type failBody struct {
	Success bool      `json:"success"`
	Error   failError `json:"error"`
}

type failError struct {
	Message string `json:"message"`
	Details any    `json:"details,omitempty"`
}

// Fail answers {"success":false,"error":{"message":…,"details":…}}.
func (c *Context) Fail(status int, message string, details ...any) error {
	e := failError{Message: message}
	if len(details) == 1 {
		e.Details = details[0]
	} else if len(details) > 1 {
		e.Details = details
	}
	return c.Status(status).JSON(failBody{Error: e})
}

type pageBody struct {
	Success    bool       `json:"success"`
	Data       any        `json:"data"`
	Pagination pagination `json:"pagination"`
}

type pagination struct {
	Page       int  `json:"page"`
	Limit      int  `json:"limit"`
	Total      int  `json:"total"`
	TotalPages int  `json:"totalPages"`
	HasNext    bool `json:"hasNext"`
	HasPrev    bool `json:"hasPrev"`
}

// Paginate answers with one page of items, counted from 1, and where it stands.
func (c *Context) Paginate(items any, page, limit, total int) error {
	pages := 0
	if limit > 0 {
		pages = (total + limit - 1) / limit
	}
	return c.JSON(pageBody{true, items, pagination{page, limit, total, pages, page < pages, page > 1}})
}

// SSE is a stream of server-sent events. Its methods are for one goroutine.
type SSE struct {
	c  *Context
	rc *http.ResponseController
}

// SSE answers with server-sent events until f returns. A write deadline of the
// server is lifted. The client has gone when Context is done.
func (c *Context) SSE(f func(*SSE) error) error {
	rc := http.NewResponseController(c.w)
	rc.SetWriteDeadline(time.Time{}) // where that can not be set, there is none
	c.NoCache().SetHeader("X-Accel-Buffering", "no")
	if err := c.Blob("text/event-stream", nil); err != nil {
		return err
	}
	if err := rc.Flush(); err != nil {
		return fmt.Errorf("nextrush: SSE: %w", err)
	}
	return f(&SSE{c, rc})
}

// Context ends when the client has gone.
func (s *SSE) Context() context.Context { return s.c.req.Context() }

// LastEventID is the id of the last event that a returning client has seen.
func (s *SSE) LastEventID() string { return s.c.Header("Last-Event-ID") }

// Send sends data: a string as it is, anything else as JSON.
func (s *SSE) Send(data any) error { return s.Event("", "", data) }

// Event sends data under an event name and an id; either may be empty.
func (s *SSE) Event(name, id string, data any) error {
	text, ok := data.(string)
	if !ok {
		encoded, err := json.Marshal(data)
		if err != nil {
			return fmt.Errorf("nextrush: SSE: %w", err)
		}
		text = string(encoded)
	}
	buf := getBuffer()
	defer putBuffer(buf)
	sseField(buf, "id", id)
	sseField(buf, "event", name)
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r", ""), "\n") {
		buf.WriteString("data: " + line + "\n")
	}
	buf.WriteByte('\n')
	return s.flush(buf.Bytes())
}

// Comment sends a line that clients pass over; it keeps proxies from closing.
func (s *SSE) Comment(text string) error {
	return s.flush([]byte(": " + oneLine(text) + "\n\n"))
}

func sseField(buf *bytes.Buffer, name, value string) {
	if value != "" {
		buf.WriteString(name + ": " + oneLine(value) + "\n")
	}
}

func oneLine(s string) string { return strings.NewReplacer("\r", " ", "\n", " ").Replace(s) }

func (s *SSE) flush(b []byte) error {
	if _, err := s.c.w.Write(b); err != nil {
		return err
	}
	return s.rc.Flush()
}
