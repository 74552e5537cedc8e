package nextrush

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nextrush/nextrush/internal/buffer"
	"github.com/nextrush/nextrush/internal/content"
	"github.com/nextrush/nextrush/internal/cookie"
	"github.com/nextrush/nextrush/internal/header"
	"github.com/nextrush/nextrush/internal/record"
)

// Status sets the status of the response that follows: c.Status(201).JSON(v).
func (c *Context) Status(code int) *Context {
	c.code = int32(code)
	return c
}

// StatusCode is the status that was written: 0 if none was, 101 for a connection that was
// taken over, as for a WebSocket. Like BytesWritten it counts what went through
// [Context.Writer]; middleware that put another writer there may still hold it back.
func (c *Context) StatusCode() int { return int(c.w.Status) }

// BytesWritten is the number of bytes of the body that have been written.
func (c *Context) BytesWritten() int64 { return c.w.Size }

// SetHeader sets a header of the response.
func (c *Context) SetHeader(name, value string) *Context {
	c.w.Header().Set(name, value)
	return c
}

// Append adds values to a header of the response.
func (c *Context) Append(name string, values ...string) *Context {
	for _, v := range values {
		c.w.Header().Add(name, v)
	}
	return c
}

// Vary names request headers that the response depends on, each once.
func (c *Context) Vary(names ...string) *Context {
	h := c.w.Header()
	for _, name := range names {
		if !header.HasToken(h["Vary"], name) {
			h.Add("Vary", name)
		}
	}
	return c
}

// Type sets the Content-Type, given as such or as a file extension: "json", ".png".
func (c *Context) Type(t string) *Context { return c.SetHeader("Content-Type", header.TypeByName(t)) }

// autoLength is how many bytes net/http holds back to send their number with the header.
const autoLength = 2048

// begin sends the status, with contentType unless the handler set another, and the
// length of a body of size bytes, unless net/http does so; negative: unknown.
func (c *Context) begin(contentType string, size int) {
	code := cmp.Or(int(c.code), http.StatusOK)
	if size <= autoLength && c.w.BeginWith(code, contentType) {
		return
	}
	h := c.w.Header()
	if _, set := h["Content-Type"]; !set && contentType != "" {
		c.contentType[0] = contentType
		h["Content-Type"] = c.contentType[:]
	}
	if size > autoLength && record.HasLength(code, h) {
		h["Content-Length"] = []string{strconv.Itoa(size)}
	}
	c.w.WriteHeader(code)
}

func (c *Context) write(contentType string, body []byte) error {
	c.begin(contentType, len(body))
	_, err := c.w.Write(body)
	return err
}

func (c *Context) writeString(contentType, s string) error {
	c.begin(contentType, len(s))
	_, err := c.w.WriteString(s)
	return err
}

// encoded answers with what encode writes, once it has written all of it.
func (c *Context) encoded(contentType, what string, encode func(*bytes.Buffer) error) error {
	buf := buffer.Get()
	defer buffer.Put(buf)
	if err := encode(buf); err != nil {
		return fmt.Errorf("nextrush: %s: %w", what, err)
	}
	return c.write(contentType, buf.Bytes())
}

// JSON answers with v as JSON. What cannot be encoded is an error, and nothing
// has been sent then.
func (c *Context) JSON(v any) error {
	buf := buffer.Get()
	defer buffer.Put(buf)
	if err := json.NewEncoder(buf).Encode(v); err != nil {
		return fmt.Errorf("nextrush: encode JSON: %w", err)
	}
	return c.write("application/json; charset=utf-8", buf.Bytes())
}

// Text answers with plain text.
func (c *Context) Text(s string) error { return c.writeString("text/plain; charset=utf-8", s) }

// HTML answers with a page.
func (c *Context) HTML(s string) error { return c.writeString("text/html; charset=utf-8", s) }

// XML answers with v as XML. What cannot be encoded is an error, and nothing has
// been sent then.
func (c *Context) XML(v any) error {
	return c.encoded("application/xml; charset=utf-8", "encode XML", func(buf *bytes.Buffer) error {
		buf.WriteString(xml.Header)
		return xml.NewEncoder(buf).Encode(v)
	})
}

// CSV answers with rows, to be saved as filename unless that is empty. Cells are written
// as they are: a spreadsheet takes those that begin with =, +, - or @ for formulas.
func (c *Context) CSV(rows [][]string, filename string) error {
	return c.encoded("text/csv; charset=utf-8", "encode CSV", func(buf *bytes.Buffer) error {
		err := csv.NewWriter(buf).WriteAll(rows)
		if err == nil && filename != "" {
			c.SetHeader("Content-Disposition", header.Attachment(filename))
		}
		return err
	})
}

// Send answers with a string as text, a []byte as application/octet-stream, an
// io.Reader as a stream of that type, nil as 204, anything else as JSON.
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

// Blob answers with bytes of a type.
func (c *Context) Blob(contentType string, b []byte) error {
	c.w.Header()["Content-Type"] = []string{contentType}
	return c.write("", b)
}

// Stream answers with what r gives until its end. For a HEAD nothing is read. A Stream
// ends with its client and with the app if r ends with Context.Context. An *io.PipeReader
// or *os.File does so by itself; if the type is text/event-stream, it ends with
// App.Context.
func (c *Context) Stream(contentType string, r io.Reader) error {
	c.w.Header()["Content-Type"] = []string{contentType}
	c.begin("", -1)
	if c.req.Method == http.MethodHead {
		return nil
	}
	closing := context.Background()
	if strings.HasPrefix(contentType, "text/event-stream") {
		closing = c.app.Context()
	}
	if err := content.Stream(c.Context(), closing, c.w, r); err != nil {
		return fmt.Errorf("nextrush: Stream: %w", err)
	}
	return nil
}

// Redirect sends the client to a URL; without a code with 302. The URL is the
// program's: one that the client gave must be checked first, for it may lead to
// another host. A backslash or control character in it is escaped.
func (c *Context) Redirect(to string, code ...int) error {
	status := http.StatusFound
	if len(code) > 0 {
		status = code[0]
	}
	if status < 300 || status > 399 {
		return fmt.Errorf("nextrush: redirect with status %d: use 301, 302, 303, 307 or 308", status)
	}
	c.SetHeader("Location", header.Location(to))
	c.w.WriteHeader(status)
	return nil
}

// NoContent answers without a body: 204, or the status set before.
func (c *Context) NoContent() error {
	c.w.WriteHeader(cmp.Or(int(c.code), http.StatusNoContent))
	return nil
}

// SetCookie adds a cookie. Without a path it is for the whole site.
func (c *Context) SetCookie(cookie *http.Cookie) *Context {
	if cookie.Path == "" {
		clone := *cookie
		clone.Path = "/"
		cookie = &clone
	}
	http.SetCookie(c.w, cookie)
	return c
}

// ClearCookie tells the client to forget a cookie of the whole site.
func (c *Context) ClearCookie(name string) *Context {
	return c.SetCookie(&http.Cookie{Name: name, MaxAge: -1, Expires: time.Unix(1, 0), Secure: cookie.MustBeSecure(name)})
}

// Render answers with a template, through Options.Renderer.
func (c *Context) Render(name string, data any) error {
	if c.app.opts.Renderer == nil {
		return errors.New("nextrush: Render: set Options.Renderer first")
	}
	return c.encoded("text/html; charset=utf-8", "render "+name, func(buf *bytes.Buffer) error {
		return c.app.opts.Renderer.Render(buf, name, data, c)
	})
}

// CacheFor lets clients and shared caches keep the response for d, in whole seconds.
func (c *Context) CacheFor(d time.Duration) *Context {
	return c.SetHeader("Cache-Control", "public, max-age="+strconv.FormatInt(int64(d/time.Second), 10))
}

// NoCache tells caches not to store the response.
func (c *Context) NoCache() *Context { return c.SetHeader("Cache-Control", "no-store") }

// File answers with a file, with ranges and If-Modified-Since. The path must be the
// program's own; for paths that come from clients use os.Root. A directory is 404, like a
// file that does not exist.
func (c *Context) File(path string) error {
	f, info, err := content.Open(path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return NewError(http.StatusForbidden).WithCause(err)
	case err != nil:
		return NewError(http.StatusNotFound).WithCause(err)
	}
	defer f.Close()
	return c.ServeContent(info.Name(), info.ModTime(), f)
}

// Download answers with a file, to be saved under the name, or under its own without one.
// A path before the name is left out.
func (c *Context) Download(path string, name ...string) error {
	h := c.w.Header()
	h.Set("Content-Disposition", header.Attachment(append(slices.Clip(name), filepath.Base(path))...))
	err := c.File(path)
	if err != nil {
		h.Del("Content-Disposition")
	}
	return err
}

// ServeContent answers with content as File does with a file. An ETag for it is set
// before. A range that is not satisfied and a precondition that fails are
// *HTTPErrors with status 416 and 412 (RFC 9110 §13.1, §14.4).
func (c *Context) ServeContent(name string, modified time.Time, data io.ReadSeeker) error {
	status, kept := content.Try(c.w, c.Request(), name, modified, data)
	if status == 0 {
		return nil
	}
	e := NewError(status)
	e.Header = kept
	return e
}

// ServeContent is http.ServeContent, and keeps to RFC 9110 where that does not: a
// range in another unit than bytes is ignored (§14.2), the last 0 bytes are not
// satisfied (§14.1.2), an empty content has no part (§14.4), and the lines of a list of
// tags add up (§5.3).
//
// It is for handlers of net/http; others have [Context.ServeContent].
func ServeContent(w http.ResponseWriter, r *http.Request, name string, modified time.Time, data io.ReadSeeker) {
	content.Serve(w, r, name, modified, data)
}
