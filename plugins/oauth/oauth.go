// Package oauth logs users in with another service, by OpenID Connect or OAuth 2.0: the
// code flow with PKCE (RFC 6749 §4.1, RFC 7636). It is built on golang.org/x/oauth2 and
// github.com/coreos/go-oidc, and keeps the user in the session.
//
//	o := oauth.New(oauth.Options{
//		Issuer:       "https://accounts.example",
//		ClientID:     "shop",
//		ClientSecret: secret,
//		RedirectURL:  "https://shop.example/auth/callback",
//	})
//	app.Register(session.New(session.Options{}), o, auth.New(auth.Options{Lookup: oauth.Lookup}))
//
// A link to /auth/login?next=/cart begins a login, and a form that posts to /auth/logout
// ends it; auth.User(c) and auth.Require know the user in between.
package oauth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/auth"
	"github.com/nextrush/nextrush/plugins/session"
)

// Options configures a Plugin. ClientID, RedirectURL, and Issuer or Endpoint must be set.
type Options struct {
	// Issuer is the https URL of an OpenID provider. The rest is in its discovery
	// document, which is fetched when somebody first logs in.
	Issuer string
	// Endpoint is that of a service without OpenID Connect, instead of Issuer. It needs
	// Principal.
	Endpoint oauth2.Endpoint

	ClientID     string
	ClientSecret string // empty: a public client
	// RedirectURL is the URL of the callback as the service knows it:
	// https://shop.example/auth/callback. Its path ends in /callback, and the others of
	// the plugin are beside it.
	RedirectURL string
	Scopes      []string // empty: openid, profile and email, or none with Endpoint

	// Principal returns who has logged in; an *HTTPError refuses. nil: the subject, and
	// the claims that are about the user.
	Principal func(c *nextrush.Context, l Login) (*auth.Principal, error)
	UserInfo  bool // add the claims of the provider's UserInfo endpoint to those of the token

	AfterLogin  string // path to go to, unless the link names one; empty: "/"
	AfterLogout string // likewise
	EndSession  bool   // log out at the provider, too, if it can (OpenID Connect RP-Initiated Logout 1.0)

	HTTPClient *http.Client // nil: one with a time-out of 10 s, which does not follow redirects
}

// Login is what the service says of a user.
type Login struct {
	Claims map[string]any // of the verified ID token; nil with Endpoint
	Token  *oauth2.Token
	Client *http.Client // sends the token with each request; for the time of the call
}

// Plugin has the routes of a login.
type Plugin struct {
	opts     Options
	base     string                        // path before /login, /callback and /logout
	provider atomic.Pointer[oidc.Provider] // nil until its document has been fetched
}

// New makes the plugin. Its Install reports mistakes in the options.
func New(o Options) *Plugin {
	o.AfterLogin, o.AfterLogout = cmp.Or(o.AfterLogin, "/"), cmp.Or(o.AfterLogout, "/")
	if o.HTTPClient == nil {
		o.HTTPClient = &http.Client{
			Timeout:       10 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	if len(o.Scopes) == 0 && o.Issuer != "" {
		o.Scopes = []string{oidc.ScopeOpenID, "profile", "email"}
	}
	return &Plugin{opts: o}
}

// Name is "oauth" and the path, so that several can be registered.
func (p *Plugin) Name() string { return "oauth " + p.opts.RedirectURL }

// Install checks the options and adds the routes: GET login and callback, POST logout.
func (p *Plugin) Install(app *nextrush.App) error {
	if err := p.prepare(); err != nil {
		return err
	}
	if app.Plugin("session") == nil {
		return errors.New("it keeps the user in the session: register session.New before")
	}
	app.Get(p.base+"/login", p.login)
	app.Get(p.base+"/callback", p.callback)
	app.Post(p.base+"/logout", p.logout)
	return nil
}

func (p *Plugin) prepare() error {
	o := p.opts
	switch {
	case o.ClientID == "":
		return errors.New("ClientID is empty: give that of the service's registration")
	case (o.Issuer == "") == (o.Endpoint.AuthURL == "" || o.Endpoint.TokenURL == ""):
		return errors.New("give Issuer, or Endpoint with its two URLs, and not both")
	case o.Issuer == "" && o.Principal == nil:
		return errors.New("an Endpoint needs Principal: without OpenID Connect nothing says who has logged in")
	case o.AfterLogin != local(o.AfterLogin) || o.AfterLogout != local(o.AfterLogout):
		return errors.New("the options AfterLogin and AfterLogout are paths of this server, as /home")
	}
	for _, text := range []string{o.Issuer, o.Endpoint.AuthURL, o.Endpoint.TokenURL} {
		if _, err := secureURL(text); text != "" && err != nil {
			return err
		}
	}
	u, err := secureURL(o.RedirectURL)
	if err != nil {
		return fmt.Errorf("RedirectURL: %w", err)
	}
	base, ok := strings.CutSuffix(u.Path, "/callback")
	if !ok || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("RedirectURL: %q: its path has to end in /callback, as in https://shop.example/auth/callback", o.RedirectURL)
	}
	p.base = base
	return nil
}

// secureURL reads an absolute URL with https, or with http on this machine.
func secureURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	if u.Host == "" || u.User != nil || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return nil, fmt.Errorf("%q: write an absolute URL with https", text)
	}
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// userKey is where the session has the user, whoever has sent him.
const userKey = "nextrush/plugins/oauth.user"

// Lookup returns the user who has logged in, with any of the plugins, or nil. It is for
// auth.Options.Lookup.
func Lookup(c *nextrush.Context) (*auth.Principal, error) {
	kept, ok := session.Get[string](c, userKey)
	if !ok {
		return nil, nil
	}
	user := new(auth.Principal)
	if err := json.Unmarshal([]byte(kept), user); err != nil {
		return nil, fmt.Errorf("oauth: the user in the session: %w", err)
	}
	return user, nil
}

// discover returns the provider; nil: the service has no OpenID Connect.
func (p *Plugin) discover(ctx context.Context) (*oidc.Provider, error) {
	if p.opts.Issuer == "" {
		return nil, nil
	}
	if known := p.provider.Load(); known != nil {
		return known, nil
	}
	found, err := oidc.NewProvider(ctx, p.opts.Issuer)
	if err != nil {
		return nil, unavailable(err)
	}
	p.provider.Store(found)
	return found, nil
}

// context has requests to the service sent by Options.HTTPClient.
func (p *Plugin) context(c *nextrush.Context) context.Context {
	return oidc.ClientContext(c.Context(), p.opts.HTTPClient)
}

func (p *Plugin) config(provider *oidc.Provider) *oauth2.Config {
	endpoint := p.opts.Endpoint
	if provider != nil {
		endpoint = provider.Endpoint()
		endpoint.AuthStyle = p.authStyle(provider)
	}
	return &oauth2.Config{
		ClientID: p.opts.ClientID, ClientSecret: p.opts.ClientSecret, Endpoint: endpoint,
		RedirectURL: p.opts.RedirectURL, Scopes: p.opts.Scopes,
	}
}

// authStyle is how the client proves who it is. Trying would send the code twice.
func (p *Plugin) authStyle(provider *oidc.Provider) oauth2.AuthStyle {
	var document struct {
		Methods []string `json:"token_endpoint_auth_methods_supported"` // nil: client_secret_basic
	}
	err := provider.Claims(&document)
	if p.opts.ClientSecret == "" || err == nil && document.Methods != nil && !slices.Contains(document.Methods, "client_secret_basic") {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}
