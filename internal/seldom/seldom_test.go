package seldom

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestOneLineASecondOfEachKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Log
		want := func(kind string, skipped int, due bool) {
			t.Helper()
			if s, d := l.Due(kind); s != skipped || d != due {
				t.Errorf("%s: got %d, %t, want %d, %t", kind, s, d, skipped, due)
			}
		}
		want("a", 0, true)
		want("b", 0, true)
		for range 10 {
			want("a", 0, false)
		}
		time.Sleep(interval)
		want("a", 10, true)
		want("b", 0, true)
		want("a", 0, false)
	})
}
