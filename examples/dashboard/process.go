package main

import (
	"math"
	"runtime/metrics"
)

// process is what runtime/metrics tells of this process. The times of processors there
// are those at the last collection, so that of the process is asked of the system.
type process struct {
	samples [3]metrics.Sample
	pauses  []uint64 // of each bucket, at the last frame
}

func newProcess() *process {
	return &process{samples: [3]metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/sched/goroutines:goroutines"},
		{Name: "/sched/pauses/total/gc:seconds"},
	}}
}

func (p *process) sample(f *frame) {
	metrics.Read(p.samples[:])
	f.CPU = seconds(cpuTime())
	f.Heap = p.samples[0].Value.Uint64()
	f.Goroutines = p.samples[1].Value.Uint64()
	f.Pause = p.longestPause(p.samples[2].Value.Float64Histogram())
}

// longestPause is the end of the last bucket that has counted more than before.
func (p *process) longestPause(h *metrics.Float64Histogram) (longest float64) {
	for i, n := range h.Counts {
		if p.pauses != nil && n > p.pauses[i] {
			if longest = h.Buckets[i+1]; math.IsInf(longest, 1) {
				longest = h.Buckets[i]
			}
		}
	}
	p.pauses = append(p.pauses[:0], h.Counts...)
	return longest
}
