package middleware

import (
	"strings"

	"github.com/nextrush/nextrush"
)

// BasicAuthOptions configures BasicAuth. One of Users and Check is needed.
type BasicAuthOptions struct {
	Users map[string]string // passwords by user name
	// Check tells who has that name and password; see [CheckFunc].
	Check func(c *nextrush.Context, user, password string) (identity any, ok bool, err error)
	Realm string // shown by browsers; empty: "Restricted"
}

// BasicAuth lets those pass who send a name and password (RFC 7617), and answers
// the others with 401. Without HTTPS both can be read on the way. The name, or
// what Check returned, is kept under IdentityKey. Browsers send both along with
// requests that other sites have them make: use CSRF as well.
func BasicAuth(o BasicAuthOptions) nextrush.Handler {
	check := basicCheck(o)
	challenge := challengeFor("Basic", o.Realm) + `, charset="UTF-8"`
	return func(c *nextrush.Context) error {
		user, password, ok := c.Request().BasicAuth()
		if !ok {
			return unauthorized(challenge)
		}
		return authenticate(c, check, challenge, user+":"+password)
	}
}

// basicCheck checks "user:password", in which the first colon is the separator,
// for a name has none (RFC 7617 §2).
func basicCheck(o BasicAuthOptions) CheckFunc {
	const mistake = "BasicAuth: set one of Users, names without a colon and their passwords, and Check"
	var check CheckFunc
	if o.Check != nil {
		check = func(c *nextrush.Context, pair string) (any, bool, error) {
			user, password, _ := strings.Cut(pair, ":")
			return o.Check(c, user, password)
		}
	}
	pairs := make(map[string]string, len(o.Users))
	for user, password := range o.Users {
		if user == "" || password == "" || strings.Contains(user, ":") {
			panic("middleware: " + mistake)
		}
		pairs[user+":"+password] = user
	}
	return checkOf(check, pairs, mistake)
}
