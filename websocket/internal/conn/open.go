package conn

import (
	"net"

	"github.com/nextrush/nextrush/internal/pace"
	"github.com/nextrush/nextrush/internal/transport"
)

// Opening is what a connection opens with.
type Opening struct {
	Conn   net.Conn
	Early  []byte     // bytes that the peer has sent already
	Answer []byte     // the 101, to be written before everything else
	Hello  []byte     // the frame of a message, to be written with the answer; nil: none
	Pace   *pace.Pace // of the handler; nil: it never runs where we poll
	// Enter makes the connection known, and reports false if it cannot be opened any
	// more. It is called under the connection's lock, so that whoever finds the
	// connection may end it.
	Enter func() bool
}

// Open opens a connecting connection, or closes o.Conn and reports false. Reading
// begins with Begin. HandlerDone must follow once.
func (c *Conn) Open(o Opening) bool {
	link := transport.New(c.cfg.Loop, o.Conn, peer{c: c}, c.cfg.Poll)
	if !c.open(link, o) {
		link.Close(false)
		return false
	}
	c.watch()
	return true
}

func (c *Conn) open(link transport.Conn, o Opening) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != Connecting {
		return false
	}
	c.cfg.Loop.Add()
	if !o.Enter() {
		c.cfg.Loop.Remove()
		return false
	}
	c.link, c.pace = link, o.Pace
	if c.pace != nil {
		c.pace.Route.Opened()
	}
	c.phase = Open
	c.runs.handling = true
	if len(o.Early) > 0 {
		c.rareLocked().early = o.Early
		c.ahead = true
		c.runs.pending |= workRead
	}
	if len(o.Answer) > 0 {
		c.out.need().Greet(o.Answer, o.Hello)
	}
	if e := c.ending; e.sealed { // Close was called before
		c.closeLocked(e.Code, e.Reason, false)
	}
	return true
}

// HandlerDone tells that the handler has returned. Reading begins now at the latest.
func (c *Conn) HandlerDone() {
	c.handlerDone()
	c.Flush()
	c.Begin()
}

func (c *Conn) handlerDone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runs.handling = false
	c.inbox.handled(c.owner.Consumes())
	c.resumeLocked()
	c.wakeLocked(0)
}

// Abandon ends a connection that was never opened, and reports whether it did. The
// owner is not told.
func (c *Conn) Abandon() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != Connecting {
		return false
	}
	e := c.endingLocked()
	e.told, e.gone = true, true
	e.Code = abnormalClosure
	c.phase = Closed
	c.out.release()
	c.inbox.end()
	return true
}
