package cluster

import (
	"context"
	"sync/atomic"
)

// Receipt is for who waits until the engine has some parcels. nil: nobody does.
type Receipt struct {
	open   atomic.Int32 // parcels that wait, and one until all are queued
	failed atomic.Bool
	done   chan struct{} // closed when none is open
}

// NewReceipt is for the parcels with which it is then published.
func NewReceipt() *Receipt {
	r := &Receipt{done: make(chan struct{})}
	r.expect()
	return r
}

func (r *Receipt) expect() {
	if r != nil {
		r.open.Add(1)
	}
}

func (r *Receipt) settle(sent bool) {
	if r == nil {
		return
	}
	if !sent {
		r.failed.Store(true)
	}
	if r.open.Add(-1) == 0 {
		close(r.done)
	}
}

// Wait waits until the engine has all that was published with the receipt. It is called
// once. ErrDown: something was dropped, or the node was closed. After an error what was
// published may still come.
func (n *Node) Wait(ctx context.Context, r *Receipt) error {
	r.settle(true)
	select {
	case <-r.done:
	case <-n.sent:
	case <-ctx.Done():
	}
	switch {
	case r.open.Load() == 0 && !r.failed.Load():
		return nil
	case r.open.Load() > 0 && ctx.Err() != nil:
		return ctx.Err()
	}
	return ErrDown
}
