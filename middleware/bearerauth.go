package middleware

import (
	"strings"

	"github.com/nextrush/nextrush"
)

// BearerAuthOptions configures BearerAuth. One of Tokens and Check is needed.
type BearerAuthOptions struct {
	Tokens map[string]string // whose each token is, by token
	Check  CheckFunc         // instead of Tokens
	Realm  string            // empty: "Restricted"
}

// BearerAuth lets those pass who send a token in the Authorization header
// (RFC 6750 §2.1), and answers the others with 401. Whose the token is, or what
// Check returned, is kept under IdentityKey.
func BearerAuth(o BearerAuthOptions) nextrush.Handler {
	check := checkOf(o.Check, o.Tokens, "BearerAuth: set one of Tokens, by token, and Check")
	challenge := challengeFor("Bearer", o.Realm)
	return func(c *nextrush.Context) error {
		token, ok := bearerToken(c.Header("Authorization"))
		if !ok {
			return unauthorized(challenge)
		}
		return authenticate(c, check, challenge+`, error="invalid_token"`, token)
	}
}

// bearerToken is the token in an Authorization header, whose scheme is in any
// case (RFC 9110 §11.1).
func bearerToken(header string) (string, bool) {
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.Trim(token, " ")
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}
