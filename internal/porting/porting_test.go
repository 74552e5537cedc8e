// Package porting has tests of what the guides for those who come from other frameworks
// say: docs/coming-from-*.md name them row by row.
package porting

import (
	"log/slog"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/leak"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

func TestMain(m *testing.M) { leak.Main(m) }

// rows are the parts of a test by their names, which the guides give after its own.
type rows map[string]func(t *testing.T)

func (r rows) run(t *testing.T) {
	for name, row := range r {
		t.Run(name, row)
	}
}

// serve serves an App with what register gives it.
func serve(t *testing.T, register func(app *nextrush.App), opts ...nextrush.Options) *nextrushtest.Client {
	t.Helper()
	var o nextrush.Options
	if len(opts) > 0 {
		o = opts[0]
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	app := nextrush.New(o)
	app.EnableWebSocket(websocket.Options{})
	register(app)
	return nextrushtest.New(t, app)
}

// at serves a handler at /x/:id/*rest, for every method.
func at(t *testing.T, h nextrush.Handler, opts ...nextrush.Options) *nextrushtest.Client {
	t.Helper()
	return serve(t, func(app *nextrush.App) { app.Any("/x/:id/*rest", h) }, opts...)
}

// text answers with a text.
func text(s string) nextrush.Handler {
	return func(c *nextrush.Context) error { return c.Text(s) }
}

// panics runs f and returns the text of its panic.
func panics(t *testing.T, f func()) (said string) {
	t.Helper()
	defer func() {
		p := recover()
		if p == nil {
			t.Error("no panic")
			return
		}
		said, _ = p.(string)
	}()
	f()
	return ""
}
