package loop

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemoryIsGivenBackOnceManySocketsHaveCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New()
		collected := forcedCollections()
		came := func(n int, after time.Duration, want uint32) {
			t.Helper()
			for range n {
				l.Add()
			}
			time.Sleep(after)
			synctest.Wait()
			if got := forcedCollections() - collected; got != want {
				t.Errorf("with %d connections: collected %d times, want %d", l.conns, got, want)
			}
		}
		came(settleGrowth-1, time.Minute, 0)
		came(4*settleGrowth, settleTime/2, 0)
		came(4*settleGrowth, settleTime, 0) // more are coming
		came(0, settleTime, 1)
		came(settleGrowth, time.Minute, 1) // few, beside those who are there
		for range 8 * settleGrowth {
			l.Remove()
		}
		came(4*settleGrowth, time.Minute, 2)
	})
}

func forcedCollections() uint32 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.NumForcedGC
}
