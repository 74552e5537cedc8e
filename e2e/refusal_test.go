package e2e

import (
	"io"
	"log/slog"
	"testing"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/websocket"
)

func TestWhatAPageLearnsOfARefusal(t *testing.T) {
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	app.EnableWebSocket(websocket.Options{})
	app.Get("/", func(c *nextrush.Context) error { return c.HTML("<title>A page</title>") })
	members := nextrush.NewError(403, "members only")
	refuse := func(*nextrush.Context) error { return members }
	app.With(refuse).WS("/before", func(*websocket.Socket, *nextrush.Context) error { return nil })
	app.WS("/after", func(*websocket.Socket, *nextrush.Context) error { return members })
	addr := serveApp(t, app)

	const closed = `new Promise((done) => { new WebSocket("/PATH").onclose = (e) => done(e.code + " " + e.reason); })`
	ctx := browser(t)
	run(t, ctx, "the page", chromedp.Navigate("http://"+addr))
	for path, want := range map[string]string{"before": "1006 ", "after": "4403 members only"} {
		var got string
		run(t, ctx, path, chromedp.Evaluate(adapt(t, closed, "PATH", path), &got, await))
		if got != want {
			t.Errorf("refused %s the 101: %q, want %q", path, got, want)
		}
	}
}

// await has a script's promise waited for.
func await(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
