package websocket

import (
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	settleGrowth = 1000        // sockets
	settleTime   = time.Second // in which hardly any come
	settleShare  = 16 << 10    // bytes of live heap for each socket
)

// settler gives memory back to the system when many sockets have come. Their
// handshakes leave more garbage than they keep, and the collector would leave as
// much room for the next as it took at the busiest time.
//
// It collects once when a thousand sockets more have come and half as many again
// as there were the last time, which costs little beside their handshakes. A
// program whose heap holds much else is left alone.
type settler struct {
	sockets int  // when it has collected last
	seen    int  // a settleTime ago
	waiting bool // settle is to be called
}

// watchGrowth has settle called, when no more come, if many have come; e.mu is held.
func (e *engine) watchGrowth() {
	t := &e.settler
	if !t.waiting && e.sockets-t.sockets >= max(settleGrowth, t.sockets/2) {
		t.waiting, t.seen = true, e.sockets
		time.AfterFunc(settleTime, e.settle)
	}
}

func (e *engine) settle() {
	e.mu.Lock()
	t, n := &e.settler, e.sockets
	if n > t.seen+t.seen/64 {
		t.seen = n
		time.AfterFunc(settleTime, e.settle)
		e.mu.Unlock()
		return
	}
	t.waiting, t.sockets = false, n
	e.mu.Unlock()
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
