package nextrush

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

const maxPooledBuffer = 64 << 10 // bytes; larger ones are left to the collector

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func getBuffer() *bytes.Buffer { return buffers.Get().(*bytes.Buffer) }

func putBuffer(b *bytes.Buffer) {
	if b.Cap() > maxPooledBuffer {
		return
	}
	b.Reset()
	buffers.Put(b)
}

// ReadFrom lets the real writer use sendfile.
func (w *response) ReadFrom(src io.Reader) (int64, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := io.Copy(w.ResponseWriter, src)
	w.size += n
	return n, err
}

// WriteString saves a copy where the real writer takes strings.
func (w *response) WriteString(s string) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := io.WriteString(w.ResponseWriter, s)
	w.size += int64(n)
	return n, err
}

// Status sets the status of the response that follows: c.Status(201).JSON(v).
func (c *Context) Status(code int) *Context {
	c.code = int32(code)
	return c
}

// StatusCode is the status that was sent: 101 for a WebSocket, 0 when nothing
// has been sent.
func (c *Context) StatusCode() int { return int(c.rw.status) }

// Written reports whether the status has been sent.
func (c *Context) Written() bool { return c.rw.status != 0 }

// Size is the number of bytes of the body that have been written.
func (c *Context) Size() int64 { return c.rw.size }

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
		if !headerHasToken(h["Vary"], name) {
			h.Add("Vary", name)
		}
	}
	return c
}

func headerHasToken(lines []string, token string) bool {
	for _, line := range lines {
		for t := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// Type sets the Content-Type, given as such or as a file extension: "json", ".png".
func (c *Context) Type(t string) *Context {
	if !strings.Contains(t, "/") {
		t = mime.TypeByExtension("." + strings.TrimPrefix(t, "."))
		if t == "" {
			t = "application/octet-stream"
		}
	}
	return c.SetHeader("Content-Type", t)
}

// begin sends the status, with contentType unless the handler set another.
func (c *Context) begin(contentType string) {
	h := c.w.Header()
	if _, set := h["Content-Type"]; !set && contentType != "" {
		h["Content-Type"] = []string{contentType}
	}
	code := int(c.code)
	if code == 0 {
		code = http.StatusOK
	}
	c.w.WriteHeader(code)
}

func (c *Context) write(contentType string, body []byte) error {
	c.begin(contentType)
	_, err := c.w.Write(body)
	return err
}

// JSON answers with v as JSON. What cannot be encoded is an error, and nothing
// has been sent then.
func (c *Context) JSON(v any) error {
	buf := getBuffer()
	defer putBuffer(buf)
	if err := json.NewEncoder(buf).Encode(v); err != nil {
		return fmt.Errorf("nextrush: encode JSON: %w", err)
	}
	return c.write("application/json; charset=utf-8", buf.Bytes())
}

// Text answers with plain text.
func (c *Context) Text(s string) error {
	c.begin("text/plain; charset=utf-8")
	_, err := io.WriteString(c.w, s)
	return err
}

// HTML answers with a page.
func (c *Context) HTML(s string) error {
	c.begin("text/html; charset=utf-8")
	_, err := io.WriteString(c.w, s)
	return err
}

// XML answers with v as XML. What cannot be encoded is an error, and nothing has
// been sent then.
func (c *Context) XML(v any) error {
	buf := getBuffer()
	defer putBuffer(buf)
	buf.WriteString(xml.Header)
	if err := xml.NewEncoder(buf).Encode(v); err != nil {
		return fmt.Errorf("nextrush: encode XML: %w", err)
	}
	return c.write("application/xml; charset=utf-8", buf.Bytes())
}

// CSV answers with rows, to be saved as filename unless that is empty. Cells
// are written as they are: whoever opens the file with a spreadsheet has those
// that begin with =, +, - or @ taken for formulas.
func (c *Context) CSV(rows [][]string, filename string) error {
	buf := getBuffer()
	defer putBuffer(buf)
	if err := csv.NewWriter(buf).WriteAll(rows); err != nil {
		return fmt.Errorf("nextrush: encode CSV: %w", err)
	}
	if filename != "" {
		c.SetHeader("Content-Disposition", attachment(filename))
	}
	return c.write("text/csv; charset=utf-8", buf.Bytes())
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

// Stream answers with what r gives until its end.
func (c *Context) Stream(contentType string, r io.Reader) error {
	c.w.Header()["Content-Type"] = []string{contentType}
	c.begin("")
	_, err := io.Copy(c.w, r)
	return err
}

// File answers with a file, with ranges and If-Modified-Since. The path is the
// program's: it must not be made of what the client sent; for that there is
// os.Root. A directory is 404, like a file that is not there.
func (c *Context) File(path string) error {
	f, err := openFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return NewError(http.StatusNotFound)
	}
	http.ServeContent(c.w, c.req, info.Name(), info.ModTime(), f)
	return nil
}

// openFile opens exactly that path: a symbolic link at its end that leads out of
// its directory is refused.
func openFile(path string) (*os.File, error) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, notFound(err)
	}
	defer root.Close()
	f, err := root.Open(filepath.Base(path))
	if err != nil {
		return nil, notFound(err)
	}
	return f, nil
}

func notFound(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return NewError(http.StatusForbidden).WithCause(err)
	}
	return NewError(http.StatusNotFound).WithCause(err)
}

// Download answers with a file to be saved under a name; without one, under its own.
func (c *Context) Download(path string, name ...string) error {
	as := filepath.Base(path)
	if len(name) > 0 && name[0] != "" {
		as = name[0]
	}
	h := c.w.Header()
	h.Set("Content-Disposition", attachment(as))
	err := c.File(path)
	if err != nil {
		h.Del("Content-Disposition")
	}
	return err
}

// attachment is a Content-Disposition as in RFC 6266 §4 and appendix D: a plain
// name for old clients, and the exact one in RFC 8187's form where they differ.
func attachment(name string) string {
	name = strings.ToValidUTF8(name, "_")
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\/%`, r) {
			return '_'
		}
		return r
	}, name)
	value := `attachment; filename="` + plain + `"`
	if plain != name {
		value += "; filename*=UTF-8''" + extValue(name)
	}
	return value
}

// extValue percent-encodes all but attr-char (RFC 8187 §3.2.1).
func extValue(s string) string {
	var b strings.Builder
	for _, ch := range []byte(s) {
		alnum := ch >= '0' && ch <= '9' || ch >= 'A' && ch <= 'Z' || ch >= 'a' && ch <= 'z'
		if alnum || strings.IndexByte("!#$&+-.^_`|~", ch) >= 0 {
			b.WriteByte(ch)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", ch)
	}
	return b.String()
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
	c.SetHeader("Location", escapeLocation(to))
	c.w.WriteHeader(status)
	return nil
}

func escapeLocation(s string) string {
	var b strings.Builder
	for _, ch := range []byte(s) {
		if ch <= ' ' || ch >= 0x7f || strings.IndexByte("\\\"<>^`{|}", ch) >= 0 {
			fmt.Fprintf(&b, "%%%02X", ch)
			continue
		}
		b.WriteByte(ch)
	}
	return b.String()
}

// NoContent answers without a body: 204, or the status set before.
func (c *Context) NoContent() error {
	code := int(c.code)
	if code == 0 {
		code = http.StatusNoContent
	}
	c.w.WriteHeader(code)
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

// ClearCookie has the client forget a cookie of the whole site.
func (c *Context) ClearCookie(name string) *Context {
	return c.SetCookie(&http.Cookie{Name: name, MaxAge: -1, Expires: time.Unix(1, 0), Secure: mustBeSecure(name)})
}

// mustBeSecure reports names that browsers take with Secure alone (RFC 6265bis
// §4.1.3).
func mustBeSecure(name string) bool {
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "__host-") || strings.HasPrefix(name, "__secure-")
}

// Render answers with a template, through Options.Renderer.
func (c *Context) Render(name string, data any) error {
	if c.app.opts.Renderer == nil {
		return errors.New("nextrush: Render: set Options.Renderer first")
	}
	buf := getBuffer()
	defer putBuffer(buf)
	if err := c.app.opts.Renderer.Render(buf, name, data, c); err != nil {
		return fmt.Errorf("nextrush: render %s: %w", name, err)
	}
	return c.write("text/html; charset=utf-8", buf.Bytes())
}

// CacheFor lets clients and shared caches keep the response for d, in whole seconds.
func (c *Context) CacheFor(d time.Duration) *Context {
	return c.SetHeader("Cache-Control", "public, max-age="+strconv.FormatInt(int64(d/time.Second), 10))
}

// NoCache forbids to keep the response.
func (c *Context) NoCache() *Context { return c.SetHeader("Cache-Control", "no-store") }

// Success answers as NextRush does: {"success":true,"data":v,"message":…}.
func (c *Context) Success(v any, message ...string) error {
	return c.JSON(struct {
		Success bool   `json:"success"`
		Data    any    `json:"data"`
		Message string `json:"message,omitempty"`
	}{true, v, strings.Join(message, " ")})
}

// Fail answers with a status and
// {"success":false,"error":{"message":…,"details":…}}. An error that middleware
// is to see is better returned as an HTTPError.
func (c *Context) Fail(status int, message string, details ...any) error {
	type failure struct {
		Message string `json:"message"`
		Details any    `json:"details,omitempty"`
	}
	f := failure{Message: message}
	switch len(details) {
	case 0:
	case 1:
		f.Details = details[0]
	default:
		f.Details = details
	}
	return c.Status(status).JSON(struct {
		Success bool    `json:"success"`
		Error   failure `json:"error"`
	}{false, f})
}

// Pagination describes one page of a list; pages count from 1.
type Pagination struct {
	Page    int  `json:"page"`
	Limit   int  `json:"limit"`
	Total   int  `json:"total"`
	Pages   int  `json:"totalPages"`
	HasNext bool `json:"hasNext"`
	HasPrev bool `json:"hasPrev"`
}

// Paginate answers with one page of a list and, in the Link header, where the
// others are (RFC 8288): {"success":true,"data":items,"pagination":{…}}.
func (c *Context) Paginate(items any, page, limit, total int) error {
	page, limit = max(page, 1), max(limit, 1)
	p := Pagination{Page: page, Limit: limit, Total: total, Pages: (total + limit - 1) / limit}
	p.HasNext, p.HasPrev = page < p.Pages, page > 1
	if p.HasPrev {
		c.Append("Link", c.pageLink(page-1, "prev"))
	}
	if p.HasNext {
		c.Append("Link", c.pageLink(page+1, "next"))
	}
	return c.JSON(struct {
		Success    bool       `json:"success"`
		Data       any        `json:"data"`
		Pagination Pagination `json:"pagination"`
	}{true, items, p})
}

func (c *Context) pageLink(page int, rel string) string {
	q := c.req.URL.Query()
	q.Set("page", strconv.Itoa(page))
	u := url.URL{RawQuery: q.Encode()}
	return "<" + u.String() + `>; rel="` + rel + `"`
}
