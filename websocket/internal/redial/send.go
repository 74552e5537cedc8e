package redial

import (
	"context"
	"errors"
)

// Emit sends an event, or has it wait. It says why not.
func (c *Client) Emit(event string, b Body, m Manner) error {
	e := out{Type: "event", Event: event, Data: b.Data}.entry(b.Bytes)
	return c.offer(e, m)
}

// Send sends a message that is not an event, or has it wait. It says why not.
func (c *Client) Send(m Message) error { return c.offer(&entry{Message: m}, Manner{}) }

// offer sends an entry that ages.
func (c *Client) offer(e *entry, m Manner) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	age := m.Age
	if age == 0 {
		age = c.o.Age
	}
	e.until = c.now().Add(age)
	return c.post(e, m)
}

// Request sends an event, and waits for its reply. Its errors are *Refusal, *Lost,
// *TimedOut, ErrClosed, and that of ctx.
func (c *Client) Request(ctx context.Context, event string, b Body, m Manner) (*Event, error) {
	o := out{Type: "event", Event: event, Data: b.Data, Key: m.Key}
	return c.await(ctx, func(done func(*Event, error)) func() *Pending {
		p := c.ask(o, b.Bytes, m, done)
		return func() *Pending { return p }
	})
}

// outcome is what a request came to.
type outcome struct {
	reply *Event
	err   error
}

// await waits for what begin, which is called with the mutex held, has asked for. Then
// current is what it waits for.
func (c *Client) await(ctx context.Context, begin func(done func(*Event, error)) (current func() *Pending)) (*Event, error) {
	settled := make(chan outcome, 1)
	c.mu.Lock()
	current := begin(func(reply *Event, err error) { settled <- outcome{reply, err} })
	c.mu.Unlock()
	select {
	case o := <-settled:
		return o.reply, o.err
	case <-ctx.Done():
		c.giveUp(ctx, current)
		o := <-settled // perhaps the reply was quicker
		return o.reply, o.err
	}
}

// giveUp settles a request whose ctx has ended.
func (c *Client) giveUp(ctx context.Context, current func() *Pending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := current()
	err := ctx.Err()
	if errors.Is(err, context.DeadlineExceeded) {
		err = &TimedOut{p.ran != No}
	}
	c.requests.settle(p, nil, err)
}

// sendable reports whether an entry may be sent now.
func (c *Client) sendable(e *entry) bool {
	s := c.session
	return s != nil && s.link != nil && s.ready && !s.full() && !c.live.suspicious && s.link.takes(e.size())
}

func (c *Client) tooBig(e *entry) bool { return e.tooLong || c.max > 0 && e.size() > c.max }

// post sends an entry, or has it wait. It says why not.
func (c *Client) post(e *entry, m Manner) error {
	switch {
	case c.conn.state.Phase == Closed:
		return ErrClosed
	case c.tooBig(e):
		return ErrTooBig
	}
	c.live.doubt(c.live.beat, c.o.ProbeTimeout)
	switch s := m.setup; {
	case s != nil && (s.over || s != c.session):
		return errOver
	case s != nil:
		s.send(e)
	case m.Volatile:
		if !c.sendable(e) || len(c.queue.entries) > 0 || c.session.link.Buffered() >= volatileLimit {
			return ErrVolatile
		}
		c.session.send(e)
	case len(c.queue.entries) == 0 && c.sendable(e):
		c.session.send(e)
	case !c.queue.push(e):
		return ErrFull
	}
	return nil
}

const volatileLimit = 64 << 10 // bytes that may wait in the connection

// send sends a message of the protocol that nobody is told of.
func (c *Client) send(o out) error { return c.post(o.entry(nil), Manner{}) }

func (c *Client) flush() {
	for len(c.queue.entries) > 0 && c.sendable(c.queue.entries[0]) {
		e := c.queue.shift()
		switch {
		case e == nil:
			return
		case c.tooBig(e):
			c.drop(e, ErrTooBig)
		default:
			c.session.send(e)
		}
	}
}

// drop tells that an entry is not sent that had been taken.
func (c *Client) drop(e *entry, why error) {
	switch {
	case e.request != nil && errors.Is(why, ErrClosed):
		c.requests.settle(e.request, nil, ErrClosed)
	case e.request != nil:
		c.requests.settle(e.request, nil, &Lost{No, why})
	case e.event != "":
		c.tell(0, func(app App) { app.Dropped(e.event, why) })
	}
}

// ask sends what is answered.
func (c *Client) ask(o out, bytes []byte, m Manner, done func(*Event, error)) *Pending {
	timeout := m.Timeout
	if timeout == 0 {
		timeout = c.o.RequestTimeout
	}
	p := c.requests.begin(o.Event, timeout, m.Retry, done)
	o.ID = number(p.id)
	p.entry = o.entry(bytes)
	p.entry.event, p.entry.request = "", p
	if err := c.post(p.entry, m); err != nil {
		c.drop(p.entry, err)
	}
	return p
}
