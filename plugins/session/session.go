// Package session keeps data on the server for a client that brings a cookie
// with a random id, on github.com/alexedwards/scs.
//
//	app.Register(session.New(session.Options{}))
//	app.Post("/login", func(c *nextrush.Context) error {
//		if err := session.Renew(c); err != nil {
//			return err
//		}
//		session.Put(c, "user", "ada")
//		return c.NoContent()
//	})
//
// An id that the client made up is never taken over: what is put then gets a new
// one (CVE-2024-38513). The cookie is HttpOnly and SameSite=Lax, and Secure where
// the request came over HTTPS. Sessions are saved when the answer begins.
// Of requests at once that change a session the last one counts; one that changes
// nothing leaves what others saved, and none brings back a session that has ended,
// in whatever process it runs and whatever the Store: see Updater.
//
// Options.Keys keep the session itself in the cookie, encrypted, instead of a
// store on the server. A program with several processes needs no shared store then,
// but nothing can end such a session before its time: after Destroy or Renew, whoever
// has copied the old cookie still has what was in it, and rights that were taken
// away come back with it. Do not keep in it what must be counted or revoked.
//
// The handler of a WebSocket reads the session as it was at the upgrade; what it
// puts is not saved.
package session

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/cookie"
)

// Options configures a Plugin. The zero value is complete.
type Options struct {
	Store    scs.Store     // see Updater; nil: memory, which other processes do not see and a restart forgets
	Keys     [][]byte      // 32 random bytes each, instead of Store: see ErrTooLarge and the package
	Lifetime time.Duration // of a session, however much it is used; 0: 24 h
	Idle     time.Duration // without a request, after which it ends; 0: 2 h; negative: no limit
	Cookie   string        // name; empty: "session"
	Path     string        // of the cookie; empty: "/"
	Domain   string        // of the cookie; empty: this host alone
	// Strict sends the cookie with no request that another site's page begins,
	// following a link among them.
	Strict bool
}

// Plugin gives every request its session.
type Plugin struct {
	manager *scs.SessionManager
	seal    *seal // nil: the cookie has only the id
	err     error // in the options
}

// New makes the plugin. Register it before the routes that use sessions.
func New(o Options) *Plugin {
	m := scs.New()
	p := &Plugin{manager: m}
	m.HashTokenInStore = true
	m.Lifetime = cmp.Or(o.Lifetime, 24*time.Hour)
	switch {
	case o.Keys != nil:
		p.seal, p.err = newSeal(o)
		m.Store = p.seal
	case o.Store == nil:
		m.Store = keeper{&memory{plain: plain{m.Store}}}
	default:
		m.Store = keeper{updaterOf(o.Store, m.Lifetime)}
	}
	m.IdleTimeout = max(0, cmp.Or(o.Idle, 2*time.Hour))
	m.Cookie.Name = cmp.Or(o.Cookie, "session")
	m.Cookie.Path = cmp.Or(o.Path, "/")
	m.Cookie.Domain = o.Domain
	if o.Strict {
		m.Cookie.SameSite = http.SameSiteStrictMode
	}
	return p
}

// Name is "session".
func (p *Plugin) Name() string { return "session" }

// Install adds the middleware. A mistake in the options is an error.
func (p *Plugin) Install(app *nextrush.App) error {
	if p.err != nil {
		return p.err
	}
	if p.manager.Lifetime < 0 {
		return errors.New("session: Options.Lifetime is negative: leave it out for 24 hours")
	}
	o := p.manager.Cookie
	if err := cookie.Check(&http.Cookie{Name: o.Name, Path: o.Path, Domain: o.Domain}); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	app.Use(p.serve)
	return nil
}

const key = "nextrush/plugins/session"

// ErrNone is what the functions panic with where the plugin is not registered, or
// after the routes.
var ErrNone = errors.New("session: there is none: register session.New before the routes")

func manager(c *nextrush.Context) *scs.SessionManager {
	return saverOf(c).plugin.manager
}

// changed is manager for what changes the session.
func changed(c *nextrush.Context) *scs.SessionManager {
	w := saverOf(c)
	w.changed.Store(true)
	return w.plugin.manager
}

func saverOf(c *nextrush.Context) *saver {
	w, ok := nextrush.Value[*saver](c, key)
	if !ok {
		panic(ErrNone)
	}
	return w
}

// Get returns a value; ok is false if there is none or it has another type.
func Get[T any](c *nextrush.Context, name string) (v T, ok bool) {
	v, ok = manager(c).Get(c.Context(), name).(T)
	return v, ok
}

// Put keeps a value, in the encoding of gob: a type that is none of Go's own must
// be known to gob.Register.
func Put(c *nextrush.Context, name string, value any) {
	m, w := changed(c), saverOf(c)
	w.putting(name)
	m.Put(c.Context(), name, value)
}

// Pop is Get and Remove.
func Pop[T any](c *nextrush.Context, name string) (v T, ok bool) {
	v, ok = changed(c).Pop(c.Context(), name).(T)
	return v, ok
}

// Remove forgets a value.
func Remove(c *nextrush.Context, name string) { changed(c).Remove(c.Context(), name) }

// Renew gives the session a new id and keeps what is in it. Call it whenever
// somebody logs in or gets other rights, so that an id which somebody else
// knows is worth nothing then. Other sessions of which the client has a cookie end. If
// another request has ended this one meanwhile, only what has been put since is kept.
func Renew(c *nextrush.Context) error {
	m, w := changed(c), saverOf(c)
	if err := errors.Join(w.forgetEnded(c.Context()), w.endOthers(c.Context())); err != nil {
		return err
	}
	return m.RenewToken(c.Context())
}

// Destroy ends the session, and any other of which the client has a cookie, and has
// the client forget it.
func Destroy(c *nextrush.Context) error {
	w := saverOf(c)
	return errors.Join(w.endOthers(c.Context()), w.plugin.manager.Destroy(c.Context()))
}
