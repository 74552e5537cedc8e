package httploop

import (
	"bytes"
	"io"
	"net"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/nextrush/nextrush/internal/h1"
	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/internal/poll"
	"github.com/nextrush/nextrush/internal/unread"
)

const (
	readSize = 68 << 10 // bytes of one read
	runTurn  = 64       // requests of one connection before others have a turn
)

var readBuffers = sync.Pool{New: func() any {
	b := make([]byte, readSize)
	return &b
}}

// run is a connection that runs: what only the goroutine of the run calls.
type run struct {
	c     *conn
	w     *loop.Worker
	head  h1.Head   // of the request that is read
	x     *exchange // the request to answer next, if it has been read
	lent  *[]byte   // what is read into; c.in may be a part of it
	fresh bool      // c.in has bytes that have not been parsed
	began int64     // when the handler that runs began, on the loop's clock

	readable bool // there is something to read, and what is answered is held back
}

// Run reads and answers until nothing is there. It is called by the loop.
func (r *run) Run(w *loop.Worker) {
	r.w, r.began, r.fresh = w, w.Now(), true
	r.c.full = false
	w.Begin(r.c)
	over := false
	defer func() {
		if over {
			return
		}
		if v := recover(); v != nil {
			r.c.srv.logf("http: panic serving %v: %v\n%s", r.c.remote, v, debug.Stack())
		}
		r.c.close(net.ErrClosed)
		r.end()
		w.EndTurn() // a handler may have ended the goroutine (runtime.Goexit)
	}()
	if !r.readable {
		r.c.hold()
	}
	r.answerAll()
	over = true
	r.end()
}

// end writes what was held back, or has it written at the end of the round.
func (r *run) end() {
	r.giveBack()
	if n := r.c.holding(); n == 0 || n > mostKept || !r.w.Keep(r.c, r.began) {
		r.c.release()
	}
	r.w.End(r.began)
}

func (c *conn) holding() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.out.held || c.out.waits {
		return 0
	}
	return c.out.pending()
}

// Flush is called by the loop at the end of the round.
func (c *conn) Flush() { c.release() }

// answerAll answers what has come, and what comes meanwhile.
func (r *run) answerAll() {
	for n := 0; ; n++ {
		if r.x == nil {
			r.x = r.next()
		}
		if r.x == nil {
			return
		}
		polls := r.w.Polls()
		if polls && (n == runTurn || !r.x.mayRunInline()) {
			r.giveBack()
			r.c.srv.loop.Go(&run{c: r.c, x: r.x})
			return
		}
		if !polls {
			r.giveBack()
		}
		if !r.answer() {
			return
		}
	}
}

// answer answers a request, and reports whether the connection goes on.
func (r *run) answer() bool {
	x := r.x
	r.x = nil
	goes := x.serve(r.w)
	now := r.c.srv.loop.Now()
	took := time.Duration(now - r.began)
	r.began, r.fresh = now, true
	if r.w.Polls() {
		x.pace.RanInline(took)
	} else {
		x.pace.RanInWorker(took)
	}
	return goes
}

// next returns the next request, or nil if the run is over: there is none, or there are
// to be no more.
func (r *run) next() *exchange {
	for {
		if r.fresh && len(r.c.in) > 0 {
			if r.c.full && r.pauses() {
				return nil
			}
			r.fresh = false
			if x, over := r.parse(); x != nil || over {
				return x
			}
		}
		if !r.readable && !r.mayRead() {
			return nil
		}
		r.readable = false
		if !r.read() {
			return nil
		}
	}
}

// pauses ends the run if the client has something to take first, for who takes nothing
// is not to have more answers made.
func (r *run) pauses() bool {
	c := r.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.full = c.out.waits; c.full {
		r.pauseLocked()
	}
	return c.full
}

// pauseLocked has the run go on when what waits has left.
func (r *run) pauseLocked() {
	r.giveBack()
	r.c.busy, r.c.ready = false, true
}

// mayRead reports whether there may be more to read; otherwise the run is over.
func (r *run) mayRead() bool {
	c := r.c
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.phase == closed:
		r.giveBack()
	case c.out.waits && c.phase != lingering:
		r.pauseLocked()
	case c.ready || !c.dry:
		c.ready = false
		return true
	default:
		r.giveBack()
		c.restLocked()
	}
	return false
}

// restLocked ends a run that has found nothing more to read.
func (c *conn) restLocked() {
	c.busy = false
	switch {
	case c.phase == lingering:
	case (c.phase == answering || c.phase == idle && c.served) && c.srv.closing.Load():
		c.endLocked(len(c.in) > 0)
	case len(c.in) > 0:
		if c.phase != inHead {
			if c.phase = inHead; c.served { // the time of the first has begun with the connection
				c.due = c.srv.after(c.srv.headTime)
			}
			c.lookLocked()
		}
	case c.served && c.srv.closing.Load():
		c.endLocked(false)
	case c.phase == answering:
		c.phase = idle
		c.due = c.srv.after(c.srv.idleTime)
		c.lookLocked()
	}
}

// giveBack lets go of the buffer that is read into.
func (r *run) giveBack() {
	if r.lent == nil {
		return
	}
	r.c.in = slices.Clone(r.c.in)
	if len(r.c.in) == 0 {
		r.c.in = nil
	}
	readBuffers.Put(r.lent)
	r.lent = nil
}

// read reads once, and reports whether the run goes on.
func (r *run) read() bool {
	c := r.c
	r.giveBack()
	r.lent = readBuffers.Get().(*[]byte)
	n, err := c.desc.Read(*r.lent)
	ended, lingers := c.state()
	c.dry = err == poll.ErrAgain || err == nil && n < readSize && !ended
	switch {
	case n > 0 && lingers:
	case n > 0 && len(c.in) == 0:
		c.in, r.fresh = (*r.lent)[:n], true
		return true
	case n > 0:
		more := (*r.lent)[:n]
		r.fresh = len(c.in) < 4 || bytes.IndexByte(more, '\n') >= 0 // a head ends with its last line
		c.in = append(c.in, more...)
		r.fresh = r.fresh || len(c.in) > c.srv.maxHead
	case err != nil && err != poll.ErrAgain:
		r.lost(err)
	}
	readBuffers.Put(r.lent)
	r.lent = nil
	return n > 0 || err == poll.ErrAgain
}

func (c *conn) state() (ended, lingers bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended, c.phase == lingering
}

// cut is net/http's answer to a request that has ended in its head.
const cut = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"

// lost ends a connection that the client has ended. To a request that ends in its head
// net/http answers that it is bad, once it has looked at it.
func (r *run) lost(err error) {
	c := r.c
	if err != io.EOF {
		c.close(err)
		return
	}
	begun := len(c.in) >= 4 || len(c.in) > 0 && !c.served
	c.dry = true
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.phase == lingering:
		c.closeLocked(net.ErrClosed)
		return
	case begun && c.out.err == nil:
		c.out.append([]byte(cut))
	}
	c.in, c.ready = nil, false
	c.endLocked(false)
}

// parse returns the request that c.in begins with, if it is whole. over: there are to be
// no more.
func (r *run) parse() (x *exchange, over bool) {
	c := r.c
	if c.served && len(c.in) < 4 {
		return nil, false // as net/http, which looks at nothing less
	}
	if c.posted {
		n, ok := h1.SkipLines(c.in)
		if !ok {
			return nil, false
		}
		c.took(n)
		c.posted = false
	}
	n, whole, err := r.head.Parse(c.in, c.at, c.srv.maxHead)
	switch {
	case err == h1.ErrElsewhere:
		r.eject()
		return nil, true
	case err != nil:
		c.endWith(err.(*h1.Refusal).Append(nil, r.head.Asked(), c.srv.dateNow()))
		return nil, false
	case !whole:
		c.at = n
		return nil, false
	}
	c.took(n)
	c.at = 0
	x = new(exchange)
	if !x.begin(c, &r.head) {
		return nil, true
	}
	return x, false
}

// endWith sends the answer to a malformed request, and ends the connection.
func (c *conn) endWith(answer []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in, c.at, c.dry = nil, 0, false // the client may still be sending the rest
	if c.out.err == nil {
		c.out.append(answer)
	}
	c.endLocked(true)
}

// eject has net/http answer the request, with every byte of it, once all answers before
// have left.
func (r *run) eject() {
	c := r.c
	c.mu.Lock()
	c.flushLocked()
	if c.out.waits {
		r.pauseLocked()
		c.mu.Unlock()
		return
	}
	early := slices.Clone(c.in)
	nc, err := c.detachLocked()
	c.mu.Unlock()
	if err == nil {
		c.srv.config.Eject(unread.New(nc, early))
	}
}

// Relieved is called by the loop when the batch is slow.
func (c *conn) Relieved(polled bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.held = false
	c.flushLocked()
	if polled && c.x != nil {
		c.x.pace.Relieved()
	}
}

// hold has what is answered wait for the end of the batch.
func (c *conn) hold() {
	c.mu.Lock()
	c.out.held = true
	c.mu.Unlock()
}

// release ends that, and writes it.
func (c *conn) release() {
	c.mu.Lock()
	c.out.held = false
	c.flushLocked()
	c.mu.Unlock()
}
