package httploop

import (
	"bytes"
	"context"
	"net"
	"os"
	"sync"
	"time"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/internal/poll"
)

// linger is how long a connection that the server has ended waits for the client to end
// it too. To close it at once would have the system break it off if anything had come that
// was not read, and the client might lose the answer (RFC 9112 §9.6).
const linger = 500 * time.Millisecond

// phase is what a connection does.
type phase uint8

const (
	idle      phase = iota // it waits for a request
	inHead                 // it waits for the rest of one
	answering              // a request is answered
	lingering              // the server has ended it
	closed                 // it has gone, or is somebody else's
)

// conn is a connection.
type conn struct {
	srv    *Server
	from   *listener
	desc   poll.Conn
	remote string // its address, as Request.RemoteAddr has it

	before, after *conn             // in Server.conns; guarded by its mu
	timer         loop.Timer[*conn] // the wheel's

	mu     sync.Mutex // guards what follows
	phase  phase
	busy   bool  // a run is under way
	ready  bool  // there may be more to read
	ended  bool  // the peer sends no more: there are no more events
	served bool  // it has had a request
	posted bool  // the last request was a POST
	dry    bool  // the last read took all that was there, and no more is sure to come; the run's
	full   bool  // the client has something to take before the next answer; the run's
	due    int64 // when the phase's time is over, on the loop's clock; 0: never
	looks  int64 // when the wheel looks at it; 0: never
	until  int64 // when it ends in any case; 0: never

	in []byte // has been read, and not taken yet; the run's while one is under way
	at int    // where Parse goes on in it; the run's

	x     *exchange // the request that is answered
	out   output
	wakes *wakes // those who wait for the client; nil: nobody ever has
}

// accepted takes a connection over that has come to a listener of our own.
func (s *Server) accepted(l *listener, fd int, remote net.Addr) error {
	c := &conn{srv: s, from: l, remote: remote.String(), due: s.after(s.headTime)}
	c.out.left = s.config.Stall
	return s.begin(c, func() error { return s.loop.Poller().Add(fd, &c.desc, c) })
}

// take takes a connection over from package net. That needs a descriptor for a moment: if
// there is none, net/http answers.
func (s *Server) take(l *listener, nc net.Conn) {
	c := &conn{srv: s, from: l, remote: nc.RemoteAddr().String(), due: s.after(s.headTime)}
	c.out.left = s.config.Stall
	if s.begin(c, func() error { return s.loop.Poller().Take(nc, &c.desc, c) }) != nil {
		s.config.Eject(nc)
	}
}

// begin has a connection polled. It may be answered before begin returns.
func (s *Server) begin(c *conn, register func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	added := s.addLocked(c)
	if err := register(); err != nil {
		if added {
			c.phase = closed
			s.remove(c)
		}
		return err
	}
	if !added {
		c.phase = closed
		c.desc.Close()
		return nil
	}
	c.lookLocked()
	return nil
}

// after is when a time is over that begins now; 0: never.
func (s *Server) after(d int64) int64 {
	if d == 0 {
		return 0
	}
	return s.loop.Now() + d
}

// Ready is called by the goroutine that polls.
func (c *conn) Ready(t *poll.Turn, e poll.Event) {
	if c.note(e) {
		r := run{c: c, readable: true}
		r.Run(t.Local.(*loop.Worker))
	}
}

// note notes what has happened, and reports whether the caller is to run, and to read
// first. What is answered then waits for the end of the batch.
func (c *conn) note(e poll.Event) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == closed {
		return false
	}
	if e&poll.Closed != 0 {
		c.ended = true
	}
	if e&(poll.Readable|poll.Closed) != 0 {
		c.ready = true
	}
	if e&poll.Writable != 0 {
		c.writableLocked()
	}
	if c.busy {
		c.tellLocked()
		return false
	}
	if !c.ready || c.out.waits || c.phase == closed {
		return false
	}
	c.busy, c.ready, c.out.held = true, false, true
	return true
}

// tellLocked tells the handler what has happened.
func (c *conn) tellLocked() {
	c.wakes.reading()
	if c.ended && c.x != nil && c.x.watched && c.desc.Ended() {
		c.x.leftLocked()
	}
}

// lookLocked has the wheel look at the connection in time.
func (c *conn) lookLocked() {
	if at := c.nextLocked(); at != 0 && (c.looks == 0 || at < c.looks) {
		c.looks = at
		c.srv.wheel.Schedule(c, at)
	}
}

// nextLocked is when something is due next; 0: nothing is.
func (c *conn) nextLocked() int64 {
	at := c.due
	if at == 0 || c.until != 0 && c.until < at {
		at = c.until
	}
	if stalls := c.out.stalls(c.srv.config.Stall); stalls != 0 && (at == 0 || stalls < at) {
		at = stalls
	}
	return at
}

// Timer is the connection's place in the wheel.
func (c *conn) Timer() *loop.Timer[*conn] { return &c.timer }

// Tick ends the connection if its time is over.
func (c *conn) Tick(now int64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.nextLocked()
	c.looks = 0
	switch {
	case c.phase == closed || at == 0:
	case at > now:
		c.looks = at
	case c.x != nil:
		c.brokenLocked(os.ErrDeadlineExceeded)
	default:
		c.timeOutLocked()
	}
	return c.looks
}

// timeOutLocked ends a connection whose time is over. To a request that has ended in its
// first line net/http answers that it is bad, as it finds no end of the line.
func (c *conn) timeOutLocked() {
	if c.phase == inHead && !c.busy && c.out.err == nil && len(c.in) > 0 && bytes.IndexByte(c.in, '\n') < 0 {
		c.out.append([]byte(cut))
		c.flushLocked()
	}
	c.closeLocked(os.ErrDeadlineExceeded)
}

// close ends the connection at once.
func (c *conn) close(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closeLocked(err)
}

func (c *conn) closeLocked(err error) {
	if c.phase == closed {
		return
	}
	c.leaveLocked()
	c.desc.Close()
	c.out.drop(err)
	if c.x != nil {
		c.x.leftLocked()
	}
}

// took drops n bytes of what has been read. Of the last ones it lets go.
func (c *conn) took(n int) {
	if c.in = c.in[n:]; len(c.in) == 0 {
		c.in = nil
	}
}

// leaveLocked lets go of the connection.
func (c *conn) leaveLocked() {
	c.phase = closed
	c.srv.wheel.Remove(c)
	c.srv.remove(c)
	c.wakes.all()
}

// endLocked ends the connection when what was answered has left, so that the client gets
// it whole. sends: the client may still send a request that has been answered. It is for
// the run alone.
func (c *conn) endLocked(sends bool) {
	if c.phase == closed || c.phase == lingering {
		return
	}
	c.flushLocked()
	if c.phase == closed {
		return
	}
	if !sends && !c.out.waits && c.dry && !c.ready && len(c.in) == 0 {
		c.closeLocked(net.ErrClosed)
		return
	}
	c.phase, c.due, c.in, c.at = lingering, 0, nil, 0 // there is no request any more
	if !c.out.waits {
		c.lingerLocked()
	}
}

// lingerLocked tells the client that nothing more comes.
func (c *conn) lingerLocked() {
	c.desc.CloseWrite()
	c.due = c.srv.loop.Now() + int64(linger)
	c.lookLocked()
}

// finish ends the connection as soon as nothing is answered any more; first is how long
// it may take if it has sent no request.
func (c *conn) finish(now int64, first time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.phase == idle && c.served && !c.busy:
		c.busy, c.ready = true, true // a request may just have come
		c.srv.loop.Go(&run{c: c})
	case c.phase <= inHead:
		c.until = now + int64(first)
		c.lookLocked()
	}
}

// cancel ends the context of the request under way.
func (c *conn) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.x != nil {
		c.x.ctx.end(context.Canceled)
	}
}
