package middleware_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

// mark adds to the header Trail on the way in.
func mark(s string) nextrush.Handler {
	return func(c *nextrush.Context) error {
		c.Append("Trail", s)
		return c.Next()
	}
}

// refuse answers 403 to all.
func refuse(*nextrush.Context) error { return nextrush.NewError(403) }

func TestCompose(t *testing.T) {
	yes := func(*nextrush.Context) bool { return true }
	no := func(*nextrush.Context) bool { return false }
	for name, test := range map[string]struct {
		h      nextrush.Handler
		want   string
		status int
	}{
		"Only what matches":            {middleware.Only(yes, mark("x")), "x end", 200},
		"Only not what does not":       {middleware.Only(no, mark("x")), "end", 200},
		"Only, and it refuses":         {middleware.Only(yes, refuse), "", 403},
		"Skip what matches":            {middleware.Skip(yes, refuse), "end", 200},
		"Skip not what does not":       {middleware.Skip(no, mark("x")), "x end", 200},
		"Chain in order":               {middleware.Chain(mark("x"), mark("y"), mark("z")), "x y z end", 200},
		"Chain of none":                {middleware.Chain(), "end", 200},
		"Chain in a Chain":             {middleware.Chain(mark("x"), middleware.Chain(mark("y")), mark("z")), "x y z end", 200},
		"Chain that is cut":            {middleware.Chain(mark("x"), refuse, mark("z")), "x", 403},
		"Chain in Only":                {middleware.Only(yes, middleware.Chain(mark("x"), mark("y"))), "x y end", 200},
		"Chain in Only, of others":     {middleware.Only(no, middleware.Chain(mark("x"), mark("y"))), "end", 200},
		"Only in a Chain, with others": {middleware.Chain(middleware.Only(no, refuse), mark("y")), "y end", 200},
	} {
		w := send("GET", "/", nil, test.h, mark("end"))
		if got := strings.Join(w.Header()["Trail"], " "); w.Code != test.status || got != test.want {
			t.Errorf("%s: %d %q, want %d %q", name, w.Code, got, test.status, test.want)
		}
	}
}

func TestChainKeepsItsHandlersWhateverTheCallerDoes(t *testing.T) {
	handlers := []nextrush.Handler{mark("x")}
	h := middleware.Chain(handlers...)
	handlers[0] = refuse
	if w := send("GET", "/", nil, h); w.Code != 200 {
		t.Error(w.Code)
	}
}

func TestComposeRefusesMistakesAtSetUp(t *testing.T) {
	always := func(*nextrush.Context) bool { return true }
	wantPanic(t, "Only without a match", func() { middleware.Only(nil, refuse) })
	wantPanic(t, "Only without a handler", func() { middleware.Only(always, nil) })
	wantPanic(t, "Skip without a match", func() { middleware.Skip(nil, refuse) })
	wantPanic(t, "Skip without a handler", func() { middleware.Skip(always, nil) })
	wantPanic(t, "Chain with a nil", func() { middleware.Chain(refuse, nil) })
}

func ExampleSkip() {
	health := func(c *nextrush.Context) bool { return c.Path() == "/health" }
	app := nextrush.New()
	app.Use(middleware.Skip(health, middleware.Chain(mark("limited"), refuse)))
	app.Get("/health", func(c *nextrush.Context) error { return c.Text("well") })
	app.Get("/users", func(c *nextrush.Context) error { return c.Text("all of them") })
	fmt.Println(ask(app, "/health").Code, ask(app, "/users").Code)
	// Output: 200 403
}
