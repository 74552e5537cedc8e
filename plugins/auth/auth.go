package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/cookie"
	"github.com/nextrush/nextrush/internal/origin"
)

const (
	defaultTTL       = 15 * time.Minute
	defaultTicketTTL = 30 * time.Second
)

// Options configures a Plugin. One of Keys, JWKS and Lookup must be set; the rest may
// stay zero.
type Options struct {
	// Keys verify tokens. The first one that can sign signs those of Issue.
	Keys []Key
	// JWKS is the https URL of an issuer's keys (RFC 7517). It needs Issuer, and
	// Audience or AnyAudience. The keys are fetched when one is needed, again after an
	// hour, and for an unknown key, but at most once a minute. After a failure they are
	// fetched again in a quarter of a second, and after each further failure in twice the
	// time, up to a minute.
	JWKS        string
	Issuer      string        // that tokens must have, and that Issue sets; empty: any
	Audience    string        // that tokens must have, and that Issue sets; empty: any
	AnyAudience bool          // with JWKS: accept tokens that were issued for others
	TTL         time.Duration // lifetime of the tokens of Issue; 0: 15 minutes
	Leeway      time.Duration // by which clocks may differ; 0: none

	// Cookie is the name of the cookie with the token, which Login sets; empty: no
	// cookie is read. "__Host-token" is a good name if the site has HTTPS. A request
	// that changes something and comes from another origin cannot use the cookie.
	Cookie string
	// TrustedOrigins lists origins whose requests may use the cookie, besides
	// nextrush.Options.TrustedOrigins: "https://a.example", "https://*.a.example".
	TrustedOrigins []string

	// Roles lists the permissions of each role, for Require: "editor" has
	// "posts:write", or "posts:*", or "*".
	Roles map[string][]string

	// Check is called with every valid token, and may change p. It is for revoked
	// tokens and for roles that are kept elsewhere. An ErrToken refuses the token;
	// other errors are answered as they are.
	Check func(ctx context.Context, p *Principal) error
	// Lookup is called if a request has no token, for sessions and the like. It
	// returns nil, nil if it does not know the sender.
	Lookup func(c *nextrush.Context) (*Principal, error)

	Tickets   TicketStore   // nil: the memory of this process
	TicketTTL time.Duration // 0: 30 s

	Realm      string       // in WWW-Authenticate; empty: "api"
	HTTPClient *http.Client // for JWKS; nil: one that does not follow redirects
}

// Plugin authenticates the requests and sockets of the app that it is registered
// with. Its methods are safe from any goroutine.
type Plugin struct {
	opts    Options
	keys    map[keyRef]*key
	signer  *key // nil if no key can sign
	jwks    *keySet
	parser  *jwt.Parser
	trusted origin.List
}

// New makes the plugin. Its Install reports mistakes in the options.
func New(opts Options) *Plugin { return &Plugin{opts: opts} }

// Name is "auth".
func (p *Plugin) Name() string { return "auth" }

// Install checks the options. User, Require and RequireRole then work in all routes
// of the app and of apps mounted in it. For the sockets of a mounted app, register
// the plugin with that app.
func (p *Plugin) Install(app *nextrush.App) error {
	if err := p.prepare(); err != nil {
		return err
	}
	app.Use(func(c *nextrush.Context) error {
		c.Set(stateKey, &state{plugin: p})
		return c.Next()
	})
	app.WSUse(p.admit)
	return nil
}

func (p *Plugin) prepare() error {
	p.fillDefaults()
	if err := p.addKeys(); err != nil {
		return err
	}
	if err := p.addJWKS(); err != nil {
		return err
	}
	if len(p.keys) == 0 && p.jwks == nil && p.opts.Lookup == nil {
		return errors.New("no way to know users: set Keys, JWKS or Lookup")
	}
	var err error
	if p.trusted, err = origin.ParseTrusted(p.opts.TrustedOrigins); err != nil {
		return fmt.Errorf("TrustedOrigins: %w", err)
	}
	if name := p.opts.Cookie; name != "" {
		if err := cookie.Check(&http.Cookie{Name: name, Path: "/"}); err != nil {
			return fmt.Errorf("the Cookie: %w", err)
		}
	}
	if strings.ContainsAny(p.opts.Realm, "\"\\\r\n") {
		return errors.New("the Realm must not have quotes, backslashes or line breaks")
	}
	p.parser = p.newParser()
	return nil
}

func (p *Plugin) fillDefaults() {
	o := &p.opts
	if o.TTL <= 0 {
		o.TTL = defaultTTL
	}
	if o.TicketTTL <= 0 {
		o.TicketTTL = defaultTicketTTL
	}
	if o.Tickets == nil {
		o.Tickets = &memoryTickets{}
	}
	if o.Realm == "" {
		o.Realm = "api"
	}
}

func (p *Plugin) addKeys() error {
	p.keys = make(map[keyRef]*key)
	for _, k := range p.opts.Keys {
		parsed, err := k.parse()
		if err != nil {
			return err
		}
		if p.keys[parsed.ref()] != nil {
			return fmt.Errorf("two keys for %s have the ID %q: give each its own ID", parsed.method.Alg(), k.ID)
		}
		p.keys[parsed.ref()] = parsed
		if p.signer == nil && parsed.sign != nil {
			p.signer = parsed
		}
	}
	return nil
}

func (p *Plugin) addJWKS() error {
	o := p.opts
	switch {
	case o.JWKS == "":
		return nil
	case o.Issuer == "":
		return errors.New("JWKS needs Issuer: whose tokens are they?")
	case o.Audience == "" && !o.AnyAudience:
		return errors.New("JWKS needs Audience: the issuer signs tokens for others too; AnyAudience accepts them all")
	}
	set, err := newKeySet(o.JWKS, o.HTTPClient)
	p.jwks = set
	return err
}

// stateKey is where a Context keeps its state.
const stateKey = "github.com/nextrush/nextrush/plugins/auth"

// state says who sent one request. It is filled when it is first needed, and for a
// socket before the 101.
type state struct {
	plugin *Plugin
	asked  bool
	user   *Principal
	err    error // why there is no user; nil if there were no credentials
}

func stateOf(c *nextrush.Context) *state {
	st, ok := nextrush.Value[*state](c, stateKey)
	if !ok {
		return nil
	}
	if !st.asked {
		st = &state{plugin: st.plugin, asked: true} // a new one, as a late handler may share the old one
		c.Set(stateKey, st)
		st.user, st.err = st.plugin.authenticate(c)
	}
	return st
}

// authenticate uses the first credentials that the request has.
func (p *Plugin) authenticate(c *nextrush.Context) (*Principal, error) {
	if token := bearer(c.Header("Authorization")); token != "" {
		return p.Verify(c.Context(), token)
	}
	if isUpgrade(c) {
		if token := offeredToken(c.Request().Header); token != "" {
			return p.Verify(c.Context(), token)
		}
		if ticket := c.Query("ticket"); ticket != "" {
			return p.redeem(c.Context(), ticket)
		}
	}
	if isProbe(c) && c.Query("ticket") != "" {
		return nil, nextrush.NewError(http.StatusUpgradeRequired, "only an upgrade redeems a ticket")
	}
	if p.opts.Cookie != "" {
		c.Vary("Cookie") // shared caches pass over Authorization by themselves
		tokens := slices.DeleteFunc(c.Cookies(p.opts.Cookie), func(token string) bool { return token == "" })
		if len(tokens) > 0 {
			return p.verifyCookies(c, tokens)
		}
	}
	if p.opts.Lookup == nil {
		return nil, nil
	}
	user, err := p.opts.Lookup(c)
	if err != nil || user == nil {
		return nil, err
	}
	return p.known(user), nil
}

// known returns a copy of user with the roles; others may hold the original.
func (p *Plugin) known(user *Principal) *Principal {
	clone := *user
	clone.roles = p.opts.Roles
	return &clone
}

// bearer returns the token of an Authorization header (RFC 6750 §2.1).
func bearer(header string) string {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
