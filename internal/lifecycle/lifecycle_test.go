package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// journal has what happened, in order.
type journal struct {
	mu    sync.Mutex // guards steps
	steps []string
}

func (j *journal) add(step string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.steps = append(j.steps, step)
}

func (j *journal) want(t *testing.T, steps ...string) {
	t.Helper()
	if !slices.Equal(j.steps, steps) {
		t.Errorf("got  %q\nwant %q", j.steps, steps)
	}
}

var errBroke = errors.New("it broke")

// part is a plugin that notes what is done with it, and fails at one step.
type part struct {
	*journal
	name, fails string
}

func (p part) Name() string { return p.name }

func (p part) do(what string) error {
	p.add(what + " " + p.name)
	if what == p.fails {
		return errBroke
	}
	return nil
}

func (p part) Start(context.Context) error { return p.do("start") }
func (p part) Stop(context.Context) error  { return p.do("stop") }

// app returns the life of an app that has a plugin, and notes each of its steps.
func (j *journal) app(name, fails string) *Life {
	note := func(what string) func() error { return part{j, name, fails}.doing(what) }
	l := New(Config{
		Check:    note("check"),
		Close:    func() { note("close")() },
		Drain:    func(context.Context) error { return note("drain")() },
		Panicked: func(v any) error { return fmt.Errorf("panic: %v", v) },
	})
	if err := l.Install(part{j, name, fails}, note("install")); err != nil {
		l.Fail(err)
	}
	l.OnStart(func(context.Context) error { return note("OnStart")() })
	l.BeforeShutdown(func(context.Context) { note("before")() })
	l.OnShutdown(func(context.Context) error { return note("OnShutdown")() })
	return l
}

func (p part) doing(what string) func() error { return func() error { return p.do(what) } }

func TestWhatIsMountedStartsFirstAndStopsLast(t *testing.T) {
	var j journal
	outer, inner := j.app("outer", ""), j.app("inner", "")
	outer.Mount(inner)
	if err := errors.Join(outer.Start(t.Context()), outer.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	j.want(t, "install outer", "install inner",
		"start inner", "OnStart inner", "check inner", "start outer", "OnStart outer", "check outer")
}

func TestShutdownKeepsItsOrder(t *testing.T) {
	var j journal
	l := j.app("app", "")
	l.OnShutdown(func(context.Context) error { j.add("the last hook"); return nil })
	l.Start(t.Context())
	j.steps = nil
	if err := errors.Join(l.Shutdown(t.Context()), l.Shutdown(t.Context())); err != nil {
		t.Error(err)
	}
	j.want(t, "before app", "close app", "drain app", "the last hook", "OnShutdown app", "stop app")
	select {
	case <-l.Stopped():
	default:
		t.Error("it is not Stopped")
	}
}

func TestWhatIsMountedDrainsWithTheOuterApp(t *testing.T) {
	var j journal
	outer, inner := j.app("outer", ""), j.app("inner", "")
	outer.Mount(inner)
	outer.Start(t.Context())
	outer.Shutdown(t.Context())
	closed := slices.Index(j.steps, "close outer")
	for step, after := range map[string]bool{"before inner": false, "before outer": false, "drain inner": true, "stop inner": true} {
		if i := slices.Index(j.steps, step); i < 0 || (i > closed) != after {
			t.Errorf("%q is not where it belongs in %q", step, j.steps)
		}
	}
	first, second := slices.Index(j.steps, "stop outer"), slices.Index(j.steps, "stop inner")
	if first > second {
		t.Errorf("what is mounted has stopped first: %q", j.steps)
	}
}

func TestAStartThatFailsStopsWhatHasStarted(t *testing.T) {
	for fails, want := range map[string]string{
		"install": "",
		"start":   "start app",
		"OnStart": "start app, OnStart app, stop app",
		"check":   "start app, OnStart app, check app, stop app",
	} {
		var j journal
		l := j.app("app", fails)
		j.steps = nil
		if err := l.Start(t.Context()); !errors.Is(err, errBroke) {
			t.Errorf("%s: %v", fails, err)
		}
		if got := strings.Join(j.steps, ", "); got != want {
			t.Errorf("%s: %s", fails, got)
		}
	}
}

func TestPluginsOfAnAppThatHasNotStartedAreNotStopped(t *testing.T) {
	var j journal
	l := j.app("app", "")
	l.Shutdown(t.Context())
	j.want(t, "install app", "before app", "close app", "drain app", "OnShutdown app")
}

func TestASecondPluginOfANameIsRefused(t *testing.T) {
	var j journal
	l := j.app("app", "")
	if err := l.Install(part{&j, "app", ""}, func() error { t.Error("installed"); return nil }); err == nil {
		t.Error("no error")
	}
}

func TestAnAppHasWhatIsMountedAtAnyDepth(t *testing.T) {
	outer, middle, inner := New(Config{}), New(Config{}), New(Config{})
	outer.Mount(middle)
	middle.Mount(inner)
	if !outer.Has(inner) || !outer.Has(outer) || inner.Has(outer) {
		t.Error("wrong")
	}
}

func TestAHookThatPanicsOrEndsItsGoroutineIsAnErrorAndTheOthersRun(t *testing.T) {
	for name, leave := range map[string]func(){"panic: oops": func() { panic("oops") }, "Goexit": runtime.Goexit} {
		var j journal
		l := j.app("app", "")
		l.BeforeShutdown(func(context.Context) { leave() })
		l.OnShutdown(func(context.Context) error { leave(); return nil })
		l.Start(t.Context())
		err := l.Shutdown(t.Context())
		if err == nil || strings.Count(err.Error(), name) != 2 {
			t.Errorf("%s: %v", name, err)
		}
		if last := j.steps[len(j.steps)-1]; last != "stop app" {
			t.Errorf("%s: the last step is %q", name, last)
		}
	}
}

func TestAHookThatDoesNotReturnGetsASecondMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for wait, want := range map[time.Duration]bool{grace - 1: true, grace + 1: false} {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			err := run(ctx, func(context.Context) error { time.Sleep(wait); return nil }, nil)
			if (err == nil) != want {
				t.Errorf("after %v: %v", wait, err)
			}
			synctest.Wait()
			time.Sleep(2 * grace)
		}
	})
}

func TestAHookThatAsksForTheShutdownDoesNotWaitForItself(t *testing.T) {
	var j journal
	l := j.app("app", "")
	ctx, cancel := context.WithCancel(t.Context())
	l.OnShutdown(func(context.Context) error {
		cancel()
		return l.Shutdown(ctx)
	})
	if err := l.Shutdown(t.Context()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
