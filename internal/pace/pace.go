// Package pace decides where the callbacks of a handler run: in the goroutine
// that polls, which is quickest but keeps others waiting, or in a worker.
//
// A handler begins in workers. When enough of its runs in a row were quick, it
// runs where polling is done; it goes back to workers as soon as one run had to
// be relieved, or when slow runs have used up a budget. One pace is shared by
// all connections of a handler, so that a thousand new ones need not each show
// what the first has shown.
package pace

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	quick = 50 * time.Microsecond // a run in a worker that may move to the poller
	slow  = 200 * time.Microsecond

	trial    = 32   // quick runs in workers before a handler runs inline
	minPrice = 64   // the same, after a relapse
	maxPrice = 4096 // after relapses that followed each other
	forgive  = time.Second

	budget = time.Millisecond // of slow runs at once
	refill = 50               // the budget regains 1/refill of the time that passes
)

// Pace is what one handler has shown of its speed. Its methods are safe from any
// goroutine.
type Pace struct {
	debt atomic.Int32 // quick runs owed in workers; 0: run inline

	mu      sync.Mutex // guards the fields below
	spent   time.Duration
	at      time.Time // when spent was last brought up to date
	price   int32
	relapse time.Time // the last one

	_     [64]byte // of another cache line than debt: Route is written to at each run
	Route Route
}

// New returns the pace of a handler that has not run yet. name is for its Route.
func New(name string) *Pace {
	p := new(Pace)
	p.Route.Name = name
	p.debt.Store(trial)
	return p
}

// Inline reports whether the next run may be made where polling is done.
func (p *Pace) Inline() bool { return p.debt.Load() == 0 }

// RanInWorker takes how long a run in a worker was.
func (p *Pace) RanInWorker(d time.Duration) {
	p.Route.Workers.Add(d)
	switch debt := p.debt.Load(); {
	case d > quick && debt < trial:
		p.debt.CompareAndSwap(debt, trial)
	case d <= quick && debt > 0:
		p.debt.CompareAndSwap(debt, debt-1)
	}
}

// RanInline takes how long a run was that kept the poller. A single slow one is
// forgiven: the scheduler and the collector make those as well.
func (p *Pace) RanInline(d time.Duration) {
	p.Route.Inline.Add(d)
	if d <= slow {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.spent = max(0, p.spent-now.Sub(p.at)/refill) + min(d, budget/2)
	p.at = now
	if p.spent > budget {
		p.relapseLocked(now)
	}
}

// Relieved tells that a run kept the poller so long that another goroutine has
// taken over.
func (p *Pace) Relieved() {
	p.Route.HandedOver.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.relapseLocked(time.Now())
}

func (p *Pace) relapseLocked(now time.Time) {
	if p.debt.Load() > trial {
		return // another run of the same spell has paid
	}
	if now.Sub(p.relapse) > forgive {
		p.price = minPrice
	} else {
		p.price = min(2*p.price, maxPrice)
	}
	p.relapse, p.spent = now, 0
	p.debt.Store(p.price)
}

type key struct{}

// With returns a context that carries the pace of a handler, from whoever
// registers the handler to whoever runs it.
func With(ctx context.Context, p *Pace) context.Context { return context.WithValue(ctx, key{}, p) }

// From returns the pace that ctx carries, or nil.
func From(ctx context.Context) *Pace {
	p, _ := ctx.Value(key{}).(*Pace)
	return p
}
