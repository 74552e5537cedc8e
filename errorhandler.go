package nextrush

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/nextrush/nextrush/internal/head"
	"github.com/nextrush/nextrush/internal/pre"
	"github.com/nextrush/nextrush/internal/problem"
	"github.com/nextrush/nextrush/internal/record"
	"github.com/nextrush/nextrush/internal/server"
)

// HandleError answers err now, instead of when all middleware has returned. It answers
// an error once, even if that is returned again afterwards. If a writer of middleware
// that holds back what was written has a method Discard, that is called first. If
// Options.ErrorHandler does not answer, DefaultErrorHandler does.
//
// HandleError logs a panic with its stack, an error that came after the response had
// begun, and one that is the server's, unless it was answered with a status of 400 to
// 499 or the client has gone. The cause of one that is the client's it logs at debug.
func (c *Context) HandleError(err error) {
	if err == nil || c.failed || head.BrokeOff(c.req.Context(), err) {
		return
	}
	if server.EndedBy(c.req.Context(), err) {
		err = NewError(http.StatusServiceUnavailable, "the server is shutting down").WithCause(err)
	}
	c.failed = true
	record.Discard(c.w, &c.out)
	defer c.logFailure(err, c.StatusCode() != 0)
	c.app.opts.ErrorHandler(c, err)
	if c.StatusCode() == 0 {
		DefaultErrorHandler(c, err)
	}
}

// Answered reports whether HandleError has answered. Middleware that holds back
// what was written asks when it gets an error: what it holds is then that answer.
func (c *Context) Answered() bool { return c.failed }

// DefaultErrorHandler answers with application/problem+json (RFC 9457), or with HTML if
// the client prefers it. If the response has begun and the error is the server's, it cuts
// the response off, so that the client does not take it for whole.
func DefaultErrorHandler(c *Context, err error) {
	he := AsHTTPError(err)
	if c.StatusCode() != 0 {
		whole := c.w.Hijacked || errors.Is(err, http.ErrBodyNotAllowed) // as a 204 is without what it must not have
		if he.Status >= 500 && !whole {
			pre.NoteCut(c.req.Context(), err)
			c.cutOff()
		}
		return
	}
	if err := c.problem(he); err != nil {
		c.Log().Debug("error response not sent", "error", err)
	}
}

// cutOff ends the connection, or the stream of HTTP/2. What has been written is sent
// before: a client that gets nothing at all sends the request again (RFC 9112
// §9.3.1). One of HTTP/1.0 would take it for whole.
func (c *Context) cutOff() {
	if c.StatusCode() != 0 && !c.w.Hijacked && c.req.ProtoAtLeast(1, 1) {
		c.w.Flush()
	}
	panic(http.ErrAbortHandler)
}

// logFailure logs an error that has been answered, where HandleError says so; began
// is whether the response had begun before.
func (c *Context) logFailure(err error, began bool) {
	var p *PanicError
	status := c.StatusCode()
	gone := errors.Is(err, context.Canceled) && c.req.Context().Err() != nil || c.clientLeft() || errors.Is(err, http.ErrHandlerTimeout)
	switch {
	case c.logged:
	case errors.As(err, &p):
		c.Log().Error("panic", "error", err, "stack", string(p.Stack))
	case gone:
	case began, status >= 500, StatusOf(err) >= 500 && (status < 400 || status > 499):
		c.Log().Error("request failed", "error", err)
	case errors.Unwrap(AsHTTPError(err)) != nil && c.app.Log().Enabled(c.Context(), slog.LevelDebug):
		c.Log().Debug("request refused", "status", status, "error", err)
	}
}

// clientLeft reports that a write has failed because the client does not read any
// more: net/http ends the request's context then.
func (c *Context) clientLeft() bool {
	return c.out.Broke && context.Cause(c.req.Context()) == context.Canceled
}

func (c *Context) problem(he *HTTPError) error {
	p := problem.New(he.Status, he.Message, he.Code, he.Details)
	if c.app.opts.Debug && he.cause != nil {
		p.Cause = he.cause.Error()
		var pe *PanicError
		if errors.As(he.cause, &pe) {
			p.Stack = string(pe.Stack)
		}
	}
	problem.KeepHeader(c.w.Header(), he.Header)
	c.code = int32(he.Status)
	c.Vary("Accept")
	contentType, body, err := p.For(c.Request().Header["Accept"])
	if err != nil {
		return err
	}
	return c.Blob(contentType, body)
}
