package pace

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

const (
	quickRun   = 10 * time.Microsecond
	slowRun    = 300 * time.Microsecond
	blockedRun = 10 * time.Millisecond
)

// debt is how many quick runs in workers it takes until p runs inline.
func debt(p *Pace) (n int) {
	for ; !p.Inline(); n++ {
		p.RanInWorker(quickRun)
	}
	return n
}

func TestAHandlerBeginsInWorkers(t *testing.T) {
	if n := debt(New("")); n != trial {
		t.Errorf("inline after %d quick runs, want %d", n, trial)
	}
}

func TestASlowRunInAWorkerKeepsTheHandlerThere(t *testing.T) {
	p := New("")
	for range 10 * trial {
		for range trial - 1 {
			p.RanInWorker(quickRun)
		}
		p.RanInWorker(blockedRun)
		if p.Inline() {
			t.Fatal("it runs inline although one run in 32 blocks")
		}
	}
}

func TestASlowRunDoesNotShortenThePriceOfARelapse(t *testing.T) {
	p := New("")
	debt(p)
	p.Relieved()
	p.RanInWorker(blockedRun)
	if n := debt(p); n != minPrice {
		t.Errorf("inline after %d quick runs, want %d", n, minPrice)
	}
}

func TestSlowRunsUseUpABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New("")
		debt(p)
		for range 1000 {
			p.RanInline(blockedRun)
			if !p.Inline() {
				t.Fatal("a single slow run was not forgiven")
			}
			time.Sleep(refill * budget)
		}
		n := 0
		for p.Inline() {
			p.RanInline(slowRun)
			n++
		}
		if n != int(budget/slowRun)+1 {
			t.Errorf("relapse after %d slow runs", n)
		}
	})
}

func TestQuickRunsAreNeverCharged(t *testing.T) {
	p := New("")
	debt(p)
	for range 100_000 {
		p.RanInline(slow)
	}
	if !p.Inline() {
		t.Error("it has gone back to workers")
	}
}

func TestThePriceDoublesUntilASecondHasPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New("")
		debt(p)
		for _, want := range []int{64, 128, 256, 512, 1024, 2048, 4096, 4096} {
			p.Relieved()
			if n := debt(p); n != want {
				t.Errorf("inline after %d quick runs, want %d", n, want)
			}
			time.Sleep(forgive / 2)
		}
		time.Sleep(forgive)
		p.Relieved()
		if n := debt(p); n != minPrice {
			t.Errorf("inline after %d quick runs, want %d", n, minPrice)
		}
	})
}

// Several loops are relieved of one handler at the same moment.
func TestOneSpellPaysOnce(t *testing.T) {
	p := New("")
	debt(p)
	for range 16 {
		p.Relieved()
	}
	if n := debt(p); n != minPrice {
		t.Errorf("inline after %d quick runs, want %d", n, minPrice)
	}
}

func TestAContextCarriesAPace(t *testing.T) {
	p := New("")
	if got := From(With(t.Context(), p)); got != p {
		t.Errorf("got %v", got)
	}
	if got := From(context.Background()); got != nil {
		t.Errorf("got %v from a context without one", got)
	}
}
