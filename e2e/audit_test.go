package e2e

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

//go:embed audit.js
var audit string

// tabThrough presses Tab as often as there are elements to reach, and returns those that
// look the same with the focus as without it.
const tabThrough = `(() => {
	const look = (e) => { const s = getComputedStyle(e); return [s.outlineStyle === "none" ? "" : s.outline, s.borderColor, s.boxShadow].join(); };
	const e = document.activeElement, around = e.parentElement;
	if (e === document.body) return "";
	const with_ = look(e) + look(around);
	e.blur();
	const without = look(e) + look(around);
	e.focus({ focusVisible: true });
	const name = e.id ? "#" + e.id : e.tagName.toLowerCase() + " " + (e.name || e.textContent).slice(0, 20);
	return name + (with_ === without ? " shows no focus" : "");
})()`

// pages are the pages of the examples, with the actions that bring them into use.
var pages = []struct {
	example, path string
	use           []chromedp.Action
	reach         []string // by Tab
}{
	{"chat", "/", nil, []string{"input name", "input room", "button Join"}},
	{"chat", "/?room=tea", []chromedp.Action{
		chromedp.SendKeys("#door input[name=name]", "Ann\r"), sees("#count", "1 person here"),
		chromedp.SendKeys("#say input", "Hello\r"), sees("#said .text", "Hello"), chromedp.Blur("#say input"),
	}, []string{"#leave", "#log", "input text", "button Send"}},
	{"board", "/b/tea", []chromedp.Action{
		sees("#status", "1 person"), chromedp.Click("#tools [data-name=note]"), chromedp.MouseClickXY(500, 300),
		chromedp.SendKeys(".note textarea", "Hello"), chromedp.Click("#tools [data-name=pen]"), draws([2]float64{400, 200}, [2]float64{500, 250}, [2]float64{600, 200}),
		chromedp.Click("#clear"), chromedp.Click("#undo"), sees("#toasts", "Undo"), sees(".note", "Hello"),
	}, []string{"#name", "#share", "button ", "button ", "button ", "button ", "#undo", "#redo", "#clear", "#save"}},
	{"demo", "/", []chromedp.Action{
		sees("#log", "welcome"), chromedp.Click("#unknown"), sees("#log", "unknown message type"),
		chromedp.Click("#form button"), sees("#log", `← {"type":"echo"`), sees("#stats", "connections"),
	}, []string{"#text", "button Send echo", "#ping", "#unknown", "#again", "#log"}},
	{"sse", "/", []chromedp.Action{
		sees("#state", "connected"), chromedp.SendKeys("#text", "It rains\r"), sees("#news", "It rains"),
	}, []string{"#text", "button Post"}},
	{"dashboard", "/", []chromedp.Action{sees("#state", "live"), sees("#engine", "Round trip"), sees("#sockets", "(you)"), sees("#rooms", "live")},
		[]string{"#pause", "input token", "button Unlock", "div SocketPathOpen forRo", "button Socket", "button Path"}},
	{"game", "/", nil, []string{"input name", "#quick", "#private", "#look"}},
	{"game", "/#tea", []chromedp.Action{
		chromedp.SendKeys("input[name=name]", "Ann\r"), sees("#scores", "Ann"), sees("#title", "Match tea"),
	}, []string{"#share", "#turn", "#leave", "#field"}},
	{"upload", "/", nil, []string{"#files"}},
	{"spa", "/new", []chromedp.Action{chromedp.SendKeys("form input", "Milk"), chromedp.Click("form button"), sees("h1", "Milk")}, []string{"a Notes", "a New"}},
	{"spa", "/new", []chromedp.Action{chromedp.Click("nav a"), chromedp.Click("main a"), sees("h1", "Milk")}, nil},
	{"spa", "/", []chromedp.Action{sees("main", "Milk")}, []string{"a Notes", "a New", "a Milk"}},
	{"spa", "/new", []chromedp.Action{chromedp.WaitVisible("form")}, []string{"a Notes", "a New", "input ", "textarea ", "button Save"}},
	{"spa", "/nowhere", []chromedp.Action{sees("main", "no such page")}, nil},
	{"auth", "/?failed=1", []chromedp.Action{chromedp.WaitVisible("#failed")}, []string{"input name", "input password", "button Log in"}},
	{"auth", "/", []chromedp.Action{
		chromedp.SendKeys("[name=name]", "ann"), chromedp.SendKeys("[name=password]", "correct-horse\r"), chromedp.WaitVisible("#board"), sees("#status", "New notes"),
		chromedp.SendKeys("#text", "Meet at noon\r"), sees("#notes", "Meet at noon"),
	}, []string{"button Log out", "#text", "button Post"}},
	{"api", "/docs", []chromedp.Action{sees("main", "Add a book"), chromedp.Evaluate(`document.querySelectorAll("details").forEach((d) => d.open = true)`, nil)}, []string{"a OpenAPI document", "#find", "#authorization", "summary GET/booksList the bo"}},
	{"votes", "/asyncapi", []chromedp.Action{
		sees("main", "Votes; who votes again"), chromedp.Evaluate(`document.querySelectorAll("details").forEach((d) => d.open = true)`, nil),
		chromedp.Click("form button"), sees("form", "connected"), chromedp.Click("form button[type=submit]"), sees(".log", "ack"),
	}, nil},
	{"cluster", "/", []chromedp.Action{
		sees("#status", "on node-"), sees("#nodes", "node-3: "), chromedp.SendKeys("#say input", "Hello\r"), sees("#log", "Hello by way of node-"),
	}, []string{"#kill", "#log", "input text", "button Send"}},
	{"cookbook/chat", "/?failed", []chromedp.Action{chromedp.WaitVisible("#failed")}, []string{"input name", "input password", "button Log in"}},
	{"cookbook/chat", "/", []chromedp.Action{
		chromedp.SendKeys("[name=name]", "ann"), chromedp.SendKeys("[name=password]", "correct-horse\r"), chromedp.WaitVisible("#chat"), sees("#people", "ann"),
		chromedp.SendKeys("#text", "Hello\r"), sees("#log", "Hello"),
	}, []string{"#log", "#text", "button Send"}},
	{"cookbook/form", "/", []chromedp.Action{
		chromedp.SendKeys("#name", "Ann"), chromedp.SendKeys("#email", "ann@a.example"), chromedp.SendKeys("#seats", "2\r"), chromedp.WaitVisible(".done"),
	}, []string{"#name", "#email", "#seats", "button Sign up"}},
	{"cookbook/jwt", "/", nil, []string{"#name", "#password", "button Log in"}},
	{"cookbook/jwt", "/", []chromedp.Action{
		chromedp.SendKeys("#name", "ann"), chromedp.SendKeys("#password", "correct-horse\r"), sees("#state", "connected"), chromedp.SendKeys("#text", "Hello\r"), sees("#log", "Hello"),
	}, []string{"#text", "button Send", "#leave"}},
	{"cookbook/history", "/", []chromedp.Action{chromedp.SendKeys("#text", "Land in sight\r"), sees("#entries", "Land in sight")}, []string{"#text", "button Write"}},
	{"cookbook/presence", "/", nil, []string{"#name", "button Enter"}},
	{"cookbook/presence", "/", []chromedp.Action{chromedp.SendKeys("#name", "Ann\r"), sees("#people", "Ann")}, nil},
	{"cookbook/upload", "/", nil, []string{"#file", "#send"}},
	{"cookbook/server", "/", []chromedp.Action{sees("#visitor", "127.0.0.1 http://")}, nil},
	{"cookbook/job", "/", []chromedp.Action{sees("#state", "connected"), chromedp.Click("#start"), sees("#jobs", " %")}, []string{"#start"}},
}

// complaints collects the messages of the browser's console.
func complaints(ctx context.Context) func() []string {
	var mu sync.Mutex // guards said
	var said []string
	chromedp.ListenTarget(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
				said = append(said, e.Entry.Text+" "+e.Entry.URL)
			}
		case *runtime.EventExceptionThrown:
			said = append(said, e.ExceptionDetails.Error())
		case *network.EventResponseReceived:
			if e.Response.Status >= 400 && e.Response.URL != "" {
				said = append(said, fmt.Sprint(e.Response.Status, " ", e.Response.URL))
			}
		}
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(said)
	}
}

func TestPagesAreReadableAndUsedByKeyboard(t *testing.T) {
	ctx := browser(t)
	run(t, ctx, "start", log.Enable(), network.Enable())
	addresses := map[string]string{}
	for _, p := range pages {
		if addresses[p.example] == "" {
			addresses[p.example] = serve(t, p.example).addr
		}
		said := complaints(ctx)
		name := p.example + p.path
		run(t, ctx, name, chromedp.Navigate("http://"+addresses[p.example]+p.path))
		run(t, ctx, name, p.use...)
		inspect(t, ctx, name)
		if reached := tab(t, ctx, len(p.reach)); !slices.Equal(reached, p.reach) {
			t.Errorf("%s: Tab reaches %q, want %q", name, reached, p.reach)
		}
		for _, s := range said() {
			if !strings.HasSuffix(s, "/api/me") { // where auth's page asks whether somebody is logged in
				t.Errorf("%s: the browser says %s", name, s)
			}
		}
	}
}

// resized waits until the page has drawn itself in its new size.
const resized = `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 100))))`

func awaits(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

// inspect audits the page on a phone and on a desk, by day and by night.
func inspect(t *testing.T, ctx context.Context, page string) {
	t.Helper()
	for _, width := range []int64{390, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			name := fmt.Sprint(page, " at ", width, " in ", scheme)
			var faults []string
			run(t, ctx, name, emulation.SetDeviceMetricsOverride(width, 800, 1, width < 600),
				emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
				chromedp.Evaluate(resized, nil, awaits), chromedp.Evaluate(audit, &faults))
			for _, f := range faults {
				t.Errorf("%s: %s", name, f)
			}
			keepScreenshot(t, ctx, strings.Map(plain, name))
		}
	}
}

// plain keeps the characters that a file's name may have on every system.
func plain(r rune) rune {
	if r == '/' || r == '?' || r == '=' || r == ' ' {
		return '-'
	}
	return r
}

// tab presses Tab n times and returns the element that has the focus after each.
func tab(t *testing.T, ctx context.Context, n int) []string {
	t.Helper()
	reached := []string(nil)
	run(t, ctx, "no focus", chromedp.Evaluate(`document.activeElement.blur(); getSelection().removeAllRanges(); document.body.tabIndex = -1; document.body.focus()`, nil))
	for range n {
		var name string
		run(t, ctx, "Tab", chromedp.KeyEvent("\t"), chromedp.Evaluate(tabThrough, &name))
		reached = append(reached, name)
	}
	return reached
}
