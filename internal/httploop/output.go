package httploop

import (
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/internal/poll"
	"github.com/nextrush/nextrush/internal/stall"
)

const (
	mostWaiting = 64 << 10 // bytes of answers that wait for a client while nobody waits with them
	mostHeld    = 32 << 10 // bytes that are held back until the batch ends
	mostKept    = 4 << 10  // bytes that are held back until the round ends
	mostAtOnce  = 64 << 10 // bytes of one write, for which others of the connection wait
	mostOfFile  = 4 << 20  // bytes of a file that are sent at once
	keptBuffer  = 16 << 10 // bytes of the buffers that are kept for reuse
)

// output is what a connection has to write. It is guarded by the connection's mu.
type output struct {
	*pile               // nil: nothing
	held  bool          // until the batch ends
	waits bool          // for the client
	since int64         // when that began, on the loop's clock
	left  time.Duration // how long it may
	by    int64         // the handler's deadline instead, on the loop's clock; 0: none
	rooms uint32        // how often there has been room again, by the poller
	err   error         // nothing can be written any more

	broken atomic.Bool // whether there is an err; not guarded
}

// pile is bytes to be written, and what writing them takes.
type pile struct {
	b      []byte
	sent   int
	pieces [2][]byte
	vector poll.Vector
}

var piles = sync.Pool{New: func() any { return &pile{b: make([]byte, 0, 4<<10)} }}

func (o *output) pending() int {
	if o.pile == nil {
		return 0
	}
	return len(o.b) - o.sent
}

// room returns what to append to; the result has to be put back with set. What has left
// makes room, as soon as that is at least as much as what has to be moved.
func (o *output) room() []byte {
	if o.pile == nil {
		o.pile = piles.Get().(*pile)
	}
	if o.sent > 0 && o.sent >= o.pending() {
		o.b, o.sent = o.b[:copy(o.b, o.b[o.sent:])], 0
	}
	return o.b
}

func (o *output) set(b []byte) { o.b = b }

func (o *output) append(b []byte) { o.set(append(o.room(), b...)) }

// took notes that n bytes have left.
func (o *output) took(n int) {
	if o.sent += n; o.sent < len(o.b) {
		return
	}
	o.release()
}

func (o *output) release() {
	p := o.pile
	o.pile = nil
	if p == nil || cap(p.b) > keptBuffer {
		return
	}
	p.b, p.sent, p.pieces = p.b[:0], 0, [2][]byte{}
	piles.Put(p)
}

// drop forgets what cannot be written any more.
func (o *output) drop(err error) {
	if o.err == nil {
		o.err = err
		o.broken.Store(true)
	}
	o.waits = false
	o.release()
}

// stalls is when the client will have kept the output waiting for too long; 0: never.
func (o *output) stalls(limit time.Duration) int64 {
	switch {
	case !o.waits:
		return 0
	case o.by != 0:
		return o.by
	case limit < 0:
		return 0
	}
	return o.since + int64(max(0, o.left))
}

// flushLocked writes what the client takes.
func (c *conn) flushLocked() { c.pushLocked(nil) }

// pushLocked writes what waits, and then more, as far as the client takes it. It returns
// how much of more has left.
func (c *conn) pushLocked(more []byte) (n int) {
	o := &c.out
	switch {
	case o.err != nil:
		return 0
	case o.pending() == 0 && len(more) == 0:
		return 0
	}
	o.room()
	pieces := append(o.pieces[:0], o.b[o.sent:])
	if len(more) > 0 {
		pieces = append(pieces, more)
	}
	before := o.pending()
	sent, err := c.desc.Write(&o.vector, pieces, 0)
	o.pieces = [2][]byte{}
	c.earnLocked(sent)
	n = max(0, sent-before)
	o.took(min(sent, before))
	switch {
	case err == poll.ErrAgain:
		c.waitLocked()
	case err != nil:
		c.brokenLocked(err)
	default:
		c.takenLocked()
	}
	return n
}

// writableLocked is for the moment when the client can take more. What its handler could
// not write and has kept, as a piece of a file, it tries again.
func (c *conn) writableLocked() {
	c.out.rooms++
	if !c.out.waits {
		return
	}
	if c.out.pending() == 0 {
		c.earnLocked(0)
		c.takenLocked()
	} else {
		c.flushLocked()
	}
}

// takenLocked notes that nothing is left that the client would have to take.
func (c *conn) takenLocked() {
	if !c.out.waits {
		return
	}
	c.out.waits = false
	c.wakes.writing()
	if c.phase == lingering {
		c.lingerLocked()
	}
}

// earnLocked takes into account that the client has taken n bytes.
func (c *conn) earnLocked(n int) {
	o := &c.out
	limit := c.srv.config.Stall
	if limit < 0 || n == 0 && !o.waits {
		return
	}
	var waited time.Duration
	if o.waits {
		now := c.srv.loop.Now()
		waited, o.since = time.Duration(now-o.since), now
	}
	o.left = stall.Earned(limit, o.left, waited, int64(n))
}

// waitLocked notes that the client has to take something first.
func (c *conn) waitLocked() {
	if !c.out.waits {
		c.out.waits, c.out.since = true, c.srv.loop.Now()
	}
	c.lookLocked()
}

// brokenLocked is for a write that has failed: the request under way learns it, and the
// connection ends when its handler has returned.
func (c *conn) brokenLocked(err error) {
	c.out.drop(err)
	c.wakes.all()
	if c.x == nil {
		c.closeLocked(err)
		return
	}
	c.x.leftLocked()
}

// lateLocked returns why nothing can be written, also if that is the handler's deadline.
func (c *conn) lateLocked() error {
	if c.out.err == nil && c.out.by != 0 && c.srv.loop.Now() >= c.out.by {
		c.brokenLocked(os.ErrDeadlineExceeded)
	}
	return c.out.err
}

// sendSome writes some of p, and returns a channel if the client has to take something
// before there is room for more.
func (x *exchange) sendSome(p []byte) (full <-chan struct{}, n int, err error) {
	c := x.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	o := &c.out
	switch {
	case c.lateLocked() != nil:
		return nil, 0, o.err
	case o.held && o.pending()+len(p) <= mostHeld:
		o.append(p)
		return nil, len(p), nil
	}
	if !o.waits {
		n = c.pushLocked(p[:min(len(p), mostAtOnce)])
		if o.err != nil {
			return nil, n, o.err
		}
	}
	if !o.waits {
		return nil, n, nil
	}
	if room := mostWaiting - o.pending(); room > 0 && len(p)-n <= room {
		o.append(p[n:])
		return nil, len(p), nil
	}
	return c.wakesLocked().write, n, nil
}

// awaitWrite waits until the client has taken what waits.
func (c *conn) awaitWrite(ch <-chan struct{}) error {
	for {
		c.mu.Lock()
		err, waits := c.out.err, c.out.waits
		at := c.out.stalls(c.srv.config.Stall)
		c.mu.Unlock()
		if err != nil || !waits {
			return err
		}
		if !c.waitUntil(ch, at) {
			c.mu.Lock()
			if over := c.out.stalls(c.srv.config.Stall); c.out.waits && over != 0 && over <= c.srv.loop.Now() {
				c.brokenLocked(os.ErrDeadlineExceeded)
			}
			c.mu.Unlock()
		}
	}
}

// waitUntil waits for ch, and reports false if the time at, on the loop's clock, comes
// first; 0: it does not come.
func (c *conn) waitUntil(ch <-chan struct{}, at int64) bool {
	if at == 0 {
		<-ch
		return true
	}
	timer := time.NewTimer(time.Duration(at - c.srv.loop.Now()))
	defer timer.Stop()
	select {
	case <-ch:
		return true
	case <-timer.C:
		return false
	}
}

// wakes wake a handler that waits for the client.
type wakes struct{ read, write chan struct{} }

func (c *conn) wakesLocked() *wakes {
	if c.wakes == nil {
		c.wakes = &wakes{make(chan struct{}, 1), make(chan struct{}, 1)}
	}
	return c.wakes
}

func (w *wakes) reading() {
	if w != nil {
		wake(w.read)
	}
}

func (w *wakes) writing() {
	if w != nil {
		wake(w.write)
	}
}

func (w *wakes) all() {
	w.reading()
	w.writing()
}

func wake(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
