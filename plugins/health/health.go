// Package health answers probes: whether the process is alive, and whether it is ready
// for requests.
//
//	app.Register(health.New().Check("database", db.PingContext))
//
// GET /livez is answered with 200 as long as the App answers at all. GET /readyz is
// answered with 200 if all checks pass, and with 503 if one fails and from the moment
// the App begins to shut down. Both answers are JSON with the status; with a Guard or
// Details, that of /readyz also has the name and duration of each check.
package health

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
)

const (
	defaultTimeout  = 2 * time.Second
	defaultCacheFor = time.Second
)

// Options configures a Plugin. The zero value is complete.
type Options struct {
	LivePath  string             // empty: "/livez"
	ReadyPath string             // empty: "/readyz"
	Guard     []nextrush.Handler // run before both answers; nil: anybody may ask
	Timeout   time.Duration      // for each check; 0: 2 s
	CacheFor  time.Duration      // how long the result of the checks is reused; 0: 1 s; negative: not at all

	// DrainDelay is how long the App keeps serving after /readyz has begun to fail, for
	// load balancers to notice: more than the time between two of their probes, and less
	// than the App's ShutdownTimeout. 0: none.
	DrainDelay time.Duration

	// Details sends names and durations of the checks to everybody. They reveal what
	// the App depends on, and what is slow. With a Guard they are sent anyway.
	Details bool
	// ShowErrors is Details with the text of failures. Failures are logged anyway, when
	// they begin.
	ShowErrors bool
}

func (o Options) withDefaults() Options {
	if o.LivePath == "" {
		o.LivePath = "/livez"
	}
	if o.ReadyPath == "" {
		o.ReadyPath = "/readyz"
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.CacheFor == 0 {
		o.CacheFor = defaultCacheFor
	}
	return o
}

// Status is the outcome of a check, or of all.
type Status string

// The states of an App, and, except Draining, of a check.
const (
	OK       Status = "ok"
	Failed   Status = "failed"
	Draining Status = "draining" // the App is shutting down
)

// Report is the answer to a probe.
type Report struct {
	Status Status            `json:"status"`
	Checks map[string]Result `json:"checks,omitempty"`
}

// Result is the outcome of one check.
type Result struct {
	Status   Status  `json:"status"`
	Duration float64 `json:"durationMs"`      // milliseconds
	Error    string  `json:"error,omitempty"` // with Options.ShowErrors
}

// Plugin answers probes. Check is for set-up; Report is safe from any goroutine.
type Plugin struct {
	opts     Options
	app      *nextrush.App
	checks   []*check
	draining atomic.Bool
	running  sync.WaitGroup // checks, with those past their time-out
	ctx      context.Context
	cancel   context.CancelFunc

	mu   sync.Mutex // guards what follows and the start of checks
	last *round     // nil: there was none
}

// New makes the plugin.
func New(opts ...Options) *Plugin {
	p := &Plugin{opts: opt.First(opts).withDefaults()}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Check adds a condition of readiness: f returns nil if it holds, and should return when
// ctx ends. The checks run at the same time, each at most once at a time. Check panics
// if f is nil or there is a check of that name.
func (p *Plugin) Check(name string, f func(ctx context.Context) error) *Plugin {
	if f == nil {
		panic("health: check " + name + " is nil: give a function")
	}
	if slices.ContainsFunc(p.checks, func(c *check) bool { return c.name == name }) {
		panic("health: check " + name + " is added twice: rename one of the two")
	}
	p.checks = append(p.checks, &check{name: name, f: f})
	return p
}

// Name is "health".
func (p *Plugin) Name() string { return "health" }

// Install registers the routes, and middleware.
func (p *Plugin) Install(app *nextrush.App) error {
	p.app = app
	g := app.With(p.opts.Guard...)
	g.Get(p.opts.LivePath, func(c *nextrush.Context) error { return answer(c, Report{Status: OK}) })
	g.Get(p.opts.ReadyPath, func(c *nextrush.Context) error { return answer(c, p.told()) })
	app.Use(p.sendAway)
	app.BeforeShutdown(p.drain)
	return nil
}

// sendAway has clients of a draining App close their connections, since nobody else moves
// those that a balancer has made before: the next request goes to another process.
func (p *Plugin) sendAway(c *nextrush.Context) error {
	if p.draining.Load() && c.Request().Header.Get("Upgrade") == "" {
		c.SetHeader("Connection", "close")
	}
	return c.Next()
}

// told returns the report without what strangers must not know.
func (p *Plugin) told() Report {
	r := p.Report()
	if len(p.opts.Guard) == 0 && !p.opts.Details && !p.opts.ShowErrors {
		r.Checks = nil
	}
	return r
}

func answer(c *nextrush.Context, r Report) error {
	c.SetHeader("Cache-Control", "no-store")
	if r.Status != OK {
		c.Status(http.StatusServiceUnavailable)
	}
	return c.JSON(r)
}

// drain makes /readyz fail, and delays the shutdown by DrainDelay.
func (p *Plugin) drain(ctx context.Context) {
	p.draining.Store(true)
	if p.opts.DrainDelay <= 0 {
		return
	}
	delay := time.NewTimer(p.opts.DrainDelay)
	defer delay.Stop()
	select {
	case <-delay.C:
	case <-ctx.Done():
	}
}

// Stop ends the context of running checks and waits for them.
func (p *Plugin) Stop(ctx context.Context) error {
	p.cancel()
	p.mu.Lock()
	p.draining.Store(true) // no check starts after this
	p.mu.Unlock()
	done := make(chan struct{})
	go func() {
		p.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
