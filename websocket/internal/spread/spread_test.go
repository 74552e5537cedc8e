package spread

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheTimeFollowsTheNumberOfSockets(t *testing.T) {
	for sockets, want := range map[int]time.Duration{0: Min, 400: Min, 1000: 2 * time.Second, 1 << 20: Max} {
		if got := Over(sockets, 500); got != want {
			t.Errorf("%d sockets come back over %v, want %v", sockets, got, want)
		}
	}
}

func TestANewTimeIsToldOnce(t *testing.T) {
	b := NewBeats()
	first := b.Told(Min)
	if f, told := b.For(first, Min*3/2); f != plain || told != first {
		t.Error("a time is told that has hardly changed")
	}
	f, told := b.For(first, 2*Min)
	if f == plain || told == first {
		t.Error("a doubled time is not told")
	}
	if f, again := b.For(told, 3*Min); f != plain || again != told {
		t.Error("it is told twice")
	}
}

func TestEachIsCalledWithinTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const window = 10 * time.Second
		list := []int{1, 2, 3, 4, 5}
		var got []int
		began := time.Now()
		Each(t.Context(), list, window, func(n int) { got = append(got, n) })
		slices.Sort(got)
		if took := time.Since(began); !slices.Equal(got, []int{1, 2, 3, 4, 5}) || took > window || took < window*4/5 {
			t.Errorf("called with %v, in %v", got, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		Each(ctx, list, time.Hour, func(int) {})
		if took := time.Since(began); took > time.Second {
			t.Errorf("it went on for %v", took)
		}
		if d := Drain(ctx, 0, 5); d != 0 {
			t.Errorf("after the deadline the window is %v", d)
		}
		if d := Drain(t.Context(), 0, 1<<20); d != maxDrain {
			t.Errorf("the window of many is %v", d)
		}
		if d := Grace(t.Context(), -1, 0); d != 0 {
			t.Errorf("who wants no window gets %v", d)
		}
	})
}
