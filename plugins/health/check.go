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
	errStillRunning = errors.New("health: the previous run of the check has not ended yet")
	errGoexit       = errors.New("health: the check has ended its goroutine (runtime.Goexit)")
)

// check is a condition of readiness.
type check struct {
	name   string
	f      func(context.Context) error
	busy   atomic.Bool // f runs
	failed bool        // in the last round; only the goroutine that finishes a round uses it
}

// outcome says how a check ended.
type outcome struct {
	took time.Duration
	err  error
}

// Report runs the checks, or returns their last result if that is not older than
// Options.CacheFor. Calls during a run share its result. Report takes no longer than
// Options.Timeout.
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

// round is one run of all checks, for all callers while it lasts and as long as its
// result is fresh.
type round struct {
	ctx    context.Context
	cancel context.CancelFunc
	ends   []chan outcome // of the checks, in their order

	done    chan struct{} // closed when the fields below are set
	results map[string]Result
	made    time.Time
}

// fresh returns the results of the checks, or nil while the App drains.
func (p *Plugin) fresh() map[string]Result {
	r, ours := p.join()
	if r == nil {
		return nil
	}
	if ours {
		p.finish(r)
	}
	<-r.done
	return r.results
}

// join returns the round to wait for, or nil while the App drains. ours is true for the
// one caller who must finish it.
func (p *Plugin) join() (r *round, ours bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.draining.Load() {
		return nil, false
	}
	if p.last != nil && !p.last.stale(p.opts.CacheFor) {
		return p.last, false
	}
	r = &round{done: make(chan struct{})}
	r.ctx, r.cancel = context.WithTimeout(p.ctx, p.opts.Timeout)
	for _, c := range p.checks {
		r.ends = append(r.ends, p.start(r.ctx, c))
	}
	p.last = r
	return r, true
}

func (r *round) stale(after time.Duration) bool {
	select {
	case <-r.done:
		return time.Since(r.made) >= after
	default:
		return false
	}
}

// finish waits for the checks. It logs after it has released the callers that wait,
// because the log's handler is the program's and may ask for the report.
func (p *Plugin) finish(r *round) {
	defer r.cancel()
	results := make(map[string]Result, len(p.checks))
	var changes []func()
	for i, c := range p.checks {
		o := wait(r.ctx, r.ends[i], p.opts.Timeout)
		results[c.name] = p.result(o)
		if failed := o.err != nil; failed != c.failed {
			c.failed = failed
			changes = append(changes, func() { p.log(c.name, o.err) })
		}
	}
	r.results, r.made = results, time.Now()
	close(r.done)
	for _, log := range changes {
		log()
	}
}

// start runs a check in a goroutine, which may go on after its time-out, but never in
// two at a time.
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

// wait waits for an outcome, which counts even if the time is up as well.
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

// log says that a check has begun to fail, or to pass again.
func (p *Plugin) log(name string, err error) {
	if err != nil {
		p.app.Log().Warn("health check fails", "check", name, "error", err)
		return
	}
	p.app.Log().Info("health check passes again", "check", name)
}

func (p *Plugin) result(o outcome) Result {
	r := Result{Status: OK, Duration: float64(o.took.Microseconds()) / 1000}
	if o.err != nil {
		r.Status = Failed
		if p.opts.ShowErrors {
			r.Error = o.err.Error()
		}
	}
	return r
}
