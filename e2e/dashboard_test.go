package e2e

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

func TestOneBrowserDisconnectsAnother(t *testing.T) {
	t.Setenv("ADMIN_TOKEN", "a token for this test")
	addr := serve(t, "dashboard").addr
	ann := browser(t)
	bob, cancel := chromedp.NewContext(ann)
	defer cancel()
	var name string
	run(t, ann, "ann watches", chromedp.Navigate("http://"+addr), sees("#state", "live"))
	run(t, bob, "bob watches", chromedp.Navigate("http://"+addr), sees("#state", "live"), sees("#sockets", "(you)"),
		chromedp.Evaluate(`[...document.querySelectorAll("#sockets td")].find((td) => td.textContent.includes("(you)")).textContent.slice(0, 8)`, &name))

	run(t, ann, "ann guesses", chromedp.SendKeys("[name=token]", "guess\r"), sees("#refused", "not the token"),
		chromedp.Evaluate(`document.querySelector("[name=token]").value = ""`, nil), chromedp.SendKeys("[name=token]", "a token for this test\r"),
		chromedp.Click(fmt.Sprintf(`[aria-label="Disconnect %s"]`, name), chromedp.NodeVisible))
	run(t, bob, "bob is told why", sees("#state", "disconnected by an administrator"), chromedp.WaitVisible("#again"))
	run(t, ann, "ann sees it", sees("#closes", "4403"), chromedp.Poll(`document.querySelectorAll("#sockets tbody tr").length === 1`, nil))
	keepScreenshot(t, ann, "dashboard-admin")
	inspect(t, bob, "dashboard-disconnected")
	run(t, bob, "bob connects again", chromedp.Click("#again"), sees("#state", "live"))
	run(t, ann, "ann sees him", chromedp.Poll(`document.querySelectorAll("#sockets tbody tr").length === 2`, nil))
}

// countDrawings counts how often the chart is drawn.
const countDrawings = `window.drawings = 0;
const clear = CanvasRenderingContext2D.prototype.clearRect;
CanvasRenderingContext2D.prototype.clearRect = function (...args) {
	if (this.canvas.id === "messages") drawings++;
	clear.apply(this, args);
};`

func TestTheChartRestsWhenNobodyLooksAndWithoutMotion(t *testing.T) {
	addr := serve(t, "dashboard").addr
	ctx := browser(t)
	var frames atomic.Int64
	come := make(chan struct{}, 1)
	chromedp.ListenTarget(ctx, func(event any) {
		if _, ok := event.(*network.EventWebSocketFrameReceived); ok && frames.Add(1)%30 == 0 {
			select {
			case come <- struct{}{}:
			default:
			}
		}
	})
	run(t, ctx, "watch", network.Enable(), chromedp.Navigate("http://"+addr), sees("#state", "live"), chromedp.Evaluate(countDrawings, nil))
	// during does something, and returns how often the chart is drawn while 30 to 60 frames come.
	during := func(what string, actions ...chromedp.Action) (drawn int) {
		run(t, ctx, what, actions...)
		run(t, ctx, what, chromedp.Evaluate(`new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(drawings = 0))))`, nil, await))
		select {
		case <-come: // of before
		default:
		}
		<-come
		<-come
		run(t, ctx, what, chromedp.Evaluate("drawings", &drawn))
		return drawn
	}
	hide := func(hidden bool) chromedp.Action {
		return chromedp.Evaluate(fmt.Sprintf(`Object.defineProperty(document, "hidden", { configurable: true, value: %v }); document.dispatchEvent(new Event("visibilitychange"))`, hidden), nil)
	}
	if n := during("seen"); n < 10 {
		t.Errorf("it is drawn %d times while it is seen", n)
	}
	if n := during("hidden", hide(true)); n != 0 {
		t.Errorf("it is drawn %d times while the page is hidden", n)
	}
	if n := during("paused", hide(false), chromedp.Click("#pause"), sees("#state", "paused")); n != 0 {
		t.Errorf("it is drawn %d times while it is paused", n)
	}
	still := emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}})
	if n := during("still", still, chromedp.Click("#pause"), sees("#state", "live")); n == 0 || n > 10 {
		t.Errorf("it is drawn %d times without motion", n)
	}
}
