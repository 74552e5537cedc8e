package health

import (
	"context"
	"errors"
	"maps"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush"
)

var (
	errStillRunning = errors.New("health: the check before has not ended yet")
	errGoexit       = errors.New("health: the check has ended its goroutine (runtime.Goexit)")
)

// check is a condition of readiness.
type check struct {
	name   string
	f      func(context.Context) error
	busy   atomic.Bool // f runs
	failed bool        // last time; guarded by Plugin.mu
}

// outcome is how a check ended.
type outcome struct {
	took time.Duration
	err  error
}

// Report runs the checks, or gives their last result where that is not older
// than Options.CacheFor. It takes no longer than Options.Timeout.
func (p *Plugin) Report() Report {
	checks := p.fresh()
	if checks == nil || p.draining.Load() {
		return Report{Status: Draining}
	}
	report := Report{Status: OK, Checks: maps.Clone(checks)}
	for _, r := range checks {
		if r.Status != OK {
			report.Status = Failed
		}
	}
	return report
}

// fresh is the result of the checks, or nil while the App drains.
func (p *Plugin) fresh() map[string]Result {
	if p.draining.Load() {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.draining.Load() {
		return nil
	}
	if p.last == nil || time.Since(p.made) >= p.opts.CacheFor {
		p.last, p.made = p.runAll(), time.Now()
	}
	return p.last
}

// runAll runs the checks at the same time.
func (p *Plugin) runAll() map[string]Result {
	ctx, cancel := context.WithTimeout(p.ctx, p.opts.Timeout)
	defer cancel()
	outcomes := make([]chan outcome, len(p.checks))
	for i, c := range p.checks {
		outcomes[i] = p.start(ctx, c)
	}
	results := make(map[string]Result, len(p.checks))
	for i, c := range p.checks {
		results[c.name] = p.result(c, wait(ctx, outcomes[i], p.opts.Timeout))
	}
	return results
}

// start runs a check in a goroutine that may outlive its time, but not twice.
func (p *Plugin) start(ctx context.Context, c *check) chan outcome {
	done := make(chan outcome, 1)
	if !c.busy.CompareAndSwap(false, true) {
		done <- outcome{err: errStillRunning}
		return done
	}
	p.running.Go(func() {
		began, err := time.Now(), errGoexit
		defer func() {
			c.busy.Store(false)
			done <- outcome{time.Since(began), err}
		}()
		err = c.run(ctx)
	})
	return done
}

func (c *check) run(ctx context.Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &nextrush.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return c.f(ctx)
}

// wait prefers an outcome that is there over the end of the time.
func wait(ctx context.Context, done chan outcome, timeout time.Duration) outcome {
	select {
	case o := <-done:
		return o
	case <-ctx.Done():
	}
	select {
	case o := <-done:
		return o
	default:
		return outcome{timeout, ctx.Err()}
	}
}

// result logs a check that has begun to fail, or to pass again.
func (p *Plugin) result(c *check, o outcome) Result {
	failed := o.err != nil
	if failed != c.failed {
		c.failed = failed
		if failed {
			p.app.Logger().Warn("health check fails", "check", c.name, "error", o.err)
		} else {
			p.app.Logger().Info("health check passes again", "check", c.name)
		}
	}
	r := Result{Status: OK, Duration: float64(o.took.Microseconds()) / 1000}
	if failed {
		r.Status = Failed
		if p.opts.ShowErrors {
			r.Error = o.err.Error()
		}
	}
	return r
}
