package room

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnAlarmRingsOnceWhateverIsSetMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		now := func() int64 { return 1 + int64(time.Since(began)) }
		in := func(d time.Duration) int64 { return now() + int64(d) }
		var mu sync.Mutex
		var a alarm
		calls, rings := 0, 0
		ring := func() {
			mu.Lock()
			defer mu.Unlock()
			calls++
			if a.rung(now()) {
				rings++
			}
		}
		want := func(when string, wantCalls, wantRings int) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if calls != wantCalls || rings != wantRings {
				t.Fatalf("%s: %d calls and %d rings, want %d and %d", when, calls, rings, wantCalls, wantRings)
			}
		}
		set := func(d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			a.set(in(d), now(), ring)
		}
		set(10 * time.Second)
		set(5 * time.Second)
		set(7 * time.Second)
		for range 3 { // calls that have waited for the lock while it was set
			ring()
		}
		want("before", 3, 0)
		time.Sleep(5 * time.Second)
		want("then", 4, 1)
		ring()
		time.Sleep(time.Minute)
		want("after it has rung", 5, 1)
		set(time.Second)
		mu.Lock()
		a.stop()
		mu.Unlock()
		time.Sleep(time.Minute)
		want("stopped", 5, 1)
		set(time.Second)
		time.Sleep(time.Minute)
		want("set anew", 6, 2)
	})
}
