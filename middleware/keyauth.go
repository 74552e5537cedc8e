package middleware

import (
	"github.com/nextrush/nextrush"
)

// KeyAuthOptions configures KeyAuth. One of Keys and Check is needed.
type KeyAuthOptions struct {
	Keys  map[string]string // whose each key is, by key
	Check CheckFunc         // instead of Keys
	Realm string            // empty: "Restricted"

	// Where the key is, the first of them that the request has. All empty: the
	// header X-API-Key. A query is seen in logs and histories, and cookies need
	// CSRF as well.
	Header, Query, Cookie string
}

// KeyAuth lets those pass who send an API key, and answers the others with 401
// and the scheme "ApiKey". Whose the key is, or what Check returned, is kept
// under IdentityKey.
func KeyAuth(o KeyAuthOptions) nextrush.Handler {
	check := checkOf(o.Check, o.Keys, "KeyAuth: set one of Keys, by key, and Check")
	challenge := challengeFor("ApiKey", o.Realm)
	if o.Header == "" && o.Query == "" && o.Cookie == "" {
		o.Header = "X-API-Key"
	}
	return func(c *nextrush.Context) error {
		return authenticate(c, check, challenge, o.find(c)...)
	}
}

// find also tells shared caches what the answer depends on.
func (o *KeyAuthOptions) find(c *nextrush.Context) (keys []string) {
	var key string
	if o.Header != "" {
		c.Vary(o.Header)
		key = c.Header(o.Header)
	}
	if key == "" && o.Query != "" {
		key = c.Query(o.Query)
	}
	if o.Cookie != "" {
		c.Vary("Cookie")
		if key == "" {
			return c.Cookies(o.Cookie)
		}
	}
	return []string{key}
}
