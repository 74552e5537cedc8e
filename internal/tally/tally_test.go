package tally

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestADurationIsInItsBucket(t *testing.T) {
	for _, d := range []time.Duration{-1, 0, 1, time.Microsecond, time.Microsecond + 1, 2 * time.Microsecond, 50 * time.Microsecond,
		time.Millisecond, time.Second, 16 * time.Second} {
		i := bucket(d)
		if d > Bound(i) || i > 0 && d <= Bound(i-1) {
			t.Errorf("%v is in the bucket up to %v", d, Bound(i))
		}
	}
	if bucket(time.Hour) != Buckets-1 {
		t.Error("an hour is not in the last bucket")
	}
	for i := range Buckets - 1 {
		if b := Bound(i); bucket(b) != i || bucket(b+1) != i+1 {
			t.Errorf("%v is in bucket %d, and the next in %d", b, bucket(b), bucket(b+1))
		}
	}
	if last := Bound(Buckets - 2); last != 1<<24*time.Microsecond {
		t.Errorf("the last bound is %v", last)
	}
}

// A quantile is wrong by no more than its bucket is wide.
func TestQuantilesAreNearTheTruth(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var h Histogram
	var all []time.Duration
	for range 10_000 {
		d := time.Duration(r.ExpFloat64() * float64(time.Millisecond))
		all = append(all, d)
		h.Add(d)
	}
	slices.Sort(all)
	var c Counts
	c.Add(&h)
	if c.Count() != int64(len(all)) {
		t.Errorf("%d are counted", c.Count())
	}
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99} {
		truth, got := all[int(q*float64(len(all)))], c.Quantile(q)
		if got < truth*3/4 || got > truth*5/4 {
			t.Errorf("quantile %v is %v, not %v", q, truth, got)
		}
	}
	if got := new(Counts).Quantile(0.5); got != 0 {
		t.Errorf("of none it is %v", got)
	}
}

func BenchmarkAdd(b *testing.B) {
	var h Histogram
	for i := range b.N {
		h.Add(time.Duration(i & 0xFFFFF))
	}
}
