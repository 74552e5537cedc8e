// Package cookie knows what browsers ask of cookies (RFC 6265bis).
package cookie

import (
	"fmt"
	"net/http"
	"strings"
)

// MustBeSecure reports names that browsers take with the attribute Secure alone (RFC
// 6265bis §4.1.3).
func MustBeSecure(name string) bool {
	return hasPrefix(name, "__Host-") || hasPrefix(name, "__Secure-")
}

func hasPrefix(name, prefix string) bool {
	return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
}

// Check returns an error if net/http would leave out the cookie or a part of it, or
// browsers would not keep it.
func Check(c *http.Cookie) error {
	if hasPrefix(c.Name, "__Host-") {
		for option, set := range map[string]bool{"Domain": c.Domain != "", "Path": c.Path != "/"} {
			if set {
				return fmt.Errorf("browsers keep the cookie %s only if it is for the whole of one host: leave out %s, or give it another name", c.Name, option)
			}
		}
	}
	if !strings.HasPrefix(c.Path, "/") {
		return fmt.Errorf("the path of a cookie begins with a /: %q", c.Path)
	}
	return c.Valid()
}
