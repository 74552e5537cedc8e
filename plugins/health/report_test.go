package health_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/health"
)

// "Report takes no longer than Options.Timeout", whoever else asks.
func TestReportsAtTheSameTimeShareOneRunOfTheChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int64
		p := health.New(health.Options{CacheFor: -1, Timeout: time.Second})
		p.Check("hangs", func(ctx context.Context) error {
			runs.Add(1)
			<-ctx.Done()
			return ctx.Err()
		})
		nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)}).Register(p)
		began := time.Now()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if r := p.Report(); r.Status != health.Failed {
					t.Errorf("%+v", r)
				}
			})
		}
		wg.Wait()
		if took := time.Since(began); took > time.Second || runs.Load() != 1 {
			t.Errorf("10 reports took %v and ran the check %d times", took, runs.Load())
		}
	})
}

// asking is a log handler that asks for the health of the program.
type asking struct {
	slog.Handler
	p *health.Plugin
}

func (h asking) Handle(context.Context, slog.Record) error {
	h.p.Report()
	return nil
}

func TestTheLoggerMayAskForAReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := health.New(health.Options{CacheFor: time.Hour})
		p.Check("fails", func(context.Context) error { return errors.New("no") })
		app := nextrush.New(nextrush.Options{Logger: slog.New(asking{slog.Default().Handler(), p})})
		app.Register(p)
		if r := p.Report(); r.Status != health.Failed {
			t.Errorf("%+v", r)
		}
	})
}
