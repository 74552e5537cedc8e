package session

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/cookie"
)

// serve loads the session. It saves it when the answer begins or, if there is no answer,
// when the handlers have returned. If that fails, the error replaces the answer.
func (p *Plugin) serve(c *nextrush.Context) error {
	c.Vary("Cookie")
	ctx, before, err := p.find(c)
	if err != nil {
		return err
	}
	c.SetContext(ctx)
	w := &saver{ResponseWriter: c.Writer(), plugin: p, c: c, before: before, token: p.manager.Token(ctx)}
	c.Set(key, w)
	c.SetWriter(w)
	err = c.Next()
	if failed := w.begin(); failed != nil {
		return failed
	}
	return err
}

// find loads the first session that the client has, or begins one; before is the context
// without it.
func (p *Plugin) find(c *nextrush.Context) (ctx, before context.Context, err error) {
	name := p.manager.Cookie.Name
	for _, token := range append(c.Cookies(name), "") {
		before = c.Context()
		if p.seal != nil {
			token, before = p.seal.open(before, name, token)
		}
		ctx, err = p.manager.Load(before, token)
		if err != nil || p.manager.Token(ctx) != "" {
			break
		}
	}
	return ctx, before, err
}

// save puts the session in its store and the cookie in the header.
func (p *Plugin) save(w *saver) error {
	m, c := p.manager, w.c
	switch m.Status(c.Context()) {
	case scs.Modified:
		if time.Until(m.Deadline(c.Context())) <= 0 {
			return nil
		}
		ctx := w.committing(c.Context())
		token, expiry, err := m.Commit(ctx)
		if err == nil && p.seal != nil {
			token, err = p.seal.close(ctx, m.Cookie.Name, expiry)
		}
		switch {
		case errors.Is(err, errEnded):
			return nil // the client may have another session by now
		case err != nil:
			return err
		}
		// Rounded up, so that the client keeps the cookie as long as the store keeps the session.
		p.setCookie(c, token, int(time.Until(expiry)/time.Second)+1)
	case scs.Destroyed:
		p.setCookie(c, "", -1)
	}
	return nil
}

// committing tells keeper what the commit does. While the handlers ran, another request
// may have ended or changed the session.
func (w *saver) committing(ctx context.Context) context.Context {
	switch {
	case w.token == "" || w.plugin.manager.Token(ctx) != w.token:
		return ctx
	case w.changed.Load():
		return context.WithValue(ctx, committing(0), changing)
	}
	return context.WithValue(ctx, committing(0), touching)
}

// endOthers ends the client's other sessions, which could be used instead from now on.
func (w *saver) endOthers() error {
	m := w.plugin.manager
	if w.plugin.seal != nil {
		return nil
	}
	for _, token := range w.c.Cookies(m.Cookie.Name) {
		if token == w.token {
			continue
		}
		other, err := m.Load(w.before, token)
		if err == nil && m.Token(other) != "" {
			err = m.Destroy(other)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// forgetEnded removes the values that this request has not put, if the session has ended
// since it was found.
func (w *saver) forgetEnded(ctx context.Context) error {
	m := w.plugin.manager
	if w.token == "" || m.Token(ctx) != w.token {
		return nil
	}
	now, err := m.Load(w.before, w.token)
	if err != nil || m.Token(now) != "" {
		return err
	}
	for _, name := range m.Keys(ctx) {
		if !w.hasPut(name) {
			m.Remove(ctx, name)
		}
	}
	return nil
}

// putting records that a handler puts a value.
func (w *saver) putting(name string) {
	w.putMu.Lock()
	defer w.putMu.Unlock()
	w.put = append(w.put, name)
}

func (w *saver) hasPut(name string) bool {
	w.putMu.Lock()
	defer w.putMu.Unlock()
	return slices.Contains(w.put, name)
}

// setCookie also removes a cookie from before Domain was set, which would stay beside
// this one.
func (p *Plugin) setCookie(c *nextrush.Context, value string, maxAge int) {
	o := p.manager.Cookie
	secure := c.Secure() || cookie.MustBeSecure(o.Name)
	if o.Domain != "" && len(c.Cookies(o.Name)) > 0 {
		c.SetCookie(&http.Cookie{Name: o.Name, Path: o.Path, MaxAge: -1, Secure: secure, HttpOnly: true})
	}
	c.SetCookie(&http.Cookie{
		Name:     o.Name,
		Value:    value,
		Path:     o.Path,
		Domain:   o.Domain,
		MaxAge:   maxAge,
		Secure:   secure,
		HttpOnly: true,
		SameSite: o.SameSite,
	})
	c.Append("Cache-Control", `no-cache="Set-Cookie"`)
}

// saver saves the session before the first byte of the answer.
type saver struct {
	http.ResponseWriter
	plugin  *Plugin
	c       *nextrush.Context
	before  context.Context // without the session
	token   string          // of the session as it was found; empty: there was none
	changed atomic.Bool     // a handler, maybe a late one, has changed the session
	putMu   sync.Mutex      // guards put
	put     []string        // names of the values that handlers have put
	done    bool
	err     error // of save: only the answer to an error is let through
}

// Unwrap lets http.ResponseController find the writer's other methods.
func (w *saver) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *saver) WriteHeader(status int) {
	if status < 200 || w.begin() == nil {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *saver) Write(b []byte) (int, error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	return w.ResponseWriter.Write(b)
}

// WriteString saves a copy if the writer below takes strings.
func (w *saver) WriteString(s string) (int, error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	return io.WriteString(w.ResponseWriter, s)
}

// ReadFrom lets the writer below use sendfile.
func (w *saver) ReadFrom(src io.Reader) (int64, error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	return io.Copy(w.ResponseWriter, src)
}

// FlushError also saves the session, as flushing sends the header.
func (w *saver) FlushError() error {
	if err := w.begin(); err != nil {
		return err
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush is FlushError for callers that look for an http.Flusher.
func (w *saver) Flush() { w.FlushError() }

func (w *saver) begin() error {
	if !w.done {
		w.done = true
		w.err = w.plugin.save(w)
	}
	return w.err
}

// Discard is called before an error is answered; that answer is let through.
func (w *saver) Discard() {
	if !w.done && w.begin() != nil {
		w.c.Log().Error("session is not saved", "error", w.err)
	}
	w.err = nil
}
