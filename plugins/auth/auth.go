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

// Options configures a Plugin. With Keys, JWKS or Lookup set, the rest may stay
// zero.
type Options struct {
	// Keys verify tokens, and the first one that can signs what Issue makes.
	Keys []Key
	// JWKS is the URL of an issuer's keys (RFC 7517), https. It needs Issuer,
	// and Audience or AnyAudience. It is asked when a key is needed, again for an
	// unknown key, at most once a minute, and when an hour has passed. After a failure
	// it is asked again sooner: in a quarter of a second, then in twice the time.
	JWKS        string
	Issuer      string        // that tokens must have and get; empty: any
	Audience    string        // that tokens must have and get; empty: any
	AnyAudience bool          // with JWKS: take tokens that were issued for others
	TTL         time.Duration // of tokens that Issue makes; 0: 15 minutes
	Leeway      time.Duration // by which clocks may differ; 0: none

	// Cookie is the name of a cookie that holds a token, for Login to set; empty:
	// none is read. "__Host-token" is a good one if the site has HTTPS. It is
	// not taken for requests that change something and come from another origin.
	Cookie         string
	TrustedOrigins []string // "https://a.example" or "https://*.a.example", whose requests may use the cookie

	// Roles gives the permissions of roles, for Require: "editor" has
	// "posts:write", or "posts:*", or "*".
	Roles map[string][]string

	// Check is asked about every token that is valid, and may change p: for
	// tokens that were revoked, and roles that are kept elsewhere. An ErrToken
	// refuses the token; other errors are answered as they are.
	Check func(ctx context.Context, p *Principal) error
	// Lookup is asked if a request has no token, for sessions and the like;
	// nil, nil for nobody.
	Lookup func(c *nextrush.Context) (*Principal, error)

	Tickets   TicketStore   // nil: the memory of this process
	TicketTTL time.Duration // 0: 30 s

	Realm      string       // in WWW-Authenticate; empty: "api"
	HTTPClient *http.Client // for JWKS; nil: one that follows no redirects
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

// Install checks the options and lets User, Require and RequireRole know p in
// all routes of the app, and of apps mounted in it. Sockets of a mounted app
// are watched where the plugin is registered with that app.
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
		return errors.New("nothing to know users by: set Keys, JWKS or Lookup")
	}
	var err error
	if p.trusted, err = origin.ParseList(p.opts.TrustedOrigins); err != nil {
		return fmt.Errorf("TrustedOrigins: %w", err)
	}
	if name := p.opts.Cookie; name != "" {
		if err := cookie.Check(&http.Cookie{Name: name, Path: "/"}); err != nil {
			return fmt.Errorf("the Cookie: %w", err)
		}
	}
	if strings.ContainsAny(p.opts.Realm, "\"\\\r\n") {
		return errors.New("the Realm must have no quotes, backslashes or line breaks")
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
			return fmt.Errorf("two keys for %s have the ID %q: give each its own", parsed.method.Alg(), k.ID)
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
		return errors.New("JWKS needs Audience: the issuer signs tokens for others too; AnyAudience takes them all")
	}
	set, err := newKeySet(o.JWKS, o.HTTPClient)
	p.jwks = set
	return err
}

// stateKey is where a Context keeps its state.
const stateKey = "github.com/nextrush/nextrush/plugins/auth"

// state is what is known of the sender of one request. It is resolved when
// somebody asks first, and for a socket before the 101.
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
		st = &state{plugin: st.plugin, asked: true} // a new one: the old may be shared with a handler that is late
		c.Set(stateKey, st)
		st.user, st.err = st.plugin.authenticate(c)
	}
	return st
}

// authenticate takes the first credentials that the request has.
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
	if p.opts.Cookie != "" {
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

// known copies a principal, for others may hold it, and gives it the roles.
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
