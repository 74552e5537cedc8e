package e2e

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/nextrush/nextrush/internal/freeport"
)

var update = flag.Bool("update", false, "take the pictures in docs/images anew")

// outline lists what a page is made of, whatever the fonts of a machine and the numbers of
// the moment: headings, controls, labels and canvases that are shown.
const outline = `[...new Set([...document.querySelectorAll("h1, h2, button, label, input, canvas, th, dt, summary")]
	.filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest("table tbody"))
	.map((e) => (e.localName + (e.id ? "#" + e.id : "") + " " + (e.localName === "canvas" ? "" : e.ariaLabel || e.textContent).trim().replace(/\s+/g, " ").replace(/\d+/g, "0")).trim()))].sort()`

// picture is one of docs/images, as it comes to be: pages side by side, and shots of them.
type picture struct {
	t             *testing.T
	name          string
	width, height int64 // of each page
	pages         []context.Context
	shots         []frame
	outlines      []string
}

// check compares the picture that is kept with its pages: not by pixels, which depend on
// fonts, but by their outline and size. With -update it keeps this one.
func (p *picture) check() {
	p.t.Helper()
	for _, page := range p.pages {
		var lines []string
		run(p.t, page, "outline", chromedp.Evaluate(outline, &lines))
		p.outlines = append(p.outlines, strings.Join(lines, "\n")+"\n")
	}
	text, known := strings.Join(p.outlines, "\n"), filepath.Join("testdata", "pictures", p.name+".txt")
	file := filepath.Join("..", "docs", "images", p.name+".png")
	if *update {
		write(p.t, known, text)
		write(p.t, file, string(animation(p.t, p.shots)))
	}
	if was, err := os.ReadFile(known); err != nil || string(was) != text {
		p.t.Errorf("the page is not the one in docs/images/%s.png any more: go test ./e2e -run TestPictures -update, and look at it; it has now\n%s", p.name, text)
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		p.t.Fatal(err)
	}
	config, err := png.DecodeConfig(bytes.NewReader(kept))
	if want := p.shots[0].Bounds(); err != nil || config.Width != want.Dx() || config.Height != want.Dy() {
		p.t.Errorf("docs/images/%s.png has %d × %d pixels, and the page %v (%v)", p.name, config.Width, config.Height, want, err)
	}
	if len(kept) > 500<<10 {
		p.t.Errorf("docs/images/%s.png has %d bytes: too many for a README", p.name, len(kept))
	}
}

// show opens a page as a window of the picture.
func (p *picture) show(page context.Context, scheme string, scale float64, actions ...chromedp.Action) {
	p.t.Helper()
	p.pages = append(p.pages, page)
	run(p.t, page, p.name, emulation.SetDeviceMetricsOverride(p.width, p.height, scale, false),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
	run(p.t, page, p.name, actions...)
}

// shoot takes the pages side by side, to be seen for a number of milliseconds.
func (p *picture) shoot(ms int) {
	p.t.Helper()
	var all *image.RGBA
	for i, page := range p.pages {
		var shot []byte
		run(p.t, page, "shot", chromedp.CaptureScreenshot(&shot))
		window, err := png.Decode(bytes.NewReader(shot))
		if err != nil {
			p.t.Fatal(err)
		}
		size := window.Bounds().Size()
		const gap = 24
		if all == nil {
			all = image.NewRGBA(image.Rect(0, 0, len(p.pages)*(size.X+gap)-gap, size.Y))
			draw.Draw(all, all.Bounds(), image.NewUniform(color.RGBA{128, 134, 148, 255}), image.Point{}, draw.Src)
		}
		draw.Draw(all, image.Rectangle{Max: size}.Add(image.Pt(i*(size.X+gap), 0)), window, window.Bounds().Min, draw.Src)
	}
	p.shots = append(p.shots, frame{all, ms})
}

func TestPictures(t *testing.T) {
	t.Run("chat", pictureOfTheChat)
	t.Run("dashboard", pictureOfTheDashboard)
	t.Run("game", pictureOfTheGame)
	t.Run("board", pictureOfTheBoard)
	pictures, err := filepath.Glob("../docs/images/*")
	if err != nil || len(pictures) != 4 {
		t.Errorf("no test takes one of %v, %v", pictures, err)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pictures {
		if !slices.Contains(strings.FieldsFunc(string(readme), func(r rune) bool { return strings.ContainsRune(`()"`, r) }), "docs/images/"+filepath.Base(p)) {
			t.Errorf("README.md does not show %s", p)
		}
	}
}

func pictureOfTheChat(t *testing.T) {
	addr := serve(t, "chat").addr
	ann, bob := browser(t), browser(t)
	p := &picture{t: t, name: "chat", width: 420, height: 460}
	enter(t, ann, addr, "Ann")
	p.show(ann, "light", 1.5, chromedp.SendKeys("#say input", "Good morning!\r"), sees("#said", "Good morning!"))
	enter(t, bob, addr, "Bob")
	p.show(bob, "dark", 1.5, sees("#said", "Good morning!"), sees("#count", "2 people"))
	run(t, ann, "Ann sees Bob", sees("#said", "Bob joined"), sees("#count", "2 people"))
	p.shoot(900)
	say := func(from, to context.Context, name, text string) {
		run(t, from, name, chromedp.SendKeys("#say input", text))
		run(t, to, name, sees("#typing", name+" is typing"))
		p.shoot(1100)
		run(t, from, name, chromedp.SendKeys("#say input", "\r"), sees("#said", text))
		run(t, to, name, sees("#said", text), chromedp.Poll(`document.querySelector("#typing").textContent === ""`, nil))
		p.shoot(1000)
	}
	say(bob, ann, "Bob", "Morning. Is there tea?")
	say(ann, bob, "Ann", "Yes, and cake.")
	run(t, bob, "thanks", chromedp.SendKeys("#say input", "On my way!\r"), sees("#said", "On my way!"))
	run(t, ann, "thanks", sees("#said", "On my way!"))
	p.shoot(2500)
	p.check()
}

func pictureOfTheDashboard(t *testing.T) {
	server := &program{t: t, bin: build(t, "dashboard"), args: []string{"-crowd", "100"}, addr: freeport.Address(t)} // which the crowd has to know
	server.start()
	t.Cleanup(server.stop)
	p := &picture{t: t, name: "dashboard", width: 1280, height: 800}
	p.show(browser(t), "dark", 1, chromedp.Navigate("http://"+server.addr), sees("#state", "live"), sees("#rooms", "live"),
		chromedp.Poll(`parseInt(document.querySelector("#engine dd").textContent) > 20`, nil), p.settled(`performance.now() > 30_000`)) // so that the charts have something to show
	p.shoot(0)
	p.check()
}

func pictureOfTheGame(t *testing.T) {
	p := &picture{t: t, name: "game", width: 1280, height: 800}
	key := func(what input.KeyType, name string) chromedp.Action {
		return input.DispatchKeyEvent(what).WithKey(name).WithCode(name)
	}
	p.show(browser(t), "dark", 1, chromedp.Navigate("http://"+serve(t, "game", "-bots", "5").addr), chromedp.SendKeys("[name=name]", "Ann"), chromedp.Click("#quick"),
		chromedp.WaitVisible("#field"), sees("#scores", "Ann"), chromedp.Focus("#field"), key(input.KeyDown, "ArrowRight"), key(input.KeyDown, "ArrowUp"),
		p.settled(`[...document.querySelectorAll("#scores li")].some((li) => /[3-9]$/.test(li.textContent))`))
	p.shoot(0)
	p.check()
}

func pictureOfTheBoard(t *testing.T) {
	addr := serve(t, "board").addr
	ann, bob := browser(t), browser(t)
	p := &picture{t: t, name: "board", width: 1280, height: 800}
	run(t, bob, "Bob", chromedp.Navigate("http://"+addr+"/b/tea"), sees("#status", "1 person"))
	p.show(ann, "light", 1, chromedp.Navigate("http://"+addr+"/b/tea"), sees("#status", "2 people"))
	for i, part := range cup {
		run(t, ann, "a stroke", chromedp.Click(fmt.Sprintf("#colors button:nth-of-type(%d)", i%4+1)), stroke(part))
	}
	run(t, ann, "a note", chromedp.Click("#tools [data-name=note]"), chromedp.MouseClickXY(860, 300), chromedp.SendKeys(".note textarea", "Tea at four?"+kb.Escape), sees(".note", "Tea at four?"))
	run(t, bob, "Bob reads, and points", sees(".note", "Tea at four?"), chromedp.MouseEvent(input.MouseMoved, 760, 420))
	run(t, ann, "Ann sees where", chromedp.Poll(`document.querySelectorAll("#cursors div").length === 1`, nil))
	p.shoot(0)
	p.check()
}

// settled waits for what a page has only after a while, if the picture is taken.
func (p *picture) settled(js string) chromedp.Action {
	if !*update {
		return chromedp.Tasks{}
	}
	return chromedp.Poll(js, nil, chromedp.WithPollingTimeout(patience))
}

// cup is a cup of tea: the points of each stroke.
var cup = [][]image.Point{
	ring(480, 340, 130, 34, 0, 2*math.Pi), ring(480, 350, 130, 200, 0, math.Pi), ring(620, 420, 60, 56, -math.Pi/2, math.Pi/2), ring(480, 560, 190, 24, 0, 2*math.Pi),
	ring(440, 255, 16, 40, -math.Pi/2, math.Pi/2), ring(520, 255, 16, 40, -math.Pi/2, math.Pi/2),
}

// ring lists points of an ellipse around x, y.
func ring(x, y, w, h, from, to float64) (points []image.Point) {
	for i := range 41 {
		a := from + (to-from)*float64(i)/40
		points = append(points, image.Pt(int(x+w*math.Cos(a)), int(y+h*math.Sin(a))))
	}
	return points
}

// stroke draws with the mouse.
func stroke(points []image.Point) chromedp.Action {
	at := func(kind input.MouseType, p image.Point) chromedp.Action {
		return chromedp.MouseEvent(kind, float64(p.X), float64(p.Y), chromedp.ButtonLeft)
	}
	all := chromedp.Tasks{at(input.MousePressed, points[0])}
	for _, p := range points[1:] {
		all = append(all, at(input.MouseMoved, p))
	}
	return append(all, at(input.MouseReleased, points[len(points)-1]))
}
