package nextrush

import "net/http"

// WrapHandler makes a Handler of one for net/http. Path parameters are in
// Request.PathValue.
func WrapHandler(h http.Handler) Handler {
	return func(c *Context) error {
		c.setPathValues()
		h.ServeHTTP(c.w, c.req)
		return nil
	}
}

func (c *Context) setPathValues() {
	if rt := c.matched(); rt != nil {
		for i, name := range rt.names {
			c.req.SetPathValue(name, c.param(i))
		}
	}
}

// WrapMiddleware makes a Handler of middleware for net/http. The request and the
// writer that it passes on are those of the handlers that follow. An error of
// theirs is answered before the middleware sees the end of the request, for it
// has no other way to learn the status.
func WrapMiddleware(mw func(http.Handler) http.Handler) Handler {
	return func(c *Context) error {
		var failed error
		w, r := c.w, c.req
		h := mw(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c.w, c.req, c.own = w, r, true
			if failed = c.Next(); failed != nil {
				c.HandleError(failed)
			}
		}))
		h.ServeHTTP(w, r)
		c.w, c.req, c.own = w, r, true
		return failed
	}
}
