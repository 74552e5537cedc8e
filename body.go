package nextrush

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"mime/multipart"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/nextrush/nextrush/internal/form"
	"github.com/nextrush/nextrush/internal/query"
	"github.com/nextrush/nextrush/internal/stall"
)

// ownRequest is the app's copy of a request that has a body, in one piece with what
// the body needs.
type ownRequest struct {
	http.Request
	body timedBody
}

// timedBody keeps Options.BodyTimeout, so that clients which send a body a byte at a
// time do not hold goroutines for ever (slowloris).
type timedBody struct {
	stall.Body
	extras extras // of the Context of the request
}

// ownRequest has Options.BodyTimeout kept if the server has no time-out of its own.
func (a *App) ownRequest(w http.ResponseWriter, r *http.Request) *ownRequest {
	own := &ownRequest{Request: *r}
	server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if limit := a.opts.BodyTimeout; ok && limit >= 0 && server.ReadTimeout <= 0 {
		own.body.Begin(r.Body, w, r.ProtoMajor > 1, limit)
		own.Body = &own.body
	}
	return own
}

func (r *ownRequest) end() {
	r.body.End()
	removeFiles(&r.Request)
}

// Read returns an *HTTPError with status 408 when the client's time is up.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.Body.Read(p)
	if err != nil && err != io.EOF && errors.Is(err, os.ErrDeadlineExceeded) {
		err = NewError(http.StatusRequestTimeout, "the body came too slowly").WithCause(err)
	}
	return n, err
}

// limitBody applies Options.BodyLimit.
func (c *Context) limitBody() {
	if c.req.Body == nil || c.req.Body == http.NoBody || c.app.opts.BodyLimit <= 0 {
		return
	}
	if body, ok := c.req.Body.(*timedBody); ok {
		c.extras = &body.extras
		c.extras.limit = c.app.opts.BodyLimit
	}
	c.setLimit(c.req.Body, c.app.opts.BodyLimit)
}

// setLimit puts a limit around a body that has none.
func (c *Context) setLimit(body io.ReadCloser, limit int64) {
	e := c.needExtras()
	e.raw, e.limited = body, http.MaxBytesReader(c.out.ResponseWriter, body, limit)
	c.req.Body = e.limited
}

// Body reads the whole body, once; asked again it returns the same. A body over
// Options.BodyLimit is an *HTTPError with status 413.
func (c *Context) Body() ([]byte, error) {
	e := c.needExtras()
	if !e.bodyRead {
		e.body, e.bodyErr = c.readBody()
		e.bodyRead = true
	}
	return e.body, e.bodyErr
}

func (c *Context) bodyRead() bool { return c.extras != nil && c.extras.bodyRead }

func (c *Context) readBody() ([]byte, error) {
	if c.req.Body == nil || c.req.Body == http.NoBody {
		return nil, nil
	}
	limit := c.extras.limit
	if limit < 0 {
		limit = math.MaxInt64
	}
	return readUpTo(limit, c.req.Body, c.req.ContentLength)
}

// LimitBody sets how many bytes the request's body may have, more or fewer than
// Options.BodyLimit, before any of it is read; negative: no limit. It returns an
// *HTTPError with status 413 if the client has announced more. If middleware has put a
// decoder around the body, the limit applies to what it decodes, and Options.BodyLimit
// still to what comes in.
func (c *Context) LimitBody(limit int64) error {
	if limit < 0 {
		limit = math.MaxInt64
	}
	if c.req.ContentLength > limit {
		return NewError(http.StatusRequestEntityTooLarge)
	}
	e := c.needExtras()
	e.limit = limit
	if body := c.req.Body; body != nil && body != http.NoBody {
		if body == e.limited {
			body = e.raw
		}
		c.setLimit(body, limit)
	}
	return nil
}

// readUpTo reads to the end, at once if the size is known and modest. The
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
	parsed, err := c.multipartForm()
	if err != nil {
		return nil, err
	}
	if files := parsed.File[name]; len(files) > 0 {
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
			c.req.Body = io.NopCloser(bytes.NewReader(c.extras.body))
		}
		if err := form.Parse(c.req); err != nil {
			return nil, formError(err)
		}
		c.needExtras().form = c.req.MultipartForm
	}
	return c.req.MultipartForm, nil
}

// finish removes the files of forms. net/http does so for its own request only,
// and handlers have another.
func (c *Context) finish(running *atomic.Int64) {
	running.Add(-1)
	c.removeFiles()
	removeFiles(c.req)
}

func (c *Context) removeFiles() {
	if c.extras != nil && c.extras.form != nil {
		c.extras.form.RemoveAll()
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
