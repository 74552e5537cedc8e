package middleware

import (
	"net/http"

	"github.com/nextrush/nextrush"
)

// BodyLimit answers 413 to requests with a body of more than limit bytes, on a
// group or route that takes less than Options.BodyLimit, which holds as well. A
// body of unknown length fails when it is read beyond the limit, with an
// *http.MaxBytesError. It panics where limit is negative.
func BodyLimit(limit int64) nextrush.Handler {
	if limit < 0 {
		panic("middleware: BodyLimit: the limit is negative: give a number of bytes, or leave BodyLimit out")
	}
	return func(c *nextrush.Context) error {
		r := c.Request()
		if r.ContentLength > limit {
			return nextrush.NewError(http.StatusRequestEntityTooLarge)
		}
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = http.MaxBytesReader(c.Writer(), r.Body, limit)
		}
		return c.Next()
	}
}
