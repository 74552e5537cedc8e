package conn

import (
	"context"
	"errors"
	"slices"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const (
	// UnclaimedLimit is how many bytes of messages a server's connection keeps for a
	// consumer that has not come yet.
	UnclaimedLimit = 16 << 10
	// MessageCost is how many bytes a message takes in the inbox besides its
	// own.
	MessageCost = 32
	// InboxLimit is how many bytes of messages wait for Receive before the rest of
	// what has been read does, which may be compressed.
	InboxLimit = 256 << 10
)

// errFull says that the inbox takes no more for now.
var errFull = errors.New("inbox is full")

// message is one that waits. It owns its bytes.
type message struct {
	op   wire.Opcode
	data []byte
}

func (m message) cost() int { return len(m.data) + MessageCost }

// inbox holds messages for Receive, or for a consumer that has not come yet, guarded
// by the connection's mu. A nil inbox is empty.
type inbox struct {
	messages []message
	bytes    int
	passed   int // messages at the front that no callback wants
	changes  int // counts those of passed and of what it counts
	wake     chan struct{}
	pull     bool // Receive is in use: reading pauses while something waits
	waiting  int  // calls of Receive that wait
	wait     bool // a client: the same, whatever the consumer
	ended    bool
}

func newInbox(wait bool) *inbox { return &inbox{wake: make(chan struct{}, 1), wait: wait} }

func (c *Conn) inboxLocked() *inbox {
	if c.inbox == nil {
		c.inbox = newInbox(false)
		if c.phase == Closed {
			c.inbox.end()
		}
	}
	return c.inbox
}

func (in *inbox) full() bool {
	return in != nil && (in.pull || in.wait) && len(in.messages) > 0
}

// handled is called when the handler has returned. A Receive that it has called is
// not in use any more if callbacks have taken its place.
func (in *inbox) handled(callbacks bool) {
	if in != nil && callbacks && in.waiting == 0 {
		in.pull = false
	}
}

// end wakes everyone who waits.
func (in *inbox) end() {
	if in != nil && !in.ended {
		in.ended = true
		close(in.wake)
	}
}

func (in *inbox) signal() {
	if in.ended {
		return
	}
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

func (in *inbox) push(m message) {
	in.messages = append(in.messages, m)
	in.bytes += m.cost()
	in.signal()
}

func (in *inbox) pop() (message, bool) {
	if len(in.messages) == 0 {
		return message{}, false
	}
	return in.take(0), true
}

// take takes the message at index i out.
func (in *inbox) take(i int) message {
	m := in.messages[i]
	in.bytes -= m.cost()
	in.changes++
	if i < in.passed {
		in.passed--
	}
	switch {
	case len(in.messages) == 1:
		in.messages = nil
		return m
	case i == 0:
		in.messages[0] = message{}
		in.messages = in.messages[1:]
	default:
		in.messages = slices.Delete(in.messages, i, i+1)
	}
	in.signal()
	return m
}

// Receive returns the next message that no callback takes, and owns its bytes. It
// begins to read. ErrClosed tells that the connection has ended; otherwise its error
// is that of ctx.
func (c *Conn) Receive(ctx context.Context) (op wire.Opcode, data []byte, err error) {
	in := c.enterReceive()
	defer c.leaveReceive(in)
	c.Begin()
	for {
		if m, ok, err := c.receiveNow(in); ok || err != nil {
			return m.op, m.data, err
		}
		select {
		case <-in.wake:
		case <-ctx.Done():
			return 0, nil, ctx.Err()
		}
	}
}

func (c *Conn) enterReceive() *inbox {
	c.mu.Lock()
	defer c.mu.Unlock()
	in := c.inboxLocked()
	in.pull = true
	in.waiting++
	return in
}

func (c *Conn) leaveReceive(in *inbox) {
	c.mu.Lock()
	defer c.mu.Unlock()
	in.waiting--
}

// Awaited reports whether somebody has called Receive and waits.
func (c *Conn) Awaited() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inbox != nil && c.inbox.waiting > 0
}

func (c *Conn) receiveNow(in *inbox) (m message, ok bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok = in.pop()
	if ok {
		c.resumeLocked()
	} else if c.phase == Closed {
		err = ErrClosed
	}
	return m, ok, err
}

// resumeLocked goes on reading if that had paused.
func (c *Conn) resumeLocked() {
	if c.inbox.full() || !c.runs.resume() {
		return
	}
	now := c.cfg.Loop.Now()
	c.activity.Store(now)
	c.heart.resume(now)
	c.wakeLocked(workRead)
}

// thawLocked goes on reading if messages wait for a Receive that nobody has called
// for long, and nobody is there to call: else the end of the connection would never
// show.
func (c *Conn) thawLocked() {
	if in := c.inbox; c.runs.reading == inPaused && !c.runs.handling && in.waiting == 0 && !in.wait {
		in.pull = false
		c.resumeLocked()
	}
}

// arrived hands a message to whoever consumes it. What waits and has found a
// consumer goes before.
func (c *Conn) arrived(op wire.Opcode, data []byte) error {
	c.mu.Lock()
	open := c.phase == Open
	waits := c.inbox != nil && len(c.inbox.messages) > 0
	failed := c.rare != nil && len(c.rare.errs) > 0
	c.mu.Unlock()
	if !open {
		return nil
	}
	if err := c.in.allow(c.cfg, len(data)); err != nil {
		return err
	}
	if failed {
		c.tellErrors()
	}
	if !waits {
		if c.owner.Message(op, data) {
			return nil
		}
	} else if deliver := c.claimAfterOthers(op, data); deliver != nil {
		deliver()
		return nil
	}
	return c.keep(op, data)
}

// claimAfterOthers lets callbacks have what waits, and then finds those that want one
// message more.
func (c *Conn) claimAfterOthers(op wire.Opcode, data []byte) (deliver func()) {
	claim := c.owner.Offer(op, data, true)
	for {
		c.drainInbox()
		if deliver, last := c.claimLast(claim); last {
			return deliver
		}
	}
}

// claimLast reports false if a callback has come meanwhile for what waits.
func (c *Conn) claimLast(claim func() func()) (deliver func(), last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inbox.passed < len(c.inbox.messages) {
		return nil, false
	}
	return claim(), true
}

// keep puts a message into the inbox, and fails with errFull if none is to follow.
func (c *Conn) keep(op wire.Opcode, data []byte) error {
	m := message{op, append([]byte(nil), data...)}
	c.mu.Lock()
	defer c.mu.Unlock()
	in := c.inboxLocked()
	if !in.pull && !in.wait && in.bytes+m.cost() > UnclaimedLimit {
		c.cfg.Counters.Dropped.Add(1)
		return nil
	}
	in.push(m)
	if c.owner.Consumes() { // callbacks may have come just now
		c.wakeLocked(workInbox)
	}
	if in.bytes > InboxLimit && in.full() {
		return errFull
	}
	return nil
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
	in.passed = 0
	in.changes++
	if !c.runs.handling {
		in.handled(true)
		c.resumeLocked()
	}
	if len(in.messages) > 0 && c.runs.reading != inNotBegun {
		c.wakeLocked(workInbox)
	}
}

// drainInbox gives waiting messages to the callbacks that have come for them, in
// their order. Those for Receive stay.
func (c *Conn) drainInbox() {
	for {
		m, changes, ok := c.nextUnseen()
		if !ok {
			return
		}
		claim := c.owner.Offer(m.op, m.data, false) // not under the lock: the peer decides how long that takes
		if deliver := c.claimed(changes, claim); deliver != nil {
			deliver()
		}
	}
}

// nextUnseen is the first message that has not been offered to the callbacks.
func (c *Conn) nextUnseen() (m message, changes int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	in := c.inbox
	if in == nil || in.passed >= len(in.messages) {
		return message{}, 0, false
	}
	return in.messages[in.passed], in.changes, true
}

// claimed takes that message out if a callback wants it, and passes over it
// otherwise, unless the inbox has changed meanwhile.
func (c *Conn) claimed(changes int, claim func() func()) (deliver func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	in := c.inbox
	if in.changes != changes {
		return nil
	}
	if deliver = claim(); deliver == nil {
		in.passed++
		in.changes++
		return nil
	}
	in.take(in.passed)
	c.resumeLocked()
	return deliver
}
