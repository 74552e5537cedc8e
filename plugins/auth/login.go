package auth

import (
	"errors"
	"net/http"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/cookie"
	"github.com/nextrush/nextrush/internal/origin"
)

// Login issues a token for user and sets it as the cookie Options.Cookie, for
// Options.TTL. Scripts cannot read the cookie (HttpOnly), and browsers send it with
// no request from another site except when a link is followed (SameSite=Lax).
func (p *Plugin) Login(c *nextrush.Context, user Principal) error {
	if p.opts.Cookie == "" {
		return errors.New("auth: Login: set Options.Cookie first")
	}
	token, err := p.Issue(user)
	if err != nil {
		return err
	}
	c.SetCookie(p.cookie(c, token, int(p.opts.TTL.Seconds()))).NoCache()
	return nil
}

// Logout removes the cookie. The token stays valid until it expires, unless
// Options.Check refuses it.
func (p *Plugin) Logout(c *nextrush.Context) {
	c.SetCookie(p.cookie(c, "", -1)).NoCache()
}

func (p *Plugin) cookie(c *nextrush.Context, token string, maxAge int) *http.Cookie {
	name := p.opts.Cookie
	return &http.Cookie{
		Name: name, Value: token, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: c.Secure() || cookie.MustBeSecure(name),
	}
}

// verifyCookies uses the first valid token. If the request comes from another origin and
// may change something, it refuses all tokens. If no token is valid, a failure of ours is
// returned rather than a refusal.
func (p *Plugin) verifyCookies(c *nextrush.Context, tokens []string) (user *Principal, err error) {
	r := c.Request()
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
	if !safe {
		trusts := func(from string) bool { return p.trusted.Has(from) || c.App().TrustsOrigin(r, from) }
		if err := origin.CheckSite(r.Header, c.Scheme(), c.Host(), trusts); err != nil {
			return nil, nextrush.NewError(http.StatusForbidden, "the request comes from another origin: "+err.Error())
		}
	}
	for _, token := range tokens {
		user, failed := p.Verify(c.Context(), token)
		if failed == nil {
			return user, nil
		}
		if err == nil || !errors.Is(failed, ErrToken) {
			err = failed
		}
	}
	return nil, err
}
