package cluster

import (
	"sync"
	"time"

	"github.com/nextrush/nextrush/websocket/broker"
)

const (
	maxArrived = 16 << 20        // bytes that wait for workers
	overdue    = 5 * time.Second // for what was announced to come
)

// worker acts on what arrives in some streams, in order.
type worker struct {
	node *Node

	mu     sync.Mutex // guards the fields below
	queue  []arrival
	bytes  int
	closed bool
	wake   chan struct{} // has room for one

	in incoming // used by the goroutine alone
}

// arrival is a delivery, or what a node has announced of its streams.
type arrival struct {
	broker.Delivery
	tops []Top // of Delivery.From
	tick bool
	seen chan<- struct{} // to be told when all before it is seen to; has room
}

func (w *worker) put(a arrival) (ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.bytes > 0 && w.bytes+len(a.Body) > maxArrived/len(w.node.workers) {
		return false
	}
	w.bytes += len(a.Body)
	w.queue = append(w.queue, a)
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return true
}

func (w *worker) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *worker) run() {
	var batch []arrival
	var parcels []Parcel
	for open := true; open; {
		<-w.wake
		batch, open = w.take(batch)
		parcels = parcels[:0]
		for i := range batch {
			parcels = w.arrived(&batch[i], parcels)
		}
		if len(parcels) > 0 {
			w.node.local.Take(parcels)
		}
		for i := range batch {
			if batch[i].seen != nil {
				batch[i].seen <- struct{}{}
			}
		}
		clear(batch)
		clear(parcels)
	}
}

// take exchanges the queue for an empty one.
func (w *worker) take(empty []arrival) (batch []arrival, open bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	batch, w.queue, w.bytes = w.queue, empty[:0], 0
	return batch, !w.closed
}

// arrived appends the parcel of an arrival that is for sockets, and sees to the others.
func (w *worker) arrived(a *arrival, parcels []Parcel) []Parcel {
	n := w.node
	switch {
	case a.tops != nil:
		for _, t := range a.tops {
			w.in.announced(a.From, t, n.now())
		}
		return parcels
	case a.seen != nil:
		return parcels
	case a.tick:
		w.in.overdue(n.now()-int64(overdue), n.lost)
		return parcels
	}
	if !w.fresh(a) {
		n.count.Duplicates.Add(1)
		return parcels
	}
	p, err := open(&a.Delivery)
	if err != nil {
		n.count.Invalid.Add(1)
		return parcels
	}
	n.count.Received.Add(1)
	p.Going = p.Kind == Presence && !n.knows(a.From)
	if p.Kind >= Call {
		n.told(a.From, &p)
		return parcels
	}
	return append(parcels, p)
}

// fresh notes the number of what has arrived, and reports whether it is the first with it.
// What is kept has a position instead.
func (w *worker) fresh(a *arrival) bool {
	if a.Position != (broker.Position{}) {
		return true
	}
	lost, fresh := w.in.take(&a.Envelope)
	if lost > 0 {
		w.node.lost(a.From, a.Room, lost)
	}
	return fresh
}

// open reads the parcel in an envelope.
func open(d *broker.Delivery) (p Parcel, err error) {
	if p, err = Parse(d.Body); err != nil {
		return p, err
	}
	if p.Kind.control() != d.Control {
		return p, errParcel
	}
	p.From, p.Volatile, p.At = d.From, d.Volatile, d.Position
	if p.At != (broker.Position{}) {
		came := d.Envelope
		p.Came = &came
	}
	if d.Room != "" {
		var ok bool
		if p.Namespace, p.Room, ok = splitKey(d.Room); !ok {
			return p, errParcel
		}
	}
	return p, nil
}
