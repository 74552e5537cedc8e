package nextrush

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/nextrush/nextrush/internal/header"
	"github.com/nextrush/nextrush/internal/query"
)

// dropRanges removes too many ranges, and those of other methods than GET, for which a
// range has no meaning.
func dropRanges(r *http.Request, ranges []string) *http.Request {
	if r.Method == http.MethodGet && !header.ManyRanges(ranges[0]) {
		return r
	}
	return withHeader(r, "Range", "")
}

const multipartMemory = 1 << 20 // bytes of file parts kept in memory; the rest goes to files

// Param returns a parameter of the route's path, decoded, or "". That of a
// catch-all is without the slash before it: "*path" of /files/a/b is "a/b".
func (c *Context) Param(name string) string {
	if rt := c.matched(); rt != nil {
		for i, n := range rt.names {
			if n == name {
				return c.param(i)
			}
		}
	}
	return ""
}

func (c *Context) param(i int) string {
	if i >= len(c.params) {
		return ""
	}
	value := c.params[i].Value
	rt := c.rw.match.route
	if i == len(rt.names)-1 && rt.endsInCatchAll() {
		return value[1:]
	}
	return value
}

// Query returns the first value of a query parameter; where the query has none
// of that name, the fallback or "". Parameters end at "&" alone, and a "%" that begins
// no escape stays (WHATWG URL §5.1); of a query with more than 10,000 none is read.
func (c *Context) Query(name string, fallback ...string) string {
	if values := c.queries()[name]; len(values) > 0 {
		return values[0]
	}
	if len(fallback) > 0 {
		return fallback[0]
	}
	return ""
}

// Queries returns all query parameters. The map is the Context's own.
func (c *Context) Queries() url.Values { return c.queries() }

func (c *Context) queries() url.Values {
	m := c.extra()
	if m.query == nil {
		m.query, _ = query.Parse(c.req.URL.RawQuery)
	}
	return m.query
}

// Header returns a header of the request, or "".
func (c *Context) Header(name string) string { return c.req.Header.Get(name) }

// Cookie returns the value of a cookie, the first one of that name, or "". To check a
// value, check all of Cookies.
func (c *Context) Cookie(name string) string {
	cookie, err := c.req.Cookie(name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// Cookies returns the values of all cookies of that name, at most 50. A browser sends
// several if they were set for different paths or domains, and their order does not
// tell which one counts (RFC 6265 §4.2.2). It keeps 50 for a whole domain (§6.1).
func (c *Context) Cookies(name string) []string {
	var values []string
	for _, cookie := range c.req.CookiesNamed(name) {
		values = append(values, cookie.Value)
	}
	return values[:min(len(values), maxCookies)]
}

const maxCookies = 50

// Body reads the whole body, once; asked again it returns the same. A body over
// Options.BodyLimit is an *HTTPError with status 413.
func (c *Context) Body() ([]byte, error) {
	m := c.extra()
	if !m.bodyRead {
		m.body, m.bodyErr = c.readBody()
		m.bodyRead = true
	}
	return m.body, m.bodyErr
}

func (c *Context) bodyRead() bool { return c.more != nil && c.more.bodyRead }

func (c *Context) readBody() ([]byte, error) {
	if c.req.Body == nil || c.req.Body == http.NoBody {
		return nil, nil
	}
	limit := c.more.limit
	if limit < 0 {
		limit = math.MaxInt64
	}
	return readUpTo(limit, c.req.Body, c.req.ContentLength)
}

// LimitBody sets how many bytes the request's body may have, more or fewer than
// Options.BodyLimit, before any of it is read; negative: no limit. It returns an
// *HTTPError with status 413 where the client has announced more. Once middleware
// has put a decoder around the body, the limit is that of what it decodes, and
// what comes in may still be no more than Options.BodyLimit.
func (c *Context) LimitBody(limit int64) error {
	if limit < 0 {
		limit = math.MaxInt64
	}
	if c.req.ContentLength > limit {
		return NewError(http.StatusRequestEntityTooLarge)
	}
	m := c.extra()
	m.limit = limit
	if body := c.req.Body; body != nil && body != http.NoBody {
		if body == m.limited {
			body = m.raw
		}
		m.raw, m.limited = body, http.MaxBytesReader(c.rw.ResponseWriter, body, limit)
		c.req.Body = m.limited
	}
	return nil
}

// readUpTo reads to the end, at once where the size is known and modest. The
// limit counts here too, for middleware may have put a decoder on the body.
func readUpTo(limit int64, r io.Reader, size int64) ([]byte, error) {
	if size > limit {
		return nil, NewError(http.StatusRequestEntityTooLarge)
	}
	if size < 0 || size > 64<<10 {
		size = 511
	}
	data := make([]byte, 0, size+1) // one more, for the read that finds the end
	for {
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case int64(len(data)) > limit:
			return nil, NewError(http.StatusRequestEntityTooLarge)
		case err == io.EOF:
			return data, nil
		case err != nil:
			return nil, bodyError(err)
		case len(data) == cap(data):
			data = append(data, 0)[:len(data)]
		}
	}
}

// bodyError is what a failure to read the body means for the client.
func bodyError(err error) error {
	he := AsHTTPError(err)
	if he.Status == http.StatusInternalServerError {
		return NewError(http.StatusBadRequest, "the body could not be read").WithCause(err)
	}
	return he
}

// FormFile returns the first uploaded file of that name. One that is missing is
// an *HTTPError with status 400.
func (c *Context) FormFile(name string) (*multipart.FileHeader, error) {
	form, err := c.multipartForm()
	if err != nil {
		return nil, err
	}
	if files := form.File[name]; len(files) > 0 {
		return files[0], nil
	}
	return nil, NewError(http.StatusBadRequest, "the file "+name+" is missing")
}

func (c *Context) multipartForm() (*multipart.Form, error) {
	if c.req.MultipartForm == nil {
		if !c.Is("multipart/form-data") {
			return nil, NewError(http.StatusUnsupportedMediaType, "the Content-Type must be multipart/form-data")
		}
		if c.bodyRead() {
			c.req.Body = io.NopCloser(bytes.NewReader(c.more.body))
		}
		_ = c.req.ParseForm() // the query, which ParseMultipartForm would refuse for a ";"
		err := c.req.ParseMultipartForm(multipartMemory)
		if err == nil && longHeader(c.req.MultipartForm) {
			removeFiles(c.req)
			c.req.MultipartForm = nil
			err = multipart.ErrMessageTooLarge
		}
		if err != nil {
			return nil, formError(err)
		}
		c.extra().form = c.req.MultipartForm
	}
	return c.req.MultipartForm, nil
}

// maxPartHeader is how many bytes the names and other headers of a part of a form may
// have, as in plugin upload.
const maxPartHeader = 8 << 10

func longHeader(form *multipart.Form) bool {
	for name := range form.Value {
		if len(name) > maxPartHeader {
			return true
		}
	}
	for _, files := range form.File {
		for _, file := range files {
			size := 0
			for name, values := range file.Header {
				size += len(name) + len(strings.Join(values, ""))
			}
			if size > maxPartHeader {
				return true
			}
		}
	}
	return false
}

// finish removes the files of forms. net/http does so for its own request only,
// and handlers have another.
func (c *Context) finish(running *atomic.Int64) {
	running.Add(-1)
	c.removeFiles()
	removeFiles(c.req)
}

func (c *Context) removeFiles() {
	if c.more != nil && c.more.form != nil {
		c.more.form.RemoveAll()
	}
}

func removeFiles(r *http.Request) {
	if r.MultipartForm != nil {
		r.MultipartForm.RemoveAll()
	}
}

func formError(err error) error {
	if errors.Is(err, query.ErrTooMany) {
		return NewError(http.StatusRequestEntityTooLarge, fmt.Sprintf("the form has more than %d fields", query.MaxPairs)).WithCause(err)
	}
	if errors.Is(err, multipart.ErrMessageTooLarge) {
		return NewError(http.StatusRequestEntityTooLarge, "the form has too many parts, or too long names").WithCause(err)
	}
	if he := AsHTTPError(err); he.Status < 500 {
		return he
	}
	return NewError(http.StatusBadRequest, "the form is malformed").WithCause(err)
}

// Host is the host that the client asked for, with its port: from a trusted proxy
// the first of X-Forwarded-Host.
func (c *Context) Host() string {
	_, host := c.app.proxies.Origin(c.req)
	return host
}

// Scheme is "https" or "http": from a trusted proxy as X-Forwarded-Proto says.
func (c *Context) Scheme() string {
	scheme, _ := c.app.proxies.Origin(c.req)
	return scheme
}

// Secure reports whether the client uses HTTPS.
func (c *Context) Secure() bool { return c.Scheme() == "https" }

// IP is the client's address without port: the peer's, or, where that is a
// trusted proxy, the last one in X-Forwarded-For that is none.
func (c *Context) IP() string { return c.app.proxies.Client(c.req) }

// Path is the path of the request, decoded.
func (c *Context) Path() string { return c.req.URL.Path }

// Method is the method of the request.
func (c *Context) Method() string { return c.req.Method }

// UserAgent is the header of that name.
func (c *Context) UserAgent() string { return c.req.UserAgent() }

// Is reports whether the body has that media type: "application/json", "text/*",
// or short "json", which "application/problem+json" is too.
func (c *Context) Is(mediaType string) bool { return header.IsType(c.mediaType(), mediaType) }

// mediaType is the Content-Type in lower case without its parameters, or "".
func (c *Context) mediaType() string { return header.MediaType(c.req.Header.Get("Content-Type")) }

// Accepts returns the one of the types that the client prefers, by the Accept
// header (RFC 9110 §12.5.1), or "" when it takes none. Among equals the first
// given wins. A type is a media type or a file extension: "json".
func (c *Context) Accepts(types ...string) string {
	return header.Accept(c.req.Header["Accept"], types)
}

// AcceptsEncoding returns the one of the content codings, "zstd" or "gzip" say,
// that the client prefers by its Accept-Encoding (RFC 9110 §12.5.3), the first of
// them among equals. It is empty if the client takes none of them, or likes
// the content as it is better.
func (c *Context) AcceptsEncoding(codings ...string) string {
	return header.AcceptEncoding(c.req.Header["Accept-Encoding"], codings)
}

// AcceptsLanguage returns the one of the languages, "en" or "pt-BR" say, that the
// client prefers by its Accept-Language (RFC 9110 §12.5.4), the first of them among
// equals and if the client has no preference. A client that wants "de-AT" takes
// "de". It is empty if the client takes none of them.
func (c *Context) AcceptsLanguage(languages ...string) string {
	return header.AcceptLanguage(c.req.Header["Accept-Language"], languages)
}
