package middleware

import (
	"crypto/rand"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
)

// RequestIDOptions configures RequestID. The zero value trusts nobody.
type RequestIDOptions struct {
	// TrustIncoming takes over the X-Request-Id of the request if it has 1
	// to 128 letters, digits, dots, dashes and underscores: behind a proxy of
	// your own that sets it.
	TrustIncoming bool
}

const requestIDHeader = "X-Request-Id"

// RequestID gives each request an id of 130 random bits, which Context.ID
// returns and the response's X-Request-Id carries.
func RequestID(opts ...RequestIDOptions) nextrush.Handler {
	o := opt.First(opts)
	return func(c *nextrush.Context) error {
		id := c.Header(requestIDHeader)
		if !o.TrustIncoming || !validRequestID(id) {
			id = rand.Text()
		}
		c.SetHeader(requestIDHeader, id)
		return c.Next()
	}
}

func validRequestID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for _, r := range id {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
		default:
			return false
		}
	}
	return true
}
