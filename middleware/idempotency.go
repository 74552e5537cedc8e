package middleware

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nextrush/nextrush"
)

// IdempotencyOptions configures Idempotency. User must be set.
type IdempotencyOptions struct {
	// User returns whose keys a request's are, so that nobody gets the answer of another:
	// the id of the user, or c.IP() where there are none.
	User func(*nextrush.Context) string

	Store    Store         // nil: NewMemoryStore(64 << 20)
	TTL      time.Duration // for which an answer is given again; 0: 24 h
	Running  time.Duration // after which a request that has not ended counts as dead, with its process; 0: a minute
	Limit    int           // bytes of a body of an answer; a larger one is not kept; 0: 1 MiB
	Methods  []string      // that have keys; empty: POST, PATCH
	Required bool          // answer 400 to requests with these methods and no key
}

const maxIdempotencyKey = 255 // bytes

// Idempotency carries out a request with the header Idempotency-Key once, however often a
// client sends it that has not seen the answer (IETF draft idempotency-key-header-07):
// others with the same key of the same user get the same answer, without its Set-Cookie
// and with Idempotent-Replayed: true. While the first one runs they get 409, and 422 if
// they have another method, URL or body. An answer with status 500 or above, a panic and
// the end of the client free the key, as far as nothing has been sent.
//
// It reads the body, up to Options.BodyLimit, and has errors answered as Logger does. It
// belongs after Timeout, whose 503 would free the key of a handler that is abandoned.
// While the store fails, it answers 503. It panics on a mistake in the options.
func Idempotency(o IdempotencyOptions) nextrush.Handler {
	p := o.withDefaults()
	return func(c *nextrush.Context) error {
		if !slices.Contains(p.Methods, c.Method()) {
			return c.Next()
		}
		key, err := p.key(c)
		if err != nil {
			return err
		}
		if key == "" {
			return c.Next()
		}
		print, err := fingerprint(c)
		if err != nil {
			return err
		}
		existing, err := p.Store.Add(c.Context(), key, []byte(print), p.Running)
		switch {
		case err != nil:
			return nextrush.NewError(http.StatusServiceUnavailable).WithCause(err)
		case existing != nil:
			return again(c, existing, print)
		}
		return p.once(c, key, print)
	}
}

func (o IdempotencyOptions) withDefaults() *IdempotencyOptions {
	if o.User == nil {
		panic("middleware: Idempotency: User: say whose keys a request's are, as by the id of the user, or return c.IP()")
	}
	if o.TTL < 0 || o.Running < 0 || o.Limit < 0 {
		panic("middleware: Idempotency: a time or the limit is negative: leave it out")
	}
	if o.Store == nil {
		o.Store = NewMemoryStore(64 << 20)
	}
	o.TTL, o.Running = cmp.Or(o.TTL, 24*time.Hour), cmp.Or(o.Running, time.Minute)
	o.Limit = cmp.Or(o.Limit, 1<<20)
	if len(o.Methods) == 0 {
		o.Methods = []string{http.MethodPost, http.MethodPatch}
	}
	return &o
}

// key returns the key in the store; empty: the request has none. Clients write it as a
// string of RFC 9651 §3.3.3, or without the quotes.
func (o *IdempotencyOptions) key(c *nextrush.Context) (string, error) {
	lines := c.Request().Header["Idempotency-Key"]
	if len(lines) == 0 && !o.Required {
		return "", nil
	}
	sent := strings.TrimSpace(strings.Join(lines, ","))
	if inner, ok := strings.CutPrefix(sent, `"`); ok {
		sent, _ = strings.CutSuffix(inner, `"`)
	}
	if sent == "" || len(sent) > maxIdempotencyKey || len(lines) > 1 {
		return "", nextrush.NewError(http.StatusBadRequest, "send one Idempotency-Key of 1 to 255 characters").WithCode("idempotency_key")
	}
	return "idempotency:" + digest(o.User(c), sent), nil
}

// fingerprint tells requests apart, and leaves the body to be read again.
func fingerprint(c *nextrush.Context) (string, error) {
	body, err := c.Body()
	if err != nil {
		return "", err
	}
	c.Request().Body = io.NopCloser(bytes.NewReader(body))
	u := c.Request().URL
	return digest(c.Method(), c.Host(), u.EscapedPath(), u.RawQuery, c.Header("Content-Type"), string(body)), nil
}

// again answers a request whose key is taken. A value is the fingerprint of the request,
// and after it its answer, if that is known.
func again(c *nextrush.Context, existing []byte, print string) error {
	answered, ok := bytes.CutPrefix(existing, []byte(print))
	if !ok {
		return nextrush.NewError(http.StatusUnprocessableEntity, "the Idempotency-Key was used for another request").WithCode("idempotency_reused")
	}
	if len(answered) == 0 {
		return nextrush.NewError(http.StatusConflict, "the first request with this Idempotency-Key still runs").WithCode("idempotency_running").WithHeader("Retry-After", "1")
	}
	k := parseKept(answered)
	if k == nil || k.Status == 0 {
		return nextrush.NewError(http.StatusConflict, "the request has been carried out, but its answer was not kept").WithCode("idempotency_lost")
	}
	h := c.Writer().Header()
	maps.Copy(h, k.Header)
	h.Set("Idempotent-Replayed", "true")
	return k.write(c)
}

// once carries the request out and keeps its answer.
func (o *IdempotencyOptions) once(c *nextrush.Context, key, print string) (err error) {
	before := cloneHeader(c.Writer().Header())
	w := &held{ResponseWriter: c.Writer(), limit: o.Limit, holds: func(int) bool { return true }}
	c.SetWriter(w)
	defer c.SetWriter(w.ResponseWriter)
	panics := true
	defer func() {
		if panics && !w.through {
			w.status = http.StatusInternalServerError // which frees the key
		}
		o.set(c, key, value(c, w, before, print))
		if !panics {
			err = cmp.Or(w.release(), err)
		}
	}()
	if err = c.Next(); err != nil {
		c.HandleError(err)
	}
	panics = false
	return err
}

// value is what is kept for a request that has ended; nil: nothing, and the key is free.
func value(c *nextrush.Context, w *held, before http.Header, print string) []byte {
	lost := append([]byte(print), (&keptAnswer{}).bytes()...)
	switch {
	case w.through:
		return lost
	case w.status >= 500 || w.status == 0 && c.Context().Err() != nil:
		return nil
	}
	k := &keptAnswer{Status: cmp.Or(w.status, http.StatusOK), Header: changedHeader(w.Header(), before), body: w.body.Bytes()}
	if b := k.bytes(); b != nil {
		return append([]byte(print), b...)
	}
	return lost
}

func (o *IdempotencyOptions) set(c *nextrush.Context, key string, value []byte) {
	if err := o.Store.Set(context.WithoutCancel(c.Context()), key, value, o.TTL); err != nil {
		c.Log().Error("idempotency store failed: the answer is not kept", "error", err)
	}
}
