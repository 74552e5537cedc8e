package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/nextrush/nextrush/middleware"
)

// RunRateLimit is Run for a store of buckets.
func RunRateLimit(t *testing.T, s middleware.RateLimitStore, wait func(time.Duration)) {
	empties(t, s)
	knowsKeysApart(t, s)
	letsAsManyPassAsThereAre(t, s)
	refills(t, s, wait)
	isNeverMoreThanFull(t, s, wait)
	takesOtherBuckets(t, s)
}

func take(t *testing.T, s middleware.RateLimitStore, key string, b middleware.TokenBucket) middleware.RateLimitState {
	t.Helper()
	state, err := s.Take(context.Background(), key, b)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// about reports whether a time that was to be is now, at most a minute less.
func about(got, was time.Duration) bool { return got <= was && got > was-time.Minute }

func empties(t *testing.T, s middleware.RateLimitStore) {
	for name, b := range map[string]middleware.TokenBucket{
		"hours":     {Burst: 5, Interval: time.Hour},
		"thirds":    {Burst: 3, Interval: 10*time.Hour/3 + 1},
		"one":       {Burst: 1, Interval: 25 * time.Hour},
		"centuries": {Burst: 7, Interval: 40*365*24*time.Hour + 12345},
	} {
		for left := b.Burst - 1; left >= 0; left-- {
			state := take(t, s, "test empties "+name, b)
			reset := time.Duration(b.Burst-left) * b.Interval
			if !state.Allowed || state.Remaining != left || state.RetryAfter != 0 || !about(state.Reset, reset) {
				t.Errorf("%s: with %d left: %+v, want a reset of %v", name, left, state, reset)
			}
		}
		for range 10 { // which takes nothing
			state := take(t, s, "test empties "+name, b)
			if state.Allowed || state.Remaining != 0 || !about(state.RetryAfter, b.Interval) || !about(state.Reset, time.Duration(b.Burst)*b.Interval) {
				t.Errorf("%s: empty: %+v", name, state)
			}
		}
	}
}

func knowsKeysApart(t *testing.T, s middleware.RateLimitStore) {
	b := middleware.TokenBucket{Burst: 1, Interval: time.Hour}
	for _, key := range []string{"test a", "test A", "test a ", "test \x00\xff*.>\n", "test 2001:db8::/64", "tést"} {
		for i, allowed := range []bool{true, false} {
			if state := take(t, s, key, b); state.Allowed != allowed {
				t.Errorf("%q: %d: %+v", key, i, state)
			}
		}
	}
}

func letsAsManyPassAsThereAre(t *testing.T, s middleware.RateLimitStore) {
	b := middleware.TokenBucket{Burst: 10, Interval: time.Hour}
	n := race(t, func(int) (bool, error) {
		state, err := s.Take(context.Background(), "test many", b)
		return state.Allowed, err
	})
	if n != b.Burst {
		t.Errorf("%d passed, want %d", n, b.Burst)
	}
}

func refills(t *testing.T, s middleware.RateLimitStore, wait func(time.Duration)) {
	b := middleware.TokenBucket{Burst: 3, Interval: shortest}
	refused := take(t, s, "test refills", b)
	for range 1000 { // what is refilled meanwhile is taken, too
		if refused = take(t, s, "test refills", b); !refused.Allowed {
			break
		}
	}
	if refused.Allowed || refused.RetryAfter <= 0 || refused.RetryAfter > b.Interval {
		t.Fatalf("an empty one: %+v", refused)
	}
	wait(shortest)
	if state := take(t, s, "test refills", b); !state.Allowed {
		t.Errorf("after %v: %+v", b.Interval, state)
	}
}

func isNeverMoreThanFull(t *testing.T, s middleware.RateLimitStore, wait func(time.Duration)) {
	b := middleware.TokenBucket{Burst: 2, Interval: shortest}
	take(t, s, "test full", b)
	wait(2 * shortest)
	if state := take(t, s, "test full", b); !state.Allowed || state.Remaining != 1 || state.Reset != b.Interval {
		t.Errorf("the first of a full one: %+v", state)
	}
}

// takesOtherBuckets has a program come back with other limits, and with limits of no
// consequence.
func takesOtherBuckets(t *testing.T, s middleware.RateLimitStore) {
	for range 5 {
		take(t, s, "test other", middleware.TokenBucket{Burst: 5, Interval: time.Hour})
	}
	if state := take(t, s, "test other", middleware.TokenBucket{Burst: 2, Interval: time.Hour}); state.Allowed || !about(state.RetryAfter, 4*time.Hour) {
		t.Errorf("with a smaller burst: %+v", state)
	}
	if state := take(t, s, "test other", middleware.TokenBucket{Burst: 8, Interval: time.Hour}); !state.Allowed || state.Remaining != 2 {
		t.Errorf("with a larger burst: %+v", state)
	}
	for range 3 {
		if state := take(t, s, "test fast", middleware.TokenBucket{Burst: 1 << 30, Interval: 1}); !state.Allowed {
			t.Errorf("a fast one: %+v", state)
		}
	}
}
