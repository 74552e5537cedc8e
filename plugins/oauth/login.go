package oauth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/auth"
	"github.com/nextrush/nextrush/plugins/session"
)

// login sends the browser to the service.
func (p *Plugin) login(c *nextrush.Context) error {
	provider, err := p.discover(p.context(c))
	if err != nil {
		return err
	}
	f := p.beginFlow(c, cmp.Or(local(c.Query("next")), p.opts.AfterLogin))
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(f.Verifier)}
	if provider != nil {
		options = append(options, oidc.Nonce(f.Nonce))
	}
	return c.NoCache().Redirect(p.config(provider).AuthCodeURL(f.State, options...))
}

// callback is where the service sends the browser back to.
func (p *Plugin) callback(c *nextrush.Context) error {
	c.NoCache().SetHeader("Referrer-Policy", "no-referrer") // the URL has the code
	f, ok := p.endFlow(c, c.Query("state"))
	if !ok {
		return nextrush.NewError(http.StatusBadRequest, "the login has expired, or was begun in another browser: begin again").WithCode("oauth_state")
	}
	if err := p.refusal(c); err != nil {
		return err
	}
	user, err := p.identify(c, f)
	if err != nil {
		return err
	}
	kept, err := json.Marshal(user)
	if err != nil {
		return fmt.Errorf("oauth: the claims of the user: %w", err)
	}
	if err := session.Renew(c); err != nil {
		return err
	}
	session.Put(c, userKey, string(kept))
	return c.Redirect(f.Next)
}

// refusal is the error that the service reports (RFC 6749 §4.1.2.1). An answer of another
// service is one, too (RFC 9207).
func (p *Plugin) refusal(c *nextrush.Context) error {
	if iss := c.Query("iss"); iss != "" && p.opts.Issuer != "" && iss != p.opts.Issuer {
		return invalid(fmt.Errorf("oauth: the answer is of the issuer %q", iss))
	}
	code := c.Query("error")
	cause := fmt.Errorf("oauth: the service says %q: %q", code, c.Query("error_description"))
	switch code {
	case "":
		return nil
	case "access_denied":
		return nextrush.NewError(http.StatusForbidden, "the login was refused").WithCode("oauth_denied").WithCause(cause)
	case "server_error", "temporarily_unavailable":
		return unavailable(cause)
	}
	return nextrush.NewError(http.StatusBadGateway, "the login failed").WithCode("oauth_provider").WithCause(cause)
}

// identify exchanges the code for a token, and finds out whose it is.
func (p *Plugin) identify(c *nextrush.Context, f flow) (*auth.Principal, error) {
	ctx := p.context(c)
	provider, err := p.discover(ctx)
	if err != nil {
		return nil, err
	}
	config := p.config(provider)
	token, err := config.Exchange(ctx, c.Query("code"), oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return nil, exchangeError(err)
	}
	l := Login{Token: token, Client: config.Client(ctx, token)}
	if provider != nil {
		if l.Claims, err = p.claims(ctx, provider, token, f.Nonce); err != nil {
			return nil, err
		}
	}
	if p.opts.Principal == nil {
		return aboutUser(l.Claims), nil
	}
	user, err := p.opts.Principal(c, l)
	if err == nil && user == nil {
		err = nextrush.NewError(http.StatusForbidden).WithCause(errors.New("oauth: Principal returned nobody"))
	}
	return user, err
}

func exchangeError(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.ErrorCode == "invalid_grant" {
		return nextrush.NewError(http.StatusBadRequest, "the login has expired: begin again").WithCode("oauth_code").WithCause(err)
	}
	return nextrush.NewError(http.StatusBadGateway, "the login failed").WithCode("oauth_provider").WithCause(err)
}

// claims verifies the ID token (OpenID Connect Core 1.0 §3.1.3.7).
func (p *Plugin) claims(ctx context.Context, provider *oidc.Provider, token *oauth2.Token, nonce string) (map[string]any, error) {
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: p.opts.ClientID}).Verify(ctx, raw)
	if err != nil {
		return nil, invalid(err)
	}
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		return nil, invalid(err)
	}
	party, named := claims["azp"]
	switch {
	case id.Subject == "":
		return nil, invalid(errors.New("oauth: the token has no subject"))
	case !same(id.Nonce, nonce):
		return nil, invalid(errors.New("oauth: the nonce of the token is that of another login"))
	case named && party != p.opts.ClientID, !named && len(id.Audience) > 1:
		return nil, invalid(errors.New("oauth: the token was issued to another client"))
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(token.AccessToken); err != nil {
			return nil, invalid(err)
		}
	}
	if p.opts.UserInfo {
		return p.addUserInfo(ctx, provider, token, id.Subject, claims)
	}
	return claims, nil
}

// addUserInfo adds what the UserInfo endpoint says of the same user (§5.3.2).
func (p *Plugin) addUserInfo(ctx context.Context, provider *oidc.Provider, token *oauth2.Token, subject string, claims map[string]any) (map[string]any, error) {
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return nil, nextrush.NewError(http.StatusBadGateway, "the login failed").WithCode("oauth_provider").WithCause(err)
	}
	var more map[string]any
	if err := info.Claims(&more); err != nil || info.Subject != subject {
		return nil, invalid(cmp.Or(err, errors.New("oauth: UserInfo is about somebody else")))
	}
	maps.Copy(more, claims) // which are signed
	return more, nil
}

// protocol are the claims that are about the token.
var protocol = []string{"iss", "sub", "aud", "exp", "iat", "nbf", "auth_time", "nonce", "azp", "at_hash", "c_hash", "sid", "jti"}

func aboutUser(claims map[string]any) *auth.Principal {
	user := &auth.Principal{Claims: maps.Clone(claims)}
	user.ID, _ = claims["sub"].(string)
	for _, name := range protocol {
		delete(user.Claims, name)
	}
	return user
}

// logout ends the session, and that at the service if it is to.
func (p *Plugin) logout(c *nextrush.Context) error {
	if err := session.Destroy(c); err != nil {
		return err
	}
	to := p.opts.AfterLogout
	if p.opts.EndSession {
		to = cmp.Or(p.endSessionURL(c), to)
	}
	return c.NoCache().Redirect(to, http.StatusSeeOther)
}

// endSessionURL is empty if the provider has none, or cannot be reached.
func (p *Plugin) endSessionURL(c *nextrush.Context) string {
	provider, err := p.discover(p.context(c))
	if err != nil || provider == nil {
		return ""
	}
	var document struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := provider.Claims(&document); err != nil {
		return ""
	}
	u, err := secureURL(document.EndSession)
	if err != nil {
		return ""
	}
	back, _ := url.Parse(p.opts.RedirectURL)
	query := u.Query()
	query.Set("client_id", p.opts.ClientID)
	query.Set("post_logout_redirect_uri", back.Scheme+"://"+back.Host+p.opts.AfterLogout)
	u.RawQuery = query.Encode()
	return u.String()
}

func invalid(err error) error {
	return nextrush.NewError(http.StatusForbidden, "the login is not valid").WithCode("oauth_token").WithCause(err)
}

func unavailable(err error) error {
	return nextrush.NewError(http.StatusServiceUnavailable, "the login service does not answer").WithCode("oauth_unavailable").WithCause(err)
}
