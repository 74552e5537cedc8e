package conn

import (
	"context"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// receiver is a call of Receive.
type receiver struct {
	c  *Conn
	in *inbox
}

// inboxLocked is the inbox, which is made if there is none.
func (c *Conn) inboxLocked() *inbox {
	if c.inbox == nil {
		c.inbox = newInbox(false)
		if c.phase == Closed {
			c.inbox.end()
		}
	}
	return c.inbox
}

// Receive returns the next message that no callback takes, and owns its bytes. It
// begins to read. ErrClosed tells that the connection has ended; otherwise its error
// is that of ctx.
func (c *Conn) Receive(ctx context.Context) (op wire.Opcode, data []byte, err error) {
	r := receiver{c, c.enter()}
	defer r.leave()
	c.Begin()
	for {
		if m, ok, err := r.take(); ok || err != nil {
			return m.op, m.data, err
		}
		select {
		case <-r.in.wake:
		case <-ctx.Done():
			return 0, nil, ctx.Err()
		}
	}
}

func (c *Conn) enter() *inbox {
	c.mu.Lock()
	defer c.mu.Unlock()
	in := c.inboxLocked()
	in.enter()
	return in
}

func (r receiver) leave() {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	r.in.waiting--
}

// take takes the next message, if there is one.
func (r receiver) take() (m message, ok bool, err error) {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	m, ok = r.in.pop()
	if ok {
		r.c.resumeLocked()
	} else if r.c.phase == Closed {
		err = ErrClosed
	}
	return m, ok, err
}

// Awaited reports whether somebody has called Receive and waits.
func (c *Conn) Awaited() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inbox.awaited()
}

// Blocked reports whether nothing more is read, as a message waits for a Receive that
// nobody has called.
func (c *Conn) Blocked() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inbox.full() && !c.inbox.awaited()
}

// resumeLocked goes on reading if that had paused.
func (c *Conn) resumeLocked() {
	if c.inbox.full() || !c.runs.resume() {
		return
	}
	now := c.cfg.Loop.Now()
	c.activity.Store(now)
	c.heart.Resume(now)
	c.wakeLocked(workRead)
}

// thawLocked goes on reading if messages wait for a Receive that nobody has called
// for long, and nobody is there to call: else the end of the connection would never
// show.
func (c *Conn) thawLocked() {
	if c.runs.reading == inPaused && !c.runs.handling && c.inbox.abandon() {
		c.resumeLocked()
	}
}

// Consume registers callbacks and lets them have what waits, in one: else they could
// get what comes next before that. register is called under the connection's lock.
func (c *Conn) Consume(register func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	register()
	in := c.inbox
	if in == nil {
		return
	}
	in.offerAgain()
	if !c.runs.handling {
		in.handled(true)
		c.resumeLocked()
	}
	if len(in.messages) > 0 && c.runs.reading != inNotBegun {
		c.wakeLocked(workInbox)
	}
}
