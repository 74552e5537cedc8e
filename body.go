package nextrush

import (
	"errors"
	"io"
	"math"
	"mime/multipart"
	"net/http"
	"os"

	"github.com/nextrush/nextrush/internal/body"
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
	body.RemoveFiles(&r.Request)
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
	if c.app.opts.BodyLimit <= 0 || body.IsEmpty(c.req) {
		return
	}
	if own, ok := c.req.Body.(*timedBody); ok {
		c.extras = &own.extras
	}
	c.needExtras().body.Limit(c.out.ResponseWriter, c.Request(), c.app.opts.BodyLimit)
}

// Body reads the whole body, once; asked again it returns the same. A body over
// Options.BodyLimit is an *HTTPError with status 413.
func (c *Context) Body() ([]byte, error) {
	b, err := c.needExtras().body.Bytes(c.Request())
	return b, bodyError(err)
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
	c.needExtras().body.Limit(c.out.ResponseWriter, c.Request(), limit)
	return nil
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
	if c.req.MultipartForm == nil && !c.Is("multipart/form-data") {
		return nil, NewError(http.StatusUnsupportedMediaType, "the Content-Type must be multipart/form-data")
	}
	form, err := c.needExtras().body.Form(c.Request())
	return form, bodyError(err)
}
