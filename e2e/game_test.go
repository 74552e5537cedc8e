package e2e

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/nextrush/nextrush/websocket"
)

// A poor way takes this long, each way; of some segments, and of what is behind them, as
// long again as TCP needs to send them a second time.
const (
	poorDelay = 80 * time.Millisecond
	poorLoss  = 0.02
)

func resend() time.Duration { return time.Duration(200+rand.IntN(100)) * time.Millisecond }

// poor carries what comes over a poor way.
func poor(out, in *net.TCPConn) {
	type segment struct {
		data []byte
		due  time.Time
	}
	way := make(chan segment, 10_000)
	go func() {
		for s := range way {
			<-time.After(time.Until(s.due))
			out.Write(s.data)
		}
		out.CloseWrite()
	}()
	defer close(way)
	last := time.Time{}
	for {
		b := make([]byte, 1460)
		n, err := in.Read(b)
		if err != nil {
			return
		}
		due := time.Now().Add(poorDelay)
		if rand.Float64() < poorLoss {
			due = due.Add(resend())
		}
		if due.Before(last) {
			due = last
		}
		last = due
		way <- segment{b[:n], due}
	}
}

// gamer is a player, or somebody who watches, without a page.
type gamer struct {
	*websocket.Socket

	mu   sync.Mutex // guards what follows
	seen map[int]string
	last int           // tick
	came time.Time     // when
	rest time.Duration // the longest between two
}

// shownIn describes all of a snapshot, as describe below does on the page.
func shownIn(b []byte) string {
	n := binary.LittleEndian.Uint16
	text, players, gems := fmt.Sprint(b[4], " ", n(b[5:])), int(b[7]), b[9+17*int(b[7]):]
	for i := range players {
		p := b[9+17*i:]
		text += fmt.Sprint(" ", p[0], ":", n(p[1:]), ",", n(p[3:]), ",", int16(n(p[5:])), ",", int16(n(p[7:])), ",", p[9], ",", n(p[11:]))
	}
	for ; len(gems) > 0; gems = gems[2:] {
		text += fmt.Sprint(" ", n(gems))
	}
	return text
}

const describe = `(s) => [s.pausing ? 1 : 0, s.left].concat([...s.players].map(([seat, p]) => seat + ":" + [p.x, p.y, p.vx, p.vy, p.dash, p.score].join()), s.gems).join(" ")`

func newGamer(t *testing.T, addr, name string, watch bool) *gamer {
	t.Helper()
	g := &gamer{seen: map[int]string{}}
	var err error
	g.Socket, err = websocket.Dial(t.Context(), "ws://"+addr+"/play?match=tea", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close(websocket.StatusNormalClosure, "") })
	g.OnMessage(func(m websocket.Message) {
		if m.Type != websocket.Binary {
			return
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.rest, g.came = max(g.rest, time.Since(g.came)), time.Now()
		g.last = int(binary.LittleEndian.Uint32(m.Bytes()))
		g.seen[g.last] = shownIn(m.Bytes())
	})
	if _, err := g.Request(t.Context(), "enter", map[string]any{"name": name, "watch": watch}); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *gamer) tick() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last
}

// pauses returns how long nothing has come since it was called last, at the longest.
func (g *gamer) pauses() (longest time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	longest, g.rest, g.came = max(g.rest, time.Since(g.came)), 0, time.Now()
	return longest
}

// play steers here and there, 30 times a second.
func (g *gamer) play() {
	tick := time.NewTicker(time.Second / 30)
	defer tick.Stop()
	var x, y int8
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-g.Context().Done():
			return
		}
		if rand.IntN(20) == 0 {
			x, y = int8(rand.IntN(179)-89), int8(rand.IntN(179)-89)
		}
		b := binary.LittleEndian.AppendUint32(nil, uint32(g.tick()+8))
		g.Send(append(b, byte(x), byte(y), byte(rand.IntN(90)/89)))
	}
}

// measure notes each frame of the page: for each ship, by how many pixels it was moved, and
// how many were to be expected from the speed that the server gave it. A frame that hits or
// is hit has another speed than its last.
const measure = `(async () => {
	const { game } = await import("/app.js"), frame = game.frame.bind(game), last = new Map();
	const m = globalThis.measured = { frames: 0, moves: 0, off: [], still: 0, own: [] };
	game.pilot.corrections = { count: 0, snaps: 0, largest: 0 };
	let before = 0;
	game.frame = (now, ...rest) => {
		const scene = frame(now, ...rest), dt = (now - before) / 1000;
		before = now;
		m.frames++;
		for (const s of scene.ships) {
			const was = last.get(s.seat);
			last.set(s.seat, s);
			if (!was || dt > 0.2) continue;
			const k = (30 / 32) * dt, x = s.x - was.x, y = s.y - was.y, vx = (s.vx + was.vx) / 2 * k, vy = (s.vy + was.vy) / 2 * k;
			(s.own ? m.own : m.off).push(Math.hypot(x - vx, y - vy));
			if (!s.own && Math.hypot(vx, vy) > 1) { m.moves++; if (Math.hypot(x, y) < 0.2 * Math.hypot(vx, vy)) m.still++; }
		}
		return scene;
	};
	const keys = ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"];
	let key = "KeyW";
	m.steer = setInterval(() => {
		dispatchEvent(new KeyboardEvent("keyup", { code: key }));
		key = keys[Math.floor(Math.random() * 4)];
		dispatchEvent(new KeyboardEvent("keydown", { code: key }));
		if (Math.random() < 0.2) dispatchEvent(new KeyboardEvent("keydown", { code: "Space" }));
	}, 500);
})()`

type smoothness struct {
	Frames, Others             int
	P50, P95, P99, Max, Over10 float64 // pixels off for others, share over ten
	Still                      float64 // share of frames in which a ship that moves stood
	OwnP50, OwnP99, OwnMax     float64
	Corrections, Snaps         int
	Largest, Delay             float64
}

const report = `(async () => {
	const { game } = await import("/app.js"), m = measured;
	clearInterval(m.steer);
	for (const code of ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]) dispatchEvent(new KeyboardEvent("keyup", { code }));
	const sorted = m.off.toSorted((a, b) => a - b), own = m.own.toSorted((a, b) => a - b), at = (l, q) => l[Math.min(l.length - 1, Math.floor(l.length * q))];
	const c = game.pilot.corrections;
	return { Frames: m.frames, Others: sorted.length, P50: at(sorted, .5), P95: at(sorted, .95), P99: at(sorted, .99), Max: at(sorted, 1), Over10: sorted.filter((v) => v > 10).length / sorted.length,
		Still: m.still / m.moves, OwnP50: at(own, .5), OwnP99: at(own, .99), OwnMax: at(own, 1), Corrections: c.count, Snaps: c.snaps, Largest: c.largest, Delay: game.timeline.delay };
})()`

func enterGame(t *testing.T, tab context.Context, addr, name string) {
	t.Helper()
	run(t, tab, name, chromedp.Navigate("http://"+addr+"/#tea"), chromedp.SetValue("[name=name]", name), chromedp.Click("#quick"), sees("#scores", name))
}

// TestEightPlayersOverAPoorNetwork has two pages and six other players over a way that is
// slow and loses segments; then the pages lose their connection, and come back.
func TestEightPlayersOverAPoorNetwork(t *testing.T) {
	server := serve(t, "game", "-bots", "0")
	way, others := layCable(t, server.addr, poor), layCable(t, server.addr, poor)
	truth := newGamer(t, server.addr, "judge", true)
	ann := browser(t)
	enterGame(t, ann, way.Addr().String(), "Ann")
	bob := browser(t) // a second tab would not be drawn
	enterGame(t, bob, way.Addr().String(), "Bob")
	for i := range 6 {
		go newGamer(t, others.Addr().String(), fmt.Sprint("bot ", i), false).play()
	}
	tabs := map[string]context.Context{"Ann": ann, "Bob": bob}
	for name, tab := range tabs {
		run(t, tab, name, sees("#scores", "bot 5"), chromedp.Sleep(3*time.Second), chromedp.Evaluate(measure, nil, await))
	}
	truth.pauses()
	run(t, ann, "they play", chromedp.Sleep(8*time.Second))
	pause := truth.pauses() // of the server, or of the way, which is this process
	for name, tab := range tabs {
		keepScreenshot(t, tab, "game-"+name)
		var s smoothness
		run(t, tab, name, chromedp.Evaluate(report, &s, await))
		t.Logf("%s: %+v, pause %v", name, s, pause)
		if fast := s.Frames > 40*8 && pause < 150*time.Millisecond; fast && (s.Over10 > 0.01 || s.Still > 0.02 || s.P99 > 5) {
			t.Errorf("%s sees the others move by fits and starts", name)
		}
	}
	way.set(true)
	for name, tab := range tabs {
		run(t, tab, name, sees("#status", "Connection lost"))
	}
	way.set(false)
	for name, tab := range tabs {
		backInGame(t, tab, name)
		compare(t, truth, tab, name)
	}
	run(t, ann, "a reload", chromedp.Reload())
	backInGame(t, ann, "Ann")
	compare(t, truth, ann, "Ann")
}

// backInGame waits until a page plays on, with the ship that it had, and the ship rests.
func backInGame(t *testing.T, tab context.Context, name string) {
	t.Helper()
	run(t, tab, name+" is back", chromedp.Poll(`document.querySelector("#scores .own")?.textContent.startsWith("`+name+`") && document.getElementById("status").textContent === ""`, nil,
		chromedp.WithPollingTimeout(40*time.Second)))
	var seat int
	run(t, tab, name, chromedp.Sleep(2*time.Second), chromedp.Evaluate(`import("/app.js").then(({ game }) => game.seat)`, &seat, await))
	if want := map[string]int{"Ann": 0, "Bob": 1}[name]; seat != want {
		t.Errorf("%s comes back to seat %d, and had %d", name, seat, want)
	}
}

// rests waits until the own ship stands where the server has it. Others may push it.
const rests = `(async () => {
	const { game } = await import("/app.js");
	for (let n = 0; n < 200; n++) {
		const { x, y, vx, vy } = game.timeline.newest.players.get(game.seat), { ship } = game.pilot;
		if (vx === 0 && vy === 0 && ship.x === x && ship.y === y) return;
		await new Promise((done) => setTimeout(done, 50));
	}
	throw new Error("the own ship is not where the server has it");
})()`

// TestTheGameIsPlayedByKeyboardAndTouch begins with the enter key, and goes on on a phone.
func TestTheGameIsPlayedByKeyboardAndTouch(t *testing.T) {
	addr := serve(t, "game", "-bots", "0").addr
	ctx := browser(t)
	const own = `import("/app.js").then(({ game }) => game.pilot.ship)`
	var before, after struct{ X, Y, Dash int }
	until := func(what, condition string) {
		t.Helper()
		run(t, ctx, what, chromedp.Evaluate(`(async () => {
			const { game } = await import("/app.js");
			for (let n = 0; !game.pilot.ship || !(`+condition+`); n++) {
				if (n > 600) throw new Error(JSON.stringify(game.pilot.ship));
				await new Promise((done) => setTimeout(done, 50));
			}
		})()`, nil, await))
	}
	run(t, ctx, "the enter key", chromedp.Navigate("http://"+addr+"/#tea"), chromedp.SendKeys("[name=name]", "Ann\r"), sees("#scores", "Ann"))
	until("a ship", "true")
	run(t, ctx, "an arrow", chromedp.Evaluate(own, &before, await), input.DispatchKeyEvent(input.KeyDown).WithCode("ArrowRight"))
	until("it moves", fmt.Sprint("game.pilot.ship.x > 1000 + ", before.X))
	run(t, ctx, "the space bar", input.DispatchKeyEvent(input.KeyDown).WithCode("Space"))
	until("it dashes", "game.pilot.ship.dash > 0")
	run(t, ctx, "no keys", input.DispatchKeyEvent(input.KeyUp).WithCode("ArrowRight"), input.DispatchKeyEvent(input.KeyUp).WithCode("Space"), emulation.SetDeviceMetricsOverride(390, 800, 2, true), emulation.SetTouchEmulationEnabled(true),
		chromedp.Reload(), sees("#scores", "Ann"))
	until("it rests", "game.pilot.ship.vx === 0 && game.pilot.ship.dash === 0")

	var stick, dash struct{ X, Y float64 }
	const middle = `(({ left, top, width, height }) => ({ x: left + width / 2, y: top + height / 2 }))(document.querySelector("SELECTOR").getBoundingClientRect())`
	run(t, ctx, "where to touch", chromedp.WaitVisible("#stick"), chromedp.Evaluate(adapt(t, middle, "SELECTOR", "#stick"), &stick), chromedp.Evaluate(adapt(t, middle, "SELECTOR", "#dash"), &dash),
		chromedp.Evaluate(own, &after, await))
	thumb, finger := &input.TouchPoint{ID: 1, X: stick.X, Y: stick.Y - 30}, &input.TouchPoint{ID: 2, X: dash.X, Y: dash.Y}
	run(t, ctx, "a thumb", input.DispatchTouchEvent(input.TouchStart, []*input.TouchPoint{thumb}))
	until("it moves", fmt.Sprint("game.pilot.ship.y < ", after.Y, " - 1000"))
	run(t, ctx, "a finger", input.DispatchTouchEvent(input.TouchStart, []*input.TouchPoint{thumb, finger}))
	until("it dashes", "game.pilot.ship.dash > 0")
	keepScreenshot(t, ctx, "game-touch")
	run(t, ctx, "no finger", input.DispatchTouchEvent(input.TouchEnd, []*input.TouchPoint{}))
	until("it rests", "game.pilot.ship.vy === 0")
}

// compare has a page show what the server has sent, for each tick that it still has, and
// its own ship where the server has it.
func compare(t *testing.T, truth *gamer, tab context.Context, name string) {
	t.Helper()
	var page struct {
		Ticks []int
		Shown []string
	}
	run(t, tab, name, chromedp.Evaluate(`(async () => {
		const { game } = await import("/app.js"), shots = game.timeline.snapshots;
		return { ticks: shots.map((s) => s.tick), shown: shots.map(`+describe+`) };
	})()`, &page, await), chromedp.Evaluate(rests, nil, await))
	truth.mu.Lock()
	defer truth.mu.Unlock()
	common := 0
	for i, tick := range page.Ticks {
		if want, ok := truth.seen[tick]; ok {
			common++
			if page.Shown[i] != want {
				t.Errorf("%s has in tick %d\n%s\nthe server\n%s", name, tick, page.Shown[i], want)
			}
		}
	}
	if common < 30 {
		t.Errorf("%s has %d ticks in common with the server", name, common)
	}
}
