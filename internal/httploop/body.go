package httploop

import (
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"

	"github.com/nextrush/nextrush/internal/h1"
	"github.com/nextrush/nextrush/internal/poll"
)

const (
	bodyBuffer  = 4 << 10   // bytes that are read ahead of a handler that reads little at a time
	mostDiscard = 256 << 10 // bytes of a body that are read for nobody, so that another request may follow
)

// requestBody is the body of a request, as http.Request.Body; nil: there is none. Its methods
// are safe from any goroutine.
type requestBody struct {
	x       *exchange
	expects bool // the client may wait to be told to send it

	continued atomic.Bool // the client is not to be told any more to send it
	ended     atomic.Bool // it has been read to its end

	mu      sync.Mutex // guards what follows
	dec     h1.Body
	tooMany int64 // bytes that no handler reads unless the body is too long; 0: any number
	given   int64
	sawEOF  bool
	closed  bool
	early   bool  // more is unread than is worth reading
	err     error // after which nothing can be read
	spare   []byte
}

// newBody returns what http.Request.Body is to be.
func (x *exchange) newBody(head *h1.Head) io.ReadCloser {
	if head.Length == 0 {
		return http.NoBody
	}
	x.body = &requestBody{x: x, expects: head.Continue, dec: head.Body()}
	return x.body
}

// waits reports whether the client waits to be told to send the body.
func (b *requestBody) waits() bool { return b.expects && !b.continued.Load() }

// isHere reports whether the whole body has been read from the connection.
func (b *requestBody) isHere() bool {
	if b == nil {
		return true
	}
	n := b.x.req.ContentLength
	return !b.expects && n > 0 && int64(len(b.x.conn.in)) >= n
}

func (b *requestBody) Read(p []byte) (int, error) {
	n, over, err := b.read(p)
	if over { // not under mu: who begins the answer holds the exchange's, and waits for this one
		b.x.tooLarge()
	}
	return n, err
}

// read reports besides whether the body is longer than it may be.
func (b *requestBody) read(p []byte) (n int, over bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, false, http.ErrBodyReadAfterClose
	}
	n, err = b.readLocked(p)
	b.given += int64(n)
	return n, b.tooMany > 0 && b.given >= b.tooMany, err
}

// LimitBody tells how many bytes of the body a handler reads at most. The connection ends
// with the answer if it has read more.
func (x *exchange) LimitBody(n int64) {
	if b := x.body; b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.tooMany = n + 1
	}
}

func (b *requestBody) readLocked(p []byte) (n int, err error) {
	if b.waits() {
		b.sendContinue()
	}
	switch {
	case b.sawEOF:
		return 0, io.EOF
	case b.err != nil || len(p) == 0:
		return 0, b.err
	}
	for n == 0 && err == nil {
		n, err = b.takeLocked(p)
		if n == 0 && err == nil {
			n, err = b.fetchLocked(p)
		}
	}
	switch {
	case err == io.EOF:
		b.atEOFLocked()
	case err == io.ErrUnexpectedEOF && b.dec.Left() >= 0:
		b.sawEOF = true // as in net/http: nothing more comes, so nothing can be taken for a request
	case err != nil:
		b.err = err
	}
	return n, err
}

// takeLocked gives what has come already.
func (b *requestBody) takeLocked(p []byte) (int, error) {
	c := b.x.conn
	for {
		data, n, err := b.dec.Next(c.in[:min(len(c.in), len(p))])
		c.took(n)
		if len(data) > 0 || err != nil {
			return copy(p, data), err
		}
		if n == 0 || len(c.in) == 0 {
			return 0, nil
		}
	}
}

// fetchLocked reads from the connection: into p if it is large and nothing but content can
// come, and otherwise into a buffer.
func (b *requestBody) fetchLocked(p []byte) (int, error) {
	if left := b.dec.Ahead(); left > 0 && len(p) >= bodyBuffer {
		n, err := b.x.read(p[:min(int64(len(p)), left)])
		if err == nil {
			_, _, err = b.dec.Next(p[:n])
		}
		return n, err
	}
	if b.spare == nil {
		b.spare = make([]byte, bodyBuffer)
	}
	if len(b.x.conn.in) > 0 {
		n := copy(b.spare, b.x.conn.in)
		b.x.conn.in = b.spare[:n]
	}
	have := len(b.x.conn.in)
	n, err := b.x.read(b.spare[have:])
	b.x.conn.in = b.spare[:have+n]
	return 0, err
}

// atEOFLocked notes the end of the body, with the trailer.
func (b *requestBody) atEOFLocked() {
	b.sawEOF = true
	b.ended.Store(true)
	x := b.x
	for name, values := range b.dec.Trailer() {
		if x.req.Trailer == nil {
			x.req.Trailer = make(http.Header)
		}
		x.req.Trailer[name] = values
	}
	x.conn.mu.Lock()
	defer x.conn.mu.Unlock()
	if x.conn.x == x {
		x.watchLocked()
	}
}

// Close reads what is left, if that is not too much, so that another request may follow.
func (b *requestBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		b.discardLocked()
	}
	if b.err != nil {
		return b.err
	}
	return nil
}

// discardLocked reads what is left, and notes whether that was too much.
func (b *requestBody) discardLocked() {
	if b.sawEOF || b.err != nil || b.waits() {
		b.early = b.early || !b.sawEOF
		return
	}
	if b.dec.Left() > mostDiscard {
		b.early = true
		return
	}
	n, err := io.CopyN(io.Discard, readerFunc(b.readLocked), mostDiscard+1)
	b.early = b.early || err != io.EOF || n > mostDiscard
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// discard is for the moment before the answer's head is written: many clients read no
// answer before they have sent the whole request. tooBig: more is left than is worth
// reading; broken: no other request may follow.
func (b *requestBody) discard() (tooBig, broken bool) {
	if b == nil {
		return false, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.sawEOF && b.dec.Left() < mostDiscard:
		b.closed = true
		return false, false
	case !b.sawEOF && (b.closed || b.waits() || b.err != nil):
		return false, true
	case b.dec.Left() >= mostDiscard:
		return true, false
	}
	_, err := io.CopyN(io.Discard, readerFunc(b.readLocked), mostDiscard+1)
	b.closed = err == io.EOF
	return err == nil, err != nil && err != io.EOF
}

// end closes the body when the handler has returned, and reports whether the connection has
// to end for it. A goroutine that still reads it is told so.
func (b *requestBody) end(closes bool) (early bool) {
	if b == nil {
		return false
	}
	if !b.mu.TryLock() {
		b.abort()
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	if !b.closed && !closes {
		b.discardLocked()
	}
	b.closed = true
	if !b.sawEOF {
		b.x.conn.dry = false // the client may still be sending it
	}
	return b.early
}

// abort ends the wait of whoever reads.
func (b *requestBody) abort() {
	c := b.x.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	b.x.deaf = true
	c.wakes.reading()
}

// read reads from the connection, and waits until something is there.
func (x *exchange) read(p []byte) (int, error) {
	c := x.conn
	for {
		if err := x.checkRead(); err != nil {
			return 0, err
		}
		n, err := c.desc.Read(p)
		ended, _ := c.state()
		c.dry = err == poll.ErrAgain || err == nil && n < len(p) && !ended
		switch {
		case err == nil:
			return n, nil
		case err != poll.ErrAgain:
			x.gone()
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		x.leave()
		if err := x.awaitRead(); err != nil {
			return 0, err
		}
	}
}

// gone tells the handler that the client has.
func (x *exchange) gone() {
	x.conn.mu.Lock()
	defer x.conn.mu.Unlock()
	x.leftLocked()
}

// checkRead returns why nothing may be read.
func (x *exchange) checkRead() error {
	x.conn.mu.Lock()
	defer x.conn.mu.Unlock()
	return x.checkReadLocked()
}

func (x *exchange) checkReadLocked() error {
	switch {
	case x.conn.phase == closed:
		return net.ErrClosed
	case x.deaf:
		return http.ErrBodyReadAfterClose
	case x.readBy != 0 && x.conn.srv.loop.Now() >= x.readBy:
		x.leftLocked()
		return os.ErrDeadlineExceeded
	}
	return nil
}

// awaitRead waits until there may be something to read.
func (x *exchange) awaitRead() error {
	c := x.conn
	for {
		c.mu.Lock()
		err, ready, at := x.checkReadLocked(), c.ready, x.readBy
		c.ready = ready && err != nil
		ch := c.wakesLocked().read
		c.mu.Unlock()
		if err != nil || ready {
			return err
		}
		c.waitUntil(ch, at)
	}
}

// sendContinue tells the client to send the body, unless the answer has begun.
func (b *requestBody) sendContinue() {
	c := b.x.conn
	c.mu.Lock()
	if b.continued.CompareAndSwap(false, true) && c.out.err == nil {
		c.out.append([]byte(h1.ContinueHead))
	}
	c.mu.Unlock()
	c.release()
}

// noContinue has the client not told to send the body any more.
func (b *requestBody) noContinue() {
	if b != nil && b.expects {
		b.continued.Store(true)
	}
}

// isUnread reports whether there is a body of which more may come.
func (b *requestBody) isUnread() bool { return b != nil && !b.ended.Load() }

// unexpected reports a body that the client was to be told to send, and that has not been
// read to its end.
func (b *requestBody) unexpected() bool {
	return b.isUnread() && b.expects
}
