package conn

import (
	"github.com/nextrush/nextrush/websocket/internal/outbox"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// slow reports whether the peer leaves untaken what it was sent. A transport that
// blocks in Write is in one at each write, which tells nothing before it has lasted.
func (w *writing) slow(now int64) bool {
	return w.state == outParked || w.state == outBlocked && (w.box.InHand == 0 || now-w.box.Stalled > atOnce)
}

// coalesce queues a frame with a key if the peer is slow, and reports false otherwise:
// then it is a frame like others.
func (o output) coalesce(f *Frame, key string) (queued bool, err error) {
	if !o.slow() {
		return false, nil
	}
	frame := o.c.apart(f)
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	switch {
	case o.c.sealedLocked():
		return true, ErrClosed
	case !o.c.out.slow(o.c.cfg.Loop.Now()):
		return false, nil
	}
	box := o.c.out.need()
	if n := len(frame) + outbox.KeyCost + len(key) - box.Held(key); n > 0 && !box.Fits(n, o.queueLimitLocked()) {
		if err := o.overflowLocked(n); err != nil {
			return true, err
		}
	}
	if box.Keyed(key, frame) {
		o.c.cfg.Counters.Drops.Coalesced.Add(1)
	}
	return true, nil
}

func (o output) slow() bool {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	return o.c.out.slow(o.c.cfg.Loop.Now())
}

// apart is a frame on its own, which may be left out or sent later than others. With
// context takeover it is not compressed: then the window does not depend on it
// (RFC 7692 §7.2.1).
func (c *Conn) apart(f *Frame) []byte {
	switch {
	case c.cfg.Client:
		h := wire.Header{Fin: true, Op: f.op}
		c.cfg.setLength(&h, len(f.Payload()))
		b := wire.AppendHeader(make([]byte, 0, len(f.plain)+4), h)
		body := len(b)
		b = append(b, f.Payload()...)
		wire.Mask(h.Mask, 0, b[body:])
		return b
	case c.codec.takeover():
		return f.plain
	}
	return c.shared(f)
}

// shared is a frame as connections without context takeover send it.
func (c *Conn) shared(f *Frame) []byte {
	if c.codec == nil || len(f.plain) < c.cfg.Threshold {
		return f.plain
	}
	return f.compressed(c.cfg.Level, c.codec.sendBits)
}
