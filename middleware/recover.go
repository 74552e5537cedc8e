package middleware

import (
	"net/http"
	"runtime/debug"

	"github.com/nextrush/nextrush"
)

// Recover makes a panic of the handlers after it an error, which the
// middleware before it sees as any other. The App does the same for panics
// that get that far. http.ErrAbortHandler passes through.
func Recover() nextrush.Handler {
	return func(c *nextrush.Context) (err error) {
		defer func() {
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler:
				panic(v)
			default:
				p, ok := v.(*nextrush.PanicError) // knows where it began
				if !ok {
					p = &nextrush.PanicError{Value: v, Stack: debug.Stack()}
				}
				err = p
			}
		}()
		return c.Next()
	}
}
