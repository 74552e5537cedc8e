package pulse

import (
	"testing"
	"time"
)

func TestSilenceIsMeasuredAlsoWhenTheClockWraps(t *testing.T) {
	const every = int64(25 * time.Second)
	for _, start := range []int64{0, 1<<32*int64(time.Millisecond) - int64(10*time.Second), 1 << 60} {
		var v Voice
		v.Note(start)
		start -= start % int64(time.Millisecond)
		for _, after := range []time.Duration{0, time.Second, 20 * time.Second, 25 * time.Second, time.Hour} {
			if due := v.Due(start+int64(after), every); due != start+every {
				t.Errorf("%v after %d it is due at %d, want %d", after, start, due, start+every)
			}
		}
	}
}
