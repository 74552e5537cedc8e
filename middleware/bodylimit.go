package middleware

import "github.com/nextrush/nextrush"

// BodyLimit answers 413 to requests with a body of more than limit bytes, on a
// group or route that takes more or less than Options.BodyLimit; the last one on
// the way to a route counts. A body of unknown length fails when it is read beyond
// the limit, with an *http.MaxBytesError. Put it before Decompress. It panics if
// limit is negative.
func BodyLimit(limit int64) nextrush.Handler {
	if limit < 0 {
		panic("middleware: BodyLimit: the limit is negative: give a number of bytes, or leave BodyLimit out")
	}
	return func(c *nextrush.Context) error {
		if err := c.LimitBody(limit); err != nil {
			return err
		}
		return c.Next()
	}
}
