package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image/png"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// presses moves the mouse to the first point, presses the button and moves it on.
func presses(points ...[2]float64) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		for i, p := range points {
			kind := input.MouseMoved
			if i == 0 {
				kind = input.MousePressed
			}
			if err := chromedp.MouseEvent(kind, p[0], p[1], chromedp.ButtonLeft).Do(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

func releases(x, y float64) chromedp.Action {
	return chromedp.MouseEvent(input.MouseReleased, x, y, chromedp.ButtonLeft)
}

func draws(points ...[2]float64) chromedp.Action {
	last := points[len(points)-1]
	return chromedp.Tasks{presses(points...), releases(last[0], last[1])}
}

// inked waits until so many pixels of a canvas are painted, at least.
func inked(canvas string, atLeast int) chromedp.Action {
	return until(fmt.Sprintf(`%s(%q) >= %d`, countInk, canvas, atLeast))
}

func blank(canvas string) chromedp.Action {
	return until(fmt.Sprintf(`%s(%q) === 0`, countInk, canvas))
}

func until(js string) chromedp.Action {
	return chromedp.Poll(js, nil, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(40*time.Second))
}

const countInk = `((id) => {
	const c = document.getElementById(id), d = c.getContext("2d").getImageData(0, 0, c.width || 1, c.height || 1).data;
	let n = 0;
	for (let i = 3; i < d.length; i += 4) if (d[i] > 100) n++;
	return n;
})`

// onTheBoard is all that a page shows of its board: the pixels, and where the notes are.
const onTheBoard = `document.getElementById("sheet").toDataURL() + [...document.querySelectorAll(".note")].map((n) =>
	n.style.transform + n.dataset.color + n.querySelector("p").textContent).sort().join("\n")`

// TestTwoPeopleDraw draws on one page what the other shows: while it is drawn, and after.
// Without a connection both go on, and have the same board when it is back.
func TestTwoPeopleDraw(t *testing.T) {
	server := serve(t, "board")
	way := layCable(t, server.addr, swift)
	ann := browser(t)
	run(t, ann, "start", log.Enable(), network.Enable())
	said := complaints(ann)
	run(t, ann, "ann", chromedp.Navigate("http://"+way.Addr().String()+"/b/tea"), sees("#status", "1 person"))
	bob := browser(t) // of his own, since a tab that is hidden does not paint
	run(t, bob, "bob", chromedp.Navigate("http://"+server.addr+"/b/tea"), sees("#status", "2 people"))

	run(t, ann, "ann begins a stroke", presses([2]float64{200, 200}, [2]float64{300, 260}, [2]float64{400, 200}, [2]float64{500, 320}))
	run(t, bob, "bob sees it grow", inked("wet", 500), blank("sheet"), until(`document.querySelectorAll("#cursors div").length === 1`))
	run(t, ann, "ann lifts the pen", releases(500, 320))
	run(t, bob, "bob sees it", inked("sheet", 500), blank("wet"))
	run(t, bob, "bob writes", chromedp.Click("#tools [data-name=note]"), chromedp.MouseClickXY(600, 300), chromedp.SendKeys(".note textarea", "At noon"+kb.Escape))
	run(t, ann, "ann reads", sees(".note", "At noon"))
	for _, s := range said() {
		if !strings.Contains(s, "getImageData") { // which is ours
			t.Errorf("the browser says %s", s)
		}
	}

	way.set(true)
	run(t, ann, "ann is cut off, and goes on", sees("#status", "offline"),
		chromedp.Click("[data-color=red]"), draws([2]float64{100, 100}, [2]float64{200, 400}), draws([2]float64{150, 100}, [2]float64{250, 400}),
		chromedp.KeyEvent("z", chromedp.KeyModifiers(input.ModifierCtrl)), sees("#status", "3 to send"),
		chromedp.Focus(".note"), chromedp.KeyEvent(kb.Enter), chromedp.SendKeys(".note textarea", ", or later"+kb.Escape), sees("#status", "4 to send"))
	run(t, bob, "bob goes on", chromedp.Click("#tools [data-name=pen]"), chromedp.Click("[data-color=green]"), draws([2]float64{700, 100}, [2]float64{500, 450}, [2]float64{600, 450}),
		chromedp.Focus(".note"), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.Enter), chromedp.SendKeys(".note textarea", ", with cake"+kb.Escape))
	way.set(false)
	run(t, ann, "ann is back", chromedp.Evaluate(`document.getElementById("now").click()`, nil), sees("#status", "2 people"), sees("#notes", "cake"), chromedp.Click("#fit"))
	run(t, bob, "bob has it all", sees("#notes", "or later"), sees("#notes", "cake"), chromedp.Click("#fit"))
	same(t, ann, bob)

	run(t, bob, "bob clears", chromedp.Click("#clear"), blank("sheet"))
	run(t, ann, "all is gone", blank("sheet"), until(`document.querySelectorAll(".note").length === 0`))
	run(t, bob, "and comes back", chromedp.Click("#undo"), inked("sheet", 500))
	run(t, ann, "all is there", inked("sheet", 500), until(`document.querySelectorAll(".note").length === 2`))
	same(t, ann, bob)

	run(t, bob, "he comes anew", chromedp.Reload(), sees("#notes", "cake"), chromedp.Click("#fit"))
	same(t, ann, bob)
	shotOf(t, bob)
	run(t, ann, "ann draws again", presses([2]float64{200, 300}, [2]float64{300, 360}, [2]float64{400, 300}, [2]float64{300, 200}))
	run(t, bob, "bob sees it", inked("wet", 500))
	keepScreenshot(t, bob, "board")
}

// The server starts anew: the pages load the board, and send what was drawn meanwhile.
func TestTheBoardOutlivesTheServer(t *testing.T) {
	server := serve(t, "board", "-dir", t.TempDir())
	ann, bob := browser(t), browser(t)
	run(t, ann, "ann", chromedp.Navigate("http://"+server.addr+"/b/tea"), sees("#status", "1 person"), draws([2]float64{100, 100}, [2]float64{200, 400}))
	run(t, bob, "bob", chromedp.Navigate("http://"+server.addr+"/b/tea"), sees("#status", "2 people"), inked("sheet", 500), chromedp.Click("#fit"))
	server.stop()
	run(t, ann, "ann goes on", sees("#status", "offline"), draws([2]float64{300, 100}, [2]float64{400, 400}), sees("#status", "1 to send"))
	run(t, bob, "bob goes on", sees("#status", "offline"), chromedp.Click("#clear"), sees("#status", "1 to send"))
	server.start()
	run(t, ann, "ann is back", chromedp.Evaluate(`document.getElementById("now").click()`, nil), sees("#status", "people"), inked("sheet", 500))
	run(t, bob, "bob is back, and undoes", chromedp.Evaluate(`document.getElementById("now").click()`, nil), sees("#status", "2 people"), chromedp.Click("#undo"), inked("sheet", 1500), chromedp.Click("#fit"))
	run(t, ann, "ann has it all", inked("sheet", 1500), chromedp.Click("#fit"))
	same(t, ann, bob)
}

// Who has no pointer draws, and has notes, all the same.
func TestTheBoardByKeyboard(t *testing.T) {
	server := serve(t, "board")
	ann := browser(t)
	at := `document.querySelector(".note")?.style.transform`
	var before, after string
	run(t, ann, "a stroke", chromedp.Navigate("http://"+server.addr+"/b/tea"), sees("#status", "1 person"), chromedp.Focus("#wet"),
		chromedp.KeyEvent(" "), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(" "), inked("sheet", 100))
	run(t, ann, "a note", chromedp.Focus("#tools [data-name=note]"), chromedp.KeyEvent(" "), chromedp.Focus("#wet"), chromedp.KeyEvent(" "),
		chromedp.SendKeys(".note textarea", "By keyboard"), chromedp.KeyEvent(kb.Escape), sees(".note p", "By keyboard"), until(`document.activeElement.matches(".note")`))
	run(t, ann, "it moves", chromedp.Evaluate(at, &before), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowRight), chromedp.Evaluate(at, &after))
	if before == after {
		t.Errorf("the note is still at %s", before)
	}
	undo := chromedp.KeyEvent("z", chromedp.KeyModifiers(input.ModifierCtrl))
	run(t, ann, "it moves back", undo, until(at+" === "+strconv.Quote(before)))
	run(t, ann, "it goes and comes back", chromedp.KeyEvent(kb.Delete), until(at+" === undefined"), undo, sees(".note p", "By keyboard"))
	run(t, ann, "the eraser", chromedp.Focus("#tools [data-name=eraser]"), chromedp.KeyEvent(" "), chromedp.Focus("#wet"), chromedp.KeyEvent(kb.ArrowUp), chromedp.KeyEvent(" "), blank("sheet"))
}

// Two fingers move the view and do not draw.
func TestTheBoardByTouch(t *testing.T) {
	server := serve(t, "board")
	ann := browser(t)
	touch := func(kind input.TouchType, points ...*input.TouchPoint) chromedp.Action {
		return input.DispatchTouchEvent(kind, points)
	}
	p := func(id, x, y float64) *input.TouchPoint { return &input.TouchPoint{ID: id, X: x, Y: y} }
	run(t, ann, "start", emulation.SetDeviceMetricsOverride(390, 800, 2, true), emulation.SetTouchEmulationEnabled(true),
		chromedp.Navigate("http://"+server.addr+"/b/tea"), sees("#status", "1 person"))
	run(t, ann, "one finger draws", touch(input.TouchStart, p(7, 100, 200)), touch(input.TouchMove, p(7, 200, 300)), touch(input.TouchMove, p(7, 100, 400)), touch(input.TouchEnd), inked("sheet", 500))
	run(t, ann, "two zoom", touch(input.TouchStart, p(7, 100, 300)), touch(input.TouchStart, p(7, 100, 300), p(8, 200, 300)),
		touch(input.TouchMove, p(7, 100, 300), p(8, 300, 300)), touch(input.TouchEnd), until(`document.getElementById("scale").textContent === "200%"`), blank("wet"))
	run(t, ann, "a note", chromedp.Click("#fit"), chromedp.Click("#tools [data-name=note]"), touch(input.TouchStart, p(7, 200, 500)), touch(input.TouchEnd),
		chromedp.SendKeys(".note textarea", "By hand"), chromedp.Click("#tools [data-name=move]"), sees(".note p", "By hand"))
	keepScreenshot(t, ann, "board-touch")
}

// What the server refuses is said, and not shown any longer.
func TestTheBoardTellsWhatIsRefused(t *testing.T) {
	server := serve(t, "board")
	ann := browser(t)
	run(t, ann, "a full board", chromedp.Navigate("http://"+server.addr+"/b/full"), sees("#status", "1 person"), chromedp.Evaluate(`(async () => {
		const { connect } = await import("/nextrush.js");
		const socket = connect("/live/full", { query: { user: "bob" } });
		for (let n = 0; n < 20; n++) {
			await socket.request("do", Array.from({ length: 100 }, (_, i) => ({ id: "o" + n + "-" + i, add: { id: "e" + n + "-" + i, color: "red", width: 4, points: [0, 0, 5, 5] } })));
		}
		await socket.close();
	})()`, nil, await), inked("sheet", 10))
	run(t, ann, "ann draws", draws([2]float64{100, 100}, [2]float64{200, 400}), sees("#toasts", "the board is full: erase something first"))
	run(t, ann, "it is gone", until(countInk+`("sheet") < 400`))
}

// same waits until two pages show the same.
func same(t *testing.T, a, b context.Context) {
	t.Helper()
	var of [2]string
	for range 100 {
		for i, page := range []context.Context{a, b} {
			run(t, page, "what it shows", chromedp.Evaluate(onTheBoard, &of[i]))
		}
		if of[0] == of[1] {
			return
		}
	}
	t.Errorf("one shows %s\nthe other %s", of[0][max(0, len(of[0])-200):], of[1][max(0, len(of[1])-200):])
}

// shotOf saves the board as a picture, and looks at it.
func shotOf(t *testing.T, page context.Context) {
	t.Helper()
	var url string
	run(t, page, "save", chromedp.Evaluate(`new Promise((resolve) => {
		const make = URL.createObjectURL;
		URL.createObjectURL = (blob) => {
			const r = new FileReader();
			r.onload = () => resolve(r.result);
			r.readAsDataURL(blob);
			return make(blob);
		};
		document.getElementById("save").click();
	})`, &url, await))
	data, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(url, "data:image/png;base64,"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil || img.Bounds().Dx() < 1000 {
		t.Errorf("%v, %v", img.Bounds(), err)
	}
}
