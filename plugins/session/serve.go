package session

import (
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/nextrush/nextrush"
)

// serve loads the session, and saves it when the answer begins or, where there is
// none, when the handlers have returned. Where it can not be saved, that error takes
// the place of the answer.
func (p *Plugin) serve(c *nextrush.Context) error {
	c.Vary("Cookie")
	token, ctx := c.Cookie(p.manager.Cookie.Name), c.Context()
	if p.seal != nil {
		token, ctx = p.seal.open(ctx, p.manager.Cookie.Name, token)
	}
	ctx, err := p.manager.Load(ctx, token)
	if err != nil {
		return err
	}
	c.SetContext(ctx)
	c.Set(key, p.manager)
	w := &saver{ResponseWriter: c.Writer(), plugin: p, c: c}
	c.SetWriter(w)
	err = c.Next()
	if failed := w.begin(); failed != nil {
		return failed
	}
	return err
}

// save puts the session in its store and the cookie in the header.
func (p *Plugin) save(c *nextrush.Context) error {
	m := p.manager
	switch m.Status(c.Context()) {
	case scs.Modified:
		token, expiry, err := m.Commit(c.Context())
		if err == nil && p.seal != nil {
			token, err = p.seal.close(c.Context(), m.Cookie.Name, expiry)
		}
		if err != nil {
			return err
		}
		// Rounded up: the client keeps it as long as the store does.
		p.setCookie(c, token, int(time.Until(expiry)/time.Second)+1)
	case scs.Destroyed:
		p.setCookie(c, "", -1)
	}
	return nil
}

func (p *Plugin) setCookie(c *nextrush.Context, value string, maxAge int) {
	o := p.manager.Cookie
	c.SetCookie(&http.Cookie{
		Name:     o.Name,
		Value:    value,
		Path:     o.Path,
		Domain:   o.Domain,
		MaxAge:   maxAge,
		Secure:   c.Secure(),
		HttpOnly: true,
		SameSite: o.SameSite,
	})
	c.Append("Cache-Control", `no-cache="Set-Cookie"`)
}

// saver saves the session before the first byte of the answer.
type saver struct {
	http.ResponseWriter
	plugin *Plugin
	c      *nextrush.Context
	done   bool
	err    error // of save: nothing is let through but the answer to an error
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

// FlushError saves the session too, for a header that is flushed has begun.
func (w *saver) FlushError() error {
	if err := w.begin(); err != nil {
		return err
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush is FlushError for those that look for an http.Flusher.
func (w *saver) Flush() { w.FlushError() }

func (w *saver) begin() error {
	if !w.done {
		w.done = true
		w.err = w.plugin.save(w.c)
	}
	return w.err
}

// Discard is called before an error is answered, which is let through.
func (w *saver) Discard() {
	if !w.done && w.begin() != nil {
		w.c.Log().Error("session is not saved", "error", w.err)
	}
	w.err = nil
}
