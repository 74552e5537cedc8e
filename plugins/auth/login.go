package auth

import (
	"errors"
	"net/http"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/cookie"
)

// Login issues a token for user and has the client keep it in the cookie
// Options.Cookie, for Options.TTL, out of reach of scripts and of requests from
// other sites (SameSite=Lax).
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

// Logout has the client forget the cookie. The token stays valid until it
// expires: Options.Check can refuse it.
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

// verifyCookies takes the first token that is valid, and refuses all if a page of
// another origin has sent them along, unless the request changes nothing. A failure
// of ours counts before a refusal.
func (p *Plugin) verifyCookies(c *nextrush.Context, tokens []string) (user *Principal, err error) {
	r := c.Request()
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
	if err := p.trusted.CheckSite(r.Header, c.Scheme(), c.Host()); err != nil && !safe {
		return nil, nextrush.NewError(http.StatusForbidden, "the request comes from another origin: "+err.Error())
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
