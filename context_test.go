package nextrush

import (
	"net/http/httptest"
	"testing"
)

func TestRunPutsHandlersBeforeTheRest(t *testing.T) {
	var trail string
	step := func(s string) Handler {
		return func(c *Context) error {
			trail += s
			err := c.Next()
			trail += "/" + s
			return err
		}
	}
	stop := func(*Context) error { return NewError(403) }
	run := func(handlers ...Handler) Handler {
		return func(c *Context) error { return c.Run(handlers...) }
	}
	for name, test := range map[string]struct {
		h      Handler
		want   string
		status int
	}{
		"none":        {run(), "b:id/b", 204},
		"some":        {run(step("x"), step("y")), "xyb:id/b/y/x", 204},
		"inside Run":  {run(step("x"), run(step("y")), step("z")), "xyzb:id/b/z/y/x", 204},
		"that refuse": {run(step("x"), stop, step("z")), "x/x", 403},
	} {
		trail = ""
		app := New()
		app.Use(test.h, step("b"))
		app.Get("/:id", func(c *Context) error {
			trail += c.Route()[1:]
			return c.Status(204).NoContent()
		})
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("GET", "/7", nil))
		if trail != test.want || w.Code != test.status {
			t.Errorf("%s: %d %s, want %d %s", name, w.Code, trail, test.status, test.want)
		}
	}
}
