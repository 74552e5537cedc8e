// Package session keeps data for a client between its requests: on the server, with a
// random id in the client's cookie. It is built on github.com/alexedwards/scs.
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
// An id that the client made up is never used: a new session gets a new id
// (CVE-2024-38513). The cookie is HttpOnly and SameSite=Lax. It is Secure if the request
// came over HTTPS, or if its name begins with __Host- or __Secure-. Sessions are saved
// when the answer begins. If several requests change a session at once, the last one
// wins; a request that only reads it undoes no change, and none brings back a session
// that has ended, in any process and with any Store: see Updater.
//
// With Options.Keys, the session itself is in the cookie, encrypted, and not in a store
// on the server. Then a program with several processes needs no shared store, but nothing
// can end such a session before its time: after Destroy or Renew, whoever has copied the
// old cookie can still use it, with rights that were taken away since. Do not keep
// anything in it that must be counted or revoked.
//
// The handler of a WebSocket reads the session as it was at the upgrade; what it
// puts is not saved.
package session

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/cookie"
)

// Options configures a Plugin. The zero value is complete.
type Options struct {
	Store    scs.Store     // see Updater; nil: the memory of this process
	Keys     [][]byte      // 32 random bytes each, instead of Store: see ErrTooLarge and the package comment
	Lifetime time.Duration // of a session, however much it is used; 0: 24 h
	Idle     time.Duration // how long a session lives without a request; 0: 2 h; negative: no limit
	Cookie   string        // name; empty: "session"
	Path     string        // of the cookie; empty: "/"
	Domain   string        // of the cookie; empty: this host only
	// Strict makes browsers leave out the cookie even when somebody follows a link
	// from another site (SameSite=Strict).
	Strict bool
}

// Plugin gives every request its session.
type Plugin struct {
	manager *scs.SessionManager
	seal    *seal // nil: the cookie has only the id
	err     error // of the options
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

// Install adds the middleware. It fails if there is a mistake in the options.
func (p *Plugin) Install(app *nextrush.App) error {
	if p.err != nil {
		return p.err
	}
	if p.manager.Lifetime < 0 {
		return errors.New("Options.Lifetime is negative: leave it out for 24 hours")
	}
	o := p.manager.Cookie
	if err := cookie.Check(&http.Cookie{Name: o.Name, Path: o.Path, Domain: o.Domain}); err != nil {
		return err
	}
	app.Use(p.serve)
	return nil
}

const key = "nextrush/plugins/session"

// ErrNone is what the functions panic with if the plugin is not registered, or is
// registered after the route.
var ErrNone = errors.New("session: the request has none: register session.New before the routes")

func manager(c *nextrush.Context) *scs.SessionManager {
	return saverOf(c).plugin.manager
}

// changed is manager for functions that change the session.
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

// Put keeps a value, encoded with gob: register a type of your own with gob.Register.
func Put(c *nextrush.Context, name string, value any) {
	m, w := changed(c), saverOf(c)
	w.putting(name)
	m.Put(c.Context(), name, value)
}

// Pop returns a value, like Get, and removes it.
func Pop[T any](c *nextrush.Context, name string) (v T, ok bool) {
	v, ok = changed(c).Pop(c.Context(), name).(T)
	return v, ok
}

// Remove removes a value.
func Remove(c *nextrush.Context, name string) { changed(c).Remove(c.Context(), name) }

// Flash keeps a message for the next page that shows it with Flashes, such as that to
// which the answer redirects. The kind is a name of yours, as "error".
func Flash(c *nextrush.Context, kind, text string) {
	kept, _ := Get[[]string](c, flashName)
	Put(c, flashName, append(slices.Clip(kept), kind, text))
}

// FlashMessage is what Flash kept.
type FlashMessage struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Flashes returns the messages of Flash in their order, and removes them. It is never
// nil, so that JSON has a list.
func Flashes(c *nextrush.Context) []FlashMessage {
	if _, ok := Get[[]string](c, flashName); !ok {
		return []FlashMessage{} // and the session is not changed
	}
	kept, _ := Pop[[]string](c, flashName)
	messages := []FlashMessage{}
	for i := 0; i+1 < len(kept); i += 2 {
		messages = append(messages, FlashMessage{Kind: kept[i], Text: kept[i+1]})
	}
	return messages
}

const flashName = "nextrush/plugins/session.flash"

// Renew gives the session a new id and keeps its values. Call it whenever somebody logs
// in or gets other rights, so that an id that somebody else knows becomes worthless. It
// ends other sessions of which the client has a cookie. If another request has ended this
// session meanwhile, only the values put by this request are kept.
func Renew(c *nextrush.Context) error {
	m, w := changed(c), saverOf(c)
	if err := errors.Join(w.forgetEnded(c.Context()), w.endOthers()); err != nil {
		return err
	}
	return m.RenewToken(c.Context())
}

// Destroy ends the session, and any other of which the client has a cookie, and removes
// the cookie.
func Destroy(c *nextrush.Context) error {
	w := saverOf(c)
	return errors.Join(w.endOthers(), w.plugin.manager.Destroy(c.Context()))
}
