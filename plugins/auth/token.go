package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/nextrush/nextrush"
)

// maxToken is the largest token that is accepted, in bytes.
const maxToken = 8 << 10

// ErrToken is wrapped by the errors of tokens and tickets that are refused. The error
// of an expired token wraps jwt.ErrTokenExpired, too.
var ErrToken = errors.New("auth: token refused")

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrToken, fmt.Errorf(format, args...))
}

func (p *Plugin) newParser() *jwt.Parser {
	opts := []jwt.ParserOption{
		jwt.WithExpirationRequired(), jwt.WithStrictDecoding(), jwt.WithLeeway(p.opts.Leeway),
	}
	if p.opts.Issuer != "" {
		opts = append(opts, jwt.WithIssuer(p.opts.Issuer))
	}
	if p.opts.Audience != "" {
		opts = append(opts, jwt.WithAudience(p.opts.Audience))
	}
	return jwt.NewParser(opts...)
}

// Verify checks a token: signature, times, issuer, audience, Options.Check. If the
// token is refused, the error wraps ErrToken; other errors are failures of ours.
func (p *Plugin) Verify(ctx context.Context, token string) (*Principal, error) {
	if len(token) > maxToken {
		return nil, refused("over %d bytes", maxToken)
	}
	var failure error // of ours
	claims := jwt.MapClaims{}
	_, err := p.parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		keys, err := p.keysOf(ctx, t)
		if err != nil && !errors.Is(err, ErrToken) {
			failure = err
		}
		return keys, err
	})
	if failure != nil {
		return nil, failure
	}
	if err != nil {
		return nil, refused("%w", err)
	}
	return p.principal(ctx, claims)
}

// keysOf returns the keys with the kid and the algorithm of a token; an issuer may have
// several that differ in nothing else. The rest of the header does not matter: jku, jwk
// and x5u are ignored, and crit asks for extensions that we do not have (RFC 7515
// §4.1.11).
func (p *Plugin) keysOf(ctx context.Context, t *jwt.Token) (set jwt.VerificationKeySet, err error) {
	if _, ok := t.Header["crit"]; ok {
		return set, refused("crit is not supported")
	}
	id, ok := t.Header["kid"].(string)
	if _, given := t.Header["kid"]; given && !ok {
		return set, refused("kid is not a string")
	}
	ref := keyRef{id, t.Method.Alg()}
	if k := p.keys[ref]; k != nil {
		set.Keys = append(set.Keys, k.verify)
	} else if p.jwks != nil {
		set.Keys, err = p.jwks.keys(ctx, ref)
	}
	if err == nil && len(set.Keys) == 0 {
		err = refused("no key for %s has the kid %q", ref.alg, id)
	}
	return set, err
}

func (p *Plugin) principal(ctx context.Context, claims jwt.MapClaims) (*Principal, error) {
	expires, err := claims.GetExpirationTime()
	if err != nil {
		return nil, refused("%w", err)
	}
	user := &Principal{
		Roles: stringsOf(claims["roles"]), Permissions: append(stringsOf(claims["permissions"]), scopes(claims["scope"])...),
		Claims: claims, ExpiresAt: expires.Time, roles: p.opts.Roles,
	}
	if user.ID, err = claims.GetSubject(); err != nil || user.ID == "" {
		return nil, refused("no subject")
	}
	if p.opts.Check != nil {
		if err := p.opts.Check(ctx, user); err != nil {
			return nil, err
		}
	}
	return user, nil
}

// stringsOf returns the strings in a claim that is a list; other values are left out.
func stringsOf(claim any) (list []string) {
	values, _ := claim.([]any)
	for _, v := range values {
		if s, ok := v.(string); ok && s != "" {
			list = append(list, s)
		}
	}
	return list
}

// scopes returns the scopes in a claim as in RFC 8693 §4.2.
func scopes(claim any) []string {
	s, _ := claim.(string)
	return strings.Fields(s)
}

// Issue makes a token that is valid for Options.TTL, with the ID, roles, permissions
// and other claims of user. It ignores user's ExpiresAt and claims of RFC 7519 §4.1.
func (p *Plugin) Issue(user Principal) (string, error) {
	if p.signer == nil {
		return "", errors.New("auth: Issue: no key can sign: add a secret or a private key to Options.Keys")
	}
	if user.ID == "" {
		return "", errors.New("auth: Issue: the ID is empty")
	}
	now := time.Now()
	claims := jwt.MapClaims{}
	maps.Copy(claims, user.Claims)
	for _, name := range []string{"nbf", "iss", "aud", "roles", "permissions", "scope"} {
		delete(claims, name)
	}
	maps.Copy(claims, jwt.MapClaims{"sub": user.ID, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(p.opts.TTL).Unix()})
	setIf(claims, "iss", p.opts.Issuer, p.opts.Issuer != "")
	setIf(claims, "aud", p.opts.Audience, p.opts.Audience != "")
	setIf(claims, "roles", user.Roles, len(user.Roles) > 0)
	setIf(claims, "permissions", user.Permissions, len(user.Permissions) > 0)
	token := jwt.NewWithClaims(p.signer.method, claims)
	if p.signer.id != "" {
		token.Header["kid"] = p.signer.id
	}
	signed, err := token.SignedString(p.signer.sign)
	if err != nil {
		return "", fmt.Errorf("auth: Issue: %w", err)
	}
	return signed, nil
}

func setIf(claims jwt.MapClaims, name string, value any, ok bool) {
	if ok {
		claims[name] = value
	}
}

// unauthorized returns the error that answers a request without a user.
func (st *state) unauthorized() error {
	switch {
	case st.err == nil:
		return st.challenge(http.StatusUnauthorized, "")
	case !errors.Is(st.err, ErrToken):
		return st.err
	}
	return st.challenge(http.StatusUnauthorized, `error="invalid_token", error_description="`+why(st.err)+`"`).WithCause(st.err)
}

// why returns what a client may know about a refused token.
func why(err error) string {
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return "the token has expired"
	case errors.Is(err, jwt.ErrTokenNotValidYet): // RFC 7519 §4.1.5
		return "the token is not yet valid"
	}
	return "the token is not valid"
}

// unauthorized returns the error that answers an event with a refused token.
func unauthorized(err error) error {
	if !errors.Is(err, ErrToken) {
		return err
	}
	return nextrush.NewError(http.StatusUnauthorized, why(err)).WithCause(err)
}
