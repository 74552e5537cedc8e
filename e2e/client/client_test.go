// Package client has the client of clients/js run in browsers, behind a network that breaks.
package client

import (
	"context"
	_ "embed"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/websocket"
)

//go:embed testdata/page.html
var testPage string

// newApp has what the pages of the tests need.
func newApp(t *testing.T, opts websocket.Options) *nextrush.App {
	t.Helper()
	module, err := os.ReadFile("../../clients/js/dist/nextrush.js")
	if err != nil {
		t.Fatal(err)
	}
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	opts.AllowOrigins = []string{"*"} // pages come from elsewhere than behind the proxies
	app.EnableWebSocket(opts)
	app.WS("/echo", func(s *websocket.Socket, _ *nextrush.Context) error {
		websocket.Handle(s, "double", func(_ context.Context, _ *websocket.Socket, n int) (int, error) { return 2 * n, nil })
		return nil
	})
	app.Get("/nextrush.js", func(c *nextrush.Context) error { return c.Blob("text/javascript", module) })
	app.Get("/", func(c *nextrush.Context) error { return c.HTML(testPage) })
	app.Get("/other", func(c *nextrush.Context) error { return c.HTML("<title>other</title>") })
	return app
}

// serve runs an app, and returns its address.
func serve(t *testing.T, app *nextrush.App) string {
	t.Helper()
	ln := listen(t)
	serveOn(t, app, ln)
	return ln.Addr().String()
}

// serveOn runs an app until the test ends.
func serveOn(t *testing.T, app *nextrush.App, ln net.Listener) {
	t.Helper()
	served := make(chan error, 1)
	go func() { served <- app.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		app.Shutdown(ctx)
		<-served
	})
}

// tab is a page in Chromium.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// open starts Chromium with the page of an app.
func open(t *testing.T, addr string) tab {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU)
	// Debian's name for it. Without that, chromedp looks for others.
	if path, err := exec.LookPath("chromium"); err == nil {
		opts = append(opts, chromedp.ExecPath(path))
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	tb := tab{t, ctx}
	tb.run("the page", chromedp.Navigate("http://"+addr))
	tb.wait("window.loaded")
	return tb
}

func (tb tab) run(what string, actions ...chromedp.Action) {
	tb.t.Helper()
	if err := chromedp.Run(tb.ctx, actions...); err != nil {
		tb.t.Fatalf("%s: %v", what, err)
	}
}

// eval returns the value of an expression, or what its promise gives.
func eval[T any](tb tab, js string) (v T) {
	tb.t.Helper()
	await := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	tb.run(js, chromedp.Evaluate(js, &v, await))
	return v
}

// wait waits until an expression is true, for half a minute at most.
func (tb tab) wait(js string) {
	tb.t.Helper()
	tb.run(js, chromedp.Poll(js, nil, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(30*time.Second)))
}

// dial opens a socket in the page, and waits until it is open.
func (tb tab) dial(name, addr string) {
	tb.t.Helper()
	eval[bool](tb, "dial("+quote(name)+", "+quote("http://"+addr)+")")
}

// works waits until a socket is open, and asks the server something.
func (tb tab) works(name string) {
	tb.t.Helper()
	if got := eval[int](tb, "sockets["+quote(name)+"].request('double', 21, { retry: true, timeout: 60_000 })"); got != 42 {
		tb.t.Errorf("%s: twice 21 is %d", name, got)
	}
}

// states are those that a socket has been in since it was dialed. That a wait became
// shorter is the same state.
func (tb tab) states(name string) []string {
	tb.t.Helper()
	return slices.Compact(eval[[]string](tb, "states["+quote(name)+"].map((s) => s.state)"))
}

func quote(s string) string {
	b, _ := json.Marshal(s) // of a string
	return string(b)
}
