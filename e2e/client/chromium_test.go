package client

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/nextrush/nextrush/websocket"
)

// slack is what a limit may be exceeded by: timers and the loopback take time too.
const slack = time.Second

// within checks how long it took until a socket was in a state, unless the machine was so
// busy that the page's timers came late, by which the client judges.
func (tb tab) within(name, state string, since time.Time, limit time.Duration) {
	tb.t.Helper()
	call := fmt.Sprintf("after(%q, %q, %d)", name, state, since.UnixMilli())
	tb.wait(call)
	took := time.Duration(eval[int64](tb, call)-since.UnixMilli()) * time.Millisecond
	lag := time.Duration(eval[float64](tb, "lag")) * time.Millisecond
	tb.t.Logf("%s: %s after %v of at most %v; timers late by %v", name, state, took, limit, lag)
	if took > limit+slack && lag < slack/2 {
		tb.t.Errorf("%s: %s after %v, want %v", name, state, took, limit)
	}
}

// TestADeadConnectionIsNoticed breaks idle connections in all ways at once.
func TestADeadConnectionIsNoticed(t *testing.T) {
	interval := 2 * time.Second
	beat := interval * 6 / 5
	addr := serve(t, newApp(t, websocket.Options{PingInterval: interval, PongTimeout: 3 * time.Second}))
	tb := open(t, addr)
	breaks := map[string]struct {
		how   func(*proxy)
		limit time.Duration
	}{
		"rst":        {(*proxy).rst, 0},
		"fin":        {(*proxy).fin, 0},
		"stall":      {func(p *proxy) { p.stall(true, true) }, beat + 10*time.Second},
		"stall down": {func(p *proxy) { p.stall(false, true) }, beat + 10*time.Second},
		"stall up":   {func(p *proxy) { p.stall(true, false) }, beat + 10*time.Second}, // the server ends it
	}
	proxies := map[string]*proxy{}
	for name := range breaks {
		proxies[name] = newProxy(t, addr)
		tb.dial(name, proxies[name].addr)
	}
	tb.dial("healthy", newProxy(t, addr).addr)
	since := time.Now()
	for name, b := range breaks {
		b.how(proxies[name])
	}
	for name, b := range breaks {
		tb.within(name, "waiting", since, b.limit)
		tb.works(name)
	}
	if got := tb.states("healthy"); !slices.Equal(got, []string{"connecting", "open"}) {
		t.Errorf("the healthy socket was %q", got)
	}
}

func TestAServerThatRefusesIsTriedUntilItDoesNot(t *testing.T) {
	addr := serve(t, newApp(t, websocket.Options{}))
	p := newProxy(t, addr)
	tb := open(t, addr)
	tb.dial("a", p.addr)
	p.refuse()
	tb.wait("states.a.filter((s) => s.state === 'connecting').length > 3")
	p.accept(t)
	tb.works("a")
}

// TestAfterASleep stops the browser as a machine that sleeps does.
func TestAfterASleep(t *testing.T) {
	addr := serve(t, newApp(t, websocket.Options{PingInterval: time.Minute})) // which leaves the sleeper alone
	broken := newProxy(t, addr)
	tb := open(t, addr)
	tb.dial("broken", broken.addr)
	tb.dial("healthy", newProxy(t, addr).addr)
	pids := family(t, chromedp.FromContext(tb.ctx).Browser.Process().Pid)
	signal := func(s syscall.Signal) {
		for _, pid := range pids {
			syscall.Kill(pid, s)
		}
	}
	signal(syscall.SIGSTOP)
	broken.stall(true, true)
	time.Sleep(22 * time.Second) // a look at the clock is due in 5 s, and 15 s late is not yet a sleep
	since := time.Now()
	signal(syscall.SIGCONT)
	eval[bool](tb, "(lag = 0, true)") // that of the sleep
	tb.within("broken", "waiting", since, 2500*time.Millisecond)
	tb.works("broken")
	tb.works("healthy")
	if got := tb.states("healthy"); !slices.Equal(got, []string{"connecting", "open"}) {
		t.Errorf("the healthy socket was %q", got)
	}
}

// family is a process and all that it has started.
func family(t *testing.T, pid int) []int {
	t.Helper()
	all := []int{pid}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	parents := map[int][]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ") // pid (name) state parent …
		fields := strings.Fields(rest)
		parent, _ := strconv.Atoi(fields[1])
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		parents[parent] = append(parents[parent], child)
	}
	for i := 0; i < len(all); i++ {
		all = append(all, parents[all[i]]...)
	}
	return all
}

func TestALiveSocketSurvivesTabSwitches(t *testing.T) {
	addr := serve(t, newApp(t, websocket.Options{}))
	tb := open(t, addr)
	tb.dial("a", addr)
	ctx, cancel := chromedp.NewContext(tb.ctx)
	defer cancel()
	other := tab{t, ctx}
	other.run("another tab", chromedp.Navigate("http://"+addr+"/other"))
	for range 100 {
		tb.run("to the front", page.BringToFront())
		other.run("to the front", page.BringToFront())
	}
	tb.run("to the front", page.BringToFront())
	if n := eval[int](tb, "events.filter((e) => e === 'visibilitychange').length"); n < 100 {
		t.Errorf("the page was told %d times that it is hidden or seen", n)
	}
	tb.works("a")
	if got := tb.states("a"); !slices.Equal(got, []string{"connecting", "open"}) {
		t.Errorf("the socket was %q", got)
	}
}

func TestAFrozenPageLeavesAndComesBack(t *testing.T) {
	addr := serve(t, newApp(t, websocket.Options{}))
	tb := open(t, addr)
	tb.dial("a", addr)
	tb.run("freeze", page.SetWebLifecycleState(page.SetWebLifecycleStateStateFrozen))
	tb.run("thaw", page.SetWebLifecycleState(page.SetWebLifecycleStateStateActive))
	tb.works("a")
	if got := tb.states("a"); !slices.Equal(got, []string{"connecting", "open", "waiting", "connecting", "open"}) {
		t.Errorf("the socket was %q", got)
	}
	if code := eval[int](tb, "states.a[2].code"); code != 4000 {
		t.Errorf("it left with %d", code)
	}
}

func TestAPageComesBackFromTheCache(t *testing.T) {
	addr := serve(t, newApp(t, websocket.Options{}))
	tb := open(t, addr)
	tb.dial("a", addr)
	tb.run("away", chromedp.Navigate("http://"+addr+"/other"))
	// A page from the cache does not load, for which NavigateBack would wait.
	tb.run("back", chromedp.Evaluate("void setTimeout(() => history.back())", nil))
	var events []string
	for deadline := time.Now().Add(30 * time.Second); len(events) == 0 && time.Now().Before(deadline); {
		ctx, cancel := context.WithTimeout(tb.ctx, time.Second) // of the page that goes there may be no answer
		chromedp.Run(ctx, chromedp.Evaluate("(window.events ?? []).filter((e) => e.startsWith('pageshow'))", &events))
		cancel()
	}
	if !slices.Contains(events, "pageshow persisted") {
		t.Fatalf("the page was not kept: %q", events)
	}
	tb.works("a")
	if got := tb.states("a"); !slices.Equal(got, []string{"connecting", "open", "waiting", "connecting", "open"}) {
		t.Errorf("the socket was %q", got)
	}
}
