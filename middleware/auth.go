package middleware

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/nextrush/nextrush"
)

// IdentityKey is where BasicAuth, BearerAuth and KeyAuth keep who sent the
// request, for [nextrush.Value]: what the Check function returned, or the name
// that Users, Tokens or Keys has.
const IdentityKey = "identity"

// CheckFunc tells whose a token or key is. With ok false the request is refused
// with 401; an error is answered as it is, for the check itself failed. It has to
// compare in constant time, as [crypto/subtle] does, or to look up a hash.
type CheckFunc func(c *nextrush.Context, secret string) (identity any, ok bool, err error)

// secrets are hashed, so that all comparisons are of the same length.
type secrets []secret

type secret struct {
	hash     [sha256.Size]byte
	identity string
}

// check compares with every one, so that the time tells nothing of them.
func (s secrets) check(_ *nextrush.Context, given string) (identity any, ok bool, err error) {
	hash := sha256.Sum256([]byte(given))
	for i := range s {
		if subtle.ConstantTimeCompare(hash[:], s[i].hash[:]) == 1 {
			identity, ok = s[i].identity, true
		}
	}
	return identity, ok, nil
}

// checkOf is the function given, or a check of the secrets, a map from each to
// its identity. It panics unless there is exactly one of the two.
func checkOf(check CheckFunc, bySecret map[string]string, mistake string) CheckFunc {
	if (check == nil) == (len(bySecret) == 0) {
		panic("middleware: " + mistake)
	}
	if check != nil {
		return check
	}
	var s secrets
	for text, identity := range bySecret {
		if text == "" {
			panic("middleware: " + mistake + "; an empty one lets everybody in")
		}
		s = append(s, secret{sha256.Sum256([]byte(text)), identity})
	}
	return s.check
}

// authenticate runs the rest of the chain for the first of the secrets that passes the
// check.
func authenticate(c *nextrush.Context, check CheckFunc, challenge string, secrets ...string) error {
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		identity, ok, err := check(c, secret)
		if err != nil {
			return err
		}
		if ok {
			c.Set(IdentityKey, identity)
			return c.Next()
		}
	}
	return unauthorized(challenge)
}

// unauthorized is a 401, which has to name a scheme (RFC 9110 §15.5.2).
func unauthorized(challenge string) error {
	return nextrush.NewError(http.StatusUnauthorized).WithHeader("WWW-Authenticate", challenge)
}

// challengeFor is a scheme with its realm as a quoted string (RFC 9110 §11.6.1).
func challengeFor(scheme, realm string) string {
	if realm == "" {
		realm = "Restricted"
	}
	if strings.ContainsFunc(realm, func(r rune) bool { return r < ' ' || r > '~' }) {
		panic("middleware: Realm: use printable ASCII, for it is part of a header")
	}
	return scheme + ` realm="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(realm) + `"`
}
