package limit

import (
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	const rate, burst = 10, 3
	steps := []struct {
		name  string
		after time.Duration // the step before
		n     int
		want  bool
	}{
		{"a fresh bucket is full", 0, 3, true},
		{"and then empty", 0, 1, false},
		{"what was not there is owed", 100 * time.Millisecond, 1, false},
		{"until it has come back", 300 * time.Millisecond, 1, true},
		{"it regains no more than it holds", time.Hour, 4, false},
		{"and all of that", time.Hour, 3, true},
	}
	var b bucket
	now := int64(1)
	for _, s := range steps {
		now += int64(s.after)
		if got := b.take(s.n, rate, burst, now); got != s.want {
			t.Errorf("%s: %v", s.name, got)
		}
	}
}
