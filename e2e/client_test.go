package e2e

import (
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/client"
	"github.com/nextrush/nextrush/websocket"
)

// withScript is an app whose page has the tags of plugin client, changed by change, and a
// script that imports the client by a name.
func withScript(name string, change func(tags string) string) *nextrush.App {
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	app.Use(middleware.Production())
	app.EnableWebSocket(websocket.Options{})
	p := client.New()
	app.Register(p)
	app.WS("/echo", func(s *websocket.Socket, _ *nextrush.Context) error {
		websocket.On(s, "say", func(s *websocket.Socket, text string) error { return s.Emit("said", text) })
		return nil
	})
	app.Get("/", func(c *nextrush.Context) error {
		return c.HTML(`<!doctype html><title>A page</title><link rel="icon" href="data:,">` + change(string(p.Script(middleware.CSPNonce(c)))) +
			`<script src="/app.js" type="module"></script><p id="said"></p>`)
	})
	app.Get("/app.js", func(c *nextrush.Context) error {
		return c.Blob("text/javascript", []byte(`import { connect } from "`+name+`";
			const echo = connect("/echo");
			echo.on("said", (text) => { document.getElementById("said").textContent = text; });
			echo.emit("say", "it works");`))
	})
	return app
}

func TestTheTagsOfTheClientPassThePolicy(t *testing.T) {
	ctx := browser(t)
	run(t, ctx, "start", log.Enable())
	said := complaints(ctx)
	for _, name := range []string{"/nextrush.js", "nextrush-client"} {
		var loaded []string
		run(t, ctx, name, chromedp.Navigate("http://"+serveApp(t, withScript(name, func(tags string) string { return tags }))),
			sees("#said", "it works"), chromedp.Evaluate(`performance.getEntriesByType("resource").map((e) => e.name).filter((n) => n.includes("nextrush"))`, &loaded))
		if len(loaded) != 1 || !strings.HasSuffix(loaded[0], client.New().URL()) {
			t.Errorf("%s loads %q", name, loaded)
		}
	}
	for _, s := range said() {
		t.Errorf("the browser says %s", s)
	}
}

func TestAnotherScriptThanThatOfTheHashIsRefused(t *testing.T) {
	wrong := "sha384-" + strings.Repeat("A", 64)
	for name, change := range map[string]func(string) string{
		"in both tags": func(tags string) string { return strings.ReplaceAll(tags, client.New().Integrity(), wrong) },
		"in the map": func(tags string) string {
			imports, _, _ := strings.Cut(tags, "\n")
			return strings.ReplaceAll(imports, client.New().Integrity(), wrong)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := browser(t)
			run(t, ctx, "start", log.Enable())
			said := complaints(ctx)
			var text string
			run(t, ctx, "the page", chromedp.Navigate("http://"+serveApp(t, withScript("/nextrush.js", change))),
				chromedp.Evaluate(`import("/nextrush.js").then(() => "loaded", (e) => e.name)`, &text, await))
			if text != "TypeError" || !strings.Contains(strings.Join(said(), "\n"), "integrity") {
				t.Errorf("the import: %s, the browser says %q", text, said())
			}
		})
	}
}

// TestTheBoardOfNotesOutlivesTheServer loses nothing while two windows are cut off, and
// shows the door when the cookie is worth nothing any more.
func TestTheBoardOfNotesOutlivesTheServer(t *testing.T) {
	t.Setenv("AUTH_SECRET", strings.Repeat("a", 32))
	server := serve(t, "auth")
	one := browser(t)
	board := "http://" + server.addr
	run(t, one, "log in", chromedp.Navigate(board), chromedp.SendKeys("[name=name]", "ann"), chromedp.SendKeys("[name=password]", "correct-horse\r"),
		chromedp.WaitVisible("#board"), sees("#status", "New notes"), chromedp.SendKeys("#text", "At noon\r"), sees("#notes", "At noon"))
	other, cancel := chromedp.NewContext(one)
	defer cancel()
	run(t, other, "a second window", chromedp.Navigate(board), sees("#status", "New notes"), sees("#notes", "At noon"),
		chromedp.SendKeys("#text", "Or later\r"), sees("#notes", "Or later"))
	run(t, one, "sees both", sees("#notes", "Or later"))

	server.stop()
	run(t, one, "no server", sees("#status", "Connecting"), chromedp.SendKeys("#text", "Nobody hears\r"), sees("#error", "no connection"))
	server.start()
	run(t, one, "it has forgotten", sees("#status", "New notes"), chromedp.Poll(`document.querySelectorAll("#notes li").length === 0`, nil))
	run(t, other, "a new note", sees("#status", "New notes"), chromedp.SendKeys("#text", "Anew\r"), sees("#notes", "Anew"))
	run(t, one, "sees it", sees("#notes", "Anew"))

	server.stop()
	t.Setenv("AUTH_SECRET", strings.Repeat("b", 32))
	server.start()
	run(t, one, "the door", chromedp.WaitVisible("#door"))
}
