package loop

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	settleGrowth = 1000        // connections
	settleTime   = time.Second // in which hardly any come
	settleShare  = 16 << 10    // bytes of live heap for each connection
)

// settler gives memory back to the system when many connections have come. Their
// handshakes leave more garbage than they keep, and the collector would leave as
// much room for the next as it took at the busiest time.
//
// It collects once when a thousand connections more have come and half as many again
// as there were the last time, which costs little beside their handshakes. A
// program whose heap holds much else is left alone.
type settler struct {
	conns   int  // when it has collected last
	seen    int  // a settleTime ago
	waiting bool // settle is to be called
}

// watchGrowthLocked arranges for settle, when no more come, if many have come.
func (l *Loop) watchGrowthLocked() {
	t := &l.settler
	if !t.waiting && l.conns-t.conns >= max(settleGrowth, t.conns/2) {
		t.waiting, t.seen = true, l.conns
		time.AfterFunc(settleTime, l.settle)
	}
}

func (l *Loop) settle() {
	l.mu.Lock()
	t, n := &l.settler, l.conns
	if n > t.seen+t.seen/64 {
		t.seen = n
		time.AfterFunc(settleTime, l.settle)
		l.mu.Unlock()
		return
	}
	t.waiting, t.conns = false, n
	l.mu.Unlock()
	if liveHeap() <= uint64(n)*settleShare {
		debug.FreeOSMemory()
	}
}

// liveHeap is how many bytes the last collection has found in use.
func liveHeap() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
