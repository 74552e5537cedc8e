package main

import (
	"math"
	"math/bits"
	"time"
)

const (
	subBits = 6 // of precision: the width of a bucket is at most 1/64 of its values
	sub     = 1 << subBits
)

// histogram counts durations in buckets whose width grows with the duration, like those
// of HdrHistogram: it is small, quick to add to, and exact to 1.6 % at any length.
type histogram struct {
	buckets [(64 - subBits) * sub]int64
	count   int64
}

func (h *histogram) add(d time.Duration) {
	h.buckets[bucket(uint64(max(d, 0)))]++
	h.count++
}

// bucket returns the bucket of v, which its highest seven bits choose; the first of them
// is always 1.
func bucket(v uint64) int {
	shift := max(bits.Len64(v)-subBits-1, 0)
	return shift*sub + int(v>>shift)
}

// upper returns the longest duration in a bucket.
func upper(i int) time.Duration {
	shift := max(i/sub-1, 0)
	return time.Duration(uint64(i-shift*sub+1)<<shift - 1)
}

// quantile returns a duration that the share q of all durations do not exceed; 0 if there
// are none.
func (h *histogram) quantile(q float64) time.Duration {
	rank := int64(math.Ceil(q * float64(h.count)))
	for i, n := range h.buckets {
		if rank -= n; rank <= 0 {
			return upper(i)
		}
	}
	return 0
}
