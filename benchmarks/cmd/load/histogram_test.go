package main

import (
	"math"
	"testing"
	"time"
)

func TestBucketsHoldWhatTheySay(t *testing.T) {
	for _, v := range []uint64{0, 1, 63, 64, 127, 128, 129, 255, 256, 1e3, 1e6, 123_456_789, 1e12, math.MaxInt64} {
		top := uint64(upper(bucket(v)))
		if top < v || float64(top-v) > float64(v)/sub {
			t.Errorf("%d is in a bucket up to %d", v, top)
		}
	}
}

func TestBucketsFollowEachOther(t *testing.T) {
	for i := range len(histogram{}.buckets) - 1 {
		if next := bucket(uint64(upper(i)) + 1); next != i+1 {
			t.Fatalf("after bucket %d comes %d", i, next)
		}
	}
}

func TestQuantile(t *testing.T) {
	var h histogram
	if got := h.quantile(0.5); got != 0 {
		t.Errorf("of nothing: %v, want 0", got)
	}
	for i := range 1000 {
		h.add(time.Duration(i+1) * time.Microsecond)
	}
	for q, want := range map[float64]time.Duration{
		0.5: 500 * time.Microsecond, 0.99: 990 * time.Microsecond, 0.999: 999 * time.Microsecond, 1: time.Millisecond,
	} {
		if got := h.quantile(q); got < want || got > want+want/sub {
			t.Errorf("%v of 1 to 1000 µs: %v, want %v", q, got, want)
		}
	}
}

func TestTimesBeforeTheirScheduleCountAsNothing(t *testing.T) {
	var h histogram
	h.add(-time.Second)
	if got := h.quantile(1); got != 0 {
		t.Errorf("got %v", got)
	}
}
