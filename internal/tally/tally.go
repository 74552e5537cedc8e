// Package tally counts durations, each at the price of two atomic additions.
package tally

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// unit is how wide the first buckets are. There are four of them, four from 1 to 2 µs,
// four from 2 to 4 µs, and so on to 16.8 s, and one for what takes longer.
const unit = 250 * time.Nanosecond

// Buckets is how many buckets a histogram has.
const Buckets = 101

// Histogram is durations by size. The zero value is empty. Its methods are safe from any
// goroutine.
type Histogram struct {
	counts [Buckets]atomic.Int64
	sum    atomic.Int64 // nanoseconds
}

// Add counts a duration.
func (h *Histogram) Add(d time.Duration) {
	h.counts[bucket(d)].Add(1)
	h.sum.Add(int64(d))
}

func bucket(d time.Duration) int {
	units := uint64(max(d-1, 0) / unit)
	if units < 4 {
		return int(units)
	}
	n := bits.Len64(units)
	return min(4*(n-2)+int(units>>(n-3)&3), Buckets-1)
}

// Bound is the longest duration in a bucket, but for the last.
func Bound(i int) time.Duration {
	if i < 4 {
		return unit * time.Duration(i+1)
	}
	return unit * time.Duration(5+i%4) << (i/4 - 1)
}

// Counts are what a histogram has counted.
type Counts struct {
	In  [Buckets]int64
	Sum time.Duration
}

// Add adds what h has counted.
func (c *Counts) Add(h *Histogram) {
	for i := range h.counts {
		c.In[i] += h.counts[i].Load()
	}
	c.Sum += time.Duration(h.sum.Load())
}

// Count is how many durations there are.
func (c *Counts) Count() (n int64) {
	for _, in := range c.In {
		n += in
	}
	return n
}

// Quantile estimates the duration that a share q of all do not exceed, from 0 to 1; 0
// if there are none. It is in the right bucket.
func (c *Counts) Quantile(q float64) time.Duration {
	rank := q * float64(c.Count())
	for i, n := range c.In {
		if n > 0 && rank <= float64(n) {
			low := time.Duration(0)
			if i > 0 {
				low = Bound(i - 1)
			}
			return low + time.Duration(rank/float64(n)*float64(Bound(i)-low))
		}
		rank -= float64(n)
	}
	return 0
}
