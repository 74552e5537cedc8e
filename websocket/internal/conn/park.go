package conn

import (
	"errors"
	"io"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/internal/transport"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const (
	givenUp  = 4001 // the peer's; for applications
	replaced = 4409 // for applications: 4000 and a status of HTTP
)

var (
	// ErrForgotten is of Resume: some of what the peer has not got is not kept any more.
	ErrForgotten = errors.New("websocket: messages of the session are not kept any more")

	errOverflow = errors.New("websocket: too many bytes wait for a session to be resumed")
	errReplaced = errors.New("websocket: the session goes on with another connection")
	errRaced    = errors.New("websocket: another connection has come, or the session has ended")
	errStale    = errors.New("another transport has come")
)

// endsLocked reports whether a close code of the peer's says that it will not come back.
// Who gives up without a word may not have had the hello, and what it would come back with.
func (c *Conn) endsLocked(code uint16) bool {
	l := c.ledgerLocked()
	silent := l != nil && l.turn == 0 && !l.heard
	return code == normalClosure || code == noStatus || code == givenUp && silent
}

func closeFrame(code uint16, reason string) []byte {
	return wire.AppendFrame(nil, wire.OpClose, false, wire.AppendClose(nil, code, reason))
}

// Parked reports whether the connection waits for another transport.
func (c *Conn) Parked() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ledgerLocked().parked()
}

// Sealed reports whether nothing more may be sent.
func (c *Conn) Sealed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sealedLocked()
}

// Told is what Speak was told. It is for a connection that is not open yet.
func (c *Conn) Told() uint8 { return c.voice.Told }

// Tell sends the frame of a text of the protocol's, which is not counted, and which is of
// no use to a later transport. It is not copied.
func (c *Conn) Tell(frame []byte) error {
	todo, err := output{c}.offerAside(frame)
	if todo == flush {
		c.Flush()
	}
	return err
}

func (o output) offerAside(frame []byte) (next, error) {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	if o.c.ledgerLocked().parked() {
		return nothing, ErrDropped
	}
	if _, err := o.admitLocked(len(frame), true); err != nil {
		return nothing, err
	}
	o.c.out.need().Aside(frame)
	return o.flushLocked(), nil
}

// queueLimitLocked is how many bytes may wait.
func (o output) queueLimitLocked() int {
	switch l := o.c.ledgerLocked(); {
	case l == nil:
		return o.c.cfg.SendQueue
	case l.parked():
		return o.c.cfg.ParkBytes
	}
	return max(o.c.cfg.SendQueue, 2*o.c.cfg.ParkBytes) // for what has waited, and what is sent again
}

// parkLocked parks a connection that has lost its transport, if that is what it is for.
// end is how it ends if no other comes; bye is still sent if that is possible at once.
func (c *Conn) parkLocked(end End, bye []byte) bool {
	l := c.ledgerLocked()
	if l == nil || c.phase != Open || c.sealedLocked() {
		return false
	}
	if l.wait != nil {
		return true
	}
	now := c.cfg.Loop.Now()
	l.wait = &parking{until: now + int64(c.cfg.Park), end: end}
	l.turn, l.untold, l.tellAt = l.next(), 0, 0
	c.heart.Restart()
	c.cfg.Counters.Parked.Add(1)
	c.owner.Parked(true)
	c.cfg.Loop.Go(parting{c.link, bye, c.out.state != outIdle})
	c.link = nil
	c.cfg.Wheel.Schedule(c, l.wait.until)
	if c.out.state == outIdle {
		c.settleLocked(l)
	}
	return true
}

// parting closes a transport that was lost.
type parting struct {
	link    transport.Conn
	bye     []byte
	writing bool
}

func (p parting) Run(*loop.Worker) {
	if len(p.bye) > 0 && !p.writing {
		p.link.Farewell(p.bye)
	}
	p.link.Close(p.writing)
}

// settleLocked is for when nobody writes any more.
func (c *Conn) settleLocked(l *ledger) {
	c.out.state = outParked
	if box := c.out.box; box != nil {
		box.Withdraw(&l.sent)
		l.sent.Trim(c.cfg.ParkBytes)
		switch {
		case box.Empty():
			c.out.release()
		case box.Bytes > c.cfg.ParkBytes:
			c.expireLocked(l, errOverflow)
		}
	}
	l.wait.settle()
}

// settle tells who waits for the end of a write.
func (p *parking) settle() {
	if p != nil && p.settled != nil {
		close(p.settled)
		p.settled = nil
	}
}

// interruptedLocked ends a write that has failed, or whose transport was lost.
func (o output) interruptedLocked(l *ledger, n int, err error) {
	o.c.cfg.Counters.BytesSent.Add(int64(max(0, n-o.c.out.box.Answer)))
	o.c.out.state, o.c.out.box.InHand = outIdle, 0
	switch {
	case o.c.phase == Closed:
		o.c.discardLocked()
	case l.wait != nil:
		o.c.settleLocked(l)
	default:
		o.c.dropLocked(err)
	}
}

// tickParkedLocked ends a parked connection when it is time to.
func (c *Conn) tickParkedLocked(l *ledger, now int64) (next int64) {
	at := min(l.wait.until, c.expectedLocked())
	if now < at {
		return at
	}
	c.expireLocked(l, nil)
	return never
}

// expireLocked ends a parked connection: with what has parked it, or with err.
func (c *Conn) expireLocked(l *ledger, err error) {
	if end := l.wait.end; err == nil && end.Remote {
		c.phase = Closing
		c.endingLocked().End = end
	} else if err == nil {
		err = end.Err
	}
	if err != nil && !errors.Is(err, io.EOF) {
		c.reportLocked(err)
	}
	c.endLocked(err)
}

// Evict ends the connection if it is parked.
func (c *Conn) Evict() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.ledgerLocked(); l.parked() && c.phase == Open {
		c.expireLocked(l, nil)
	}
}

// unparkLocked is for a connection that ends, or goes on.
func (c *Conn) unparkLocked() {
	l := c.ledgerLocked()
	if !l.parked() {
		return
	}
	l.wait.settle()
	l.wait = nil
	if c.out.state == outParked {
		c.out.state = outIdle
	}
	c.cfg.Counters.Parked.Add(-1)
	c.owner.Parked(false)
}

// Resume has the connection go on with another transport, whose peer has n of our
// messages; one that it still has is closed. like is a connection for which the same was
// agreed on with that peer. hello makes the frame of the first message, which tells how
// many of the peer's messages we have, and what Config.Beat has told by it; it is called
// under the connection's lock. After an error the connection has ended. With ErrClosed
// or ErrForgotten, o.Conn is as it was; with another it is closed.
func (c *Conn) Resume(o Opening, n uint64, like *Conn, hello func(received uint64) (frame []byte, told uint8)) error {
	turn, err := c.vacate(n, like)
	if err == errRaced {
		o.Conn.Close()
	}
	if err != nil {
		return err
	}
	link := transport.New(c.cfg.Loop, o.Conn, &later{peer{c}, turn}, c.cfg.Poll)
	if !c.attach(link, turn, &o, n, hello) {
		link.Close(false)
		return errRaced
	}
	c.watch()
	c.Flush()
	return nil
}

// vacate has no transport be there, and gives the next a number.
func (c *Conn) vacate(n uint64, like *Conn) (turn uint32, err error) {
	for {
		wait, err := c.leaveTransport()
		if err != nil {
			return 0, err
		}
		if wait == nil {
			return c.mayResume(n, like)
		}
		<-wait
	}
}

// leaveTransport parks the connection if it is not, and returns a channel that is closed
// when the write that is under way has ended; nil: there is none.
func (c *Conn) leaveTransport() (wait chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.parkLocked(End{Code: abnormalClosure, Err: errReplaced}, closeFrame(replaced, "replaced")) {
		return nil, ErrClosed
	}
	l := c.ledgerLocked()
	if c.phase != Open || c.out.state == outParked {
		return nil, nil
	}
	if l.wait.settled == nil {
		l.wait.settled = make(chan struct{})
	}
	return l.wait.settled, nil
}

func (c *Conn) mayResume(n uint64, like *Conn) (turn uint32, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.ledgerLocked()
	switch {
	case c.phase != Open:
		return 0, ErrClosed
	case !l.parked():
		return 0, errRaced
	case !l.sent.Has(n) || !c.codec.alike(like.codec):
		c.expireLocked(l, ErrForgotten)
		return 0, ErrForgotten
	}
	return l.next(), nil
}

// attach reports false if the connection has ended meanwhile, or another has come first.
func (c *Conn) attach(link transport.Conn, turn uint32, o *Opening, n uint64, hello func(uint64) ([]byte, uint8)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.ledgerLocked()
	if !l.parked() || c.out.state != outParked || turn != l.turns {
		return false
	}
	c.unparkLocked()
	c.cfg.Counters.Resumed.Add(1)
	c.link, l.turn, l.early, l.heard = link, turn, o.Early, false
	box := c.out.need()
	box.Again(n, &l.sent)
	c.out.backlog = c.out.backlog || box.Bytes > 0
	frame, told := hello(l.received)
	box.Greet(o.Answer, frame)
	c.voice.Told = told
	c.wakeLocked(workRead)
	return true
}
