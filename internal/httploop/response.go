package httploop

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/nextrush/nextrush/internal/h1"
)

// answerBuffer is how many bytes of an answer are held back, as in net/http: those that
// end sooner get a Content-Length, others are sent in chunks, which have this size if
// they are written in small pieces.
const answerBuffer = 2048

var errOver = errors.New("http: the handler has returned")

var (
	answerBuffers = sync.Pool{New: func() any { return new([answerBuffer]byte) }}
	snapshots     = sync.Pool{New: func() any { return new(h1.Snapshot) }}
)

// response is the answer of an exchange. It is guarded by the exchange's mu.
type response struct {
	asked    h1.Asked
	header   http.Header  // the handler's; nil: it has not asked for it
	ctype    string       // a Content-Type that BeginWith has set, and that is not in header
	snapshot *h1.Snapshot // of it at WriteHeader, until the head is sent; nil: it was empty
	status   int          // 0: none yet
	length   int64        // the Content-Length that the handler has set; -1: none
	written  int64        // bytes of content

	sent     bool // the head is, and what follows is known
	hasBody  bool
	chunked  bool
	ends     bool     // the connection ends with the answer
	trailers []string // the names that the head has announced

	buffer *[answerBuffer]byte
	n      int // bytes in it

	duplex    bool // the body may be read after the answer has begun
	overLimit bool // the body is longer than the handler allows
	hijacked  bool
	over      bool // the handler has returned

	complaints []string // to be logged
}

// Header returns the header of the answer, for the handler to change.
func (x *exchange) Header() http.Header {
	x.mu.Lock()
	defer x.unlock()
	return x.ownHeader()
}

func (x *exchange) ownHeader() http.Header {
	if x.header == nil {
		x.header = make(http.Header)
		if x.ctype != "" {
			x.header["Content-Type"] = []string{x.ctype}
		}
	}
	return x.header
}

// BeginWith is WriteHeader for a header that has nothing but a Content-Type, which no map
// is made for. It does nothing, and returns false, if the handler may have set a field.
func (x *exchange) BeginWith(code int, contentType string) bool {
	x.mu.Lock()
	defer x.unlock()
	if x.header != nil || x.status != 0 || x.hijacked || x.over || x.overLimit || code < 200 || code > 999 {
		return false
	}
	x.body.noContinue()
	x.status, x.ctype = code, contentType
	if contentType != "" {
		x.snapshot = snapshots.Get().(*h1.Snapshot)
		x.snapshot.TakeType(contentType)
	}
	return true
}

// WriteHeader sets the status. One of 100 to 199 but for 101 is sent at once, before the
// answer.
func (x *exchange) WriteHeader(code int) {
	x.mu.Lock()
	defer x.unlock()
	switch {
	case x.hijacked:
		x.complainOf("response.WriteHeader on hijacked connection")
	case x.status != 0 || x.over:
		x.complainOf("superfluous response.WriteHeader call")
	default:
		x.writeHeader(code)
	}
}

// complainOf logs a call that does nothing.
func (x *exchange) complainOf(what string) {
	caller := caller()
	x.complain("%s from %s (%s:%d)", what, caller.Function, path.Base(caller.File), caller.Line)
}

// complain has something logged by unlock, for a log may be the program's.
func (x *exchange) complain(format string, args ...any) {
	x.complaints = append(x.complaints, fmt.Sprintf(format, args...))
}

func (x *exchange) unlock() {
	list := x.complaints
	x.complaints = nil
	x.mu.Unlock()
	for _, what := range list {
		x.conn.srv.logf("http: %s", what)
	}
}

// caller is the function that called this package.
func caller() (frame runtime.Frame) {
	pc := make([]uintptr, 16)
	frames := runtime.CallersFrames(pc[:runtime.Callers(1, pc)])
	for more := true; more; {
		frame, more = frames.Next()
		if !strings.Contains(frame.Function, "/internal/httploop.") && !strings.HasPrefix(frame.Function, "net/http.") {
			break
		}
	}
	return frame
}

func (x *exchange) writeHeader(code int) {
	if code < 100 || code > 999 {
		panic(fmt.Sprintf("invalid WriteHeader code %v", code))
	}
	if code < 101 || code > 199 {
		x.body.noContinue()
	}
	if code < 200 && code != http.StatusSwitchingProtocols {
		x.append(h1.AppendInformational(nil, x.asked, code, x.header))
		x.conn.release()
		x.settle()
		return
	}
	x.status = code
	if x.overLimit {
		x.ownHeader()["Connection"] = []string{"close"}
	}
	if len(x.header) > 0 {
		x.snapshot = snapshots.Get().(*h1.Snapshot)
		x.snapshot.Take(x.header)
	}
	n, ok := h1.DeclaredLength(x.header)
	if x.length = n; !ok {
		x.complain("invalid Content-Length of %q", x.header.Get("Content-Length"))
		x.length = -1
		delete(x.header, "Content-Length")
	}
}

// mayWrite returns why n bytes of content may not be written, and otherwise counts them.
func (x *exchange) mayWrite(n int) error {
	switch {
	case x.hijacked:
		if n > 0 {
			x.complainOf("response.Write on hijacked connection")
		}
		return http.ErrHijacked
	case x.over:
		return errOver
	}
	x.body.noContinue()
	if x.status == 0 {
		x.writeHeader(http.StatusOK)
	}
	if n == 0 {
		return nil
	}
	if !allowsBody(x.status) {
		return http.ErrBodyNotAllowed
	}
	if err := x.conn.writeError(); err != nil {
		return err
	}
	x.written += int64(n)
	if x.length >= 0 && x.written > x.length {
		return http.ErrContentLength
	}
	return nil
}

func allowsBody(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// Write writes content.
func (x *exchange) Write(p []byte) (n int, err error) {
	x.mu.Lock()
	defer x.unlock()
	if err := x.mayWrite(len(p)); err != nil || len(p) == 0 {
		return 0, err
	}
	for len(p) > answerBuffer-x.n && err == nil {
		k := len(p)
		if x.n == 0 {
			err = x.sendContent(p)
		} else {
			k = copy(x.buffer[x.n:], p)
			x.n += k
			err = x.flushBuffer()
		}
		n, p = n+k, p[k:]
	}
	if err != nil {
		return n, err
	}
	return n + fill(x, p), nil
}

// WriteString writes content, and saves a copy.
func (x *exchange) WriteString(s string) (n int, err error) {
	x.mu.Lock()
	defer x.unlock()
	if err := x.mayWrite(len(s)); err != nil || len(s) == 0 {
		return 0, err
	}
	for len(s) > answerBuffer-x.n && err == nil {
		k := len(s)
		if x.n == 0 && len(s) > mostCopied {
			err = x.sendContent(unsafe.Slice(unsafe.StringData(s), len(s))) // which is read alone
		} else {
			k = fill(x, s)
			err = x.flushBuffer()
		}
		n, s = n+k, s[k:]
	}
	if err != nil {
		return n, err
	}
	return n + fill(x, s), nil
}

// fill puts into the buffer what it has room for.
func fill[T []byte | string](x *exchange, p T) int {
	if len(p) == 0 {
		return 0
	}
	if x.buffer == nil {
		x.buffer = answerBuffers.Get().(*[answerBuffer]byte)
	}
	k := copy(x.buffer[x.n:], p)
	x.n += k
	return k
}

func (x *exchange) flushBuffer() error {
	n := x.n
	x.n = 0
	if n == 0 {
		return nil
	}
	return x.sendContent(x.buffer[:n])
}

// releaseBuffers lets go of what is used again for other answers.
func (x *exchange) releaseBuffers() {
	if x.buffer != nil {
		answerBuffers.Put(x.buffer)
		x.buffer, x.n = nil, 0
	}
	x.releaseSnapshot()
}

func (x *exchange) releaseSnapshot() {
	if x.snapshot != nil && x.snapshot.Size() <= keptBuffer {
		snapshots.Put(x.snapshot)
	}
	x.snapshot = nil
}

// Flush is FlushError for those who look for an http.Flusher.
func (x *exchange) Flush() { x.FlushError() }

// FlushError sends what is held back.
func (x *exchange) FlushError() error {
	x.mu.Lock()
	defer x.unlock()
	switch {
	case x.hijacked:
		return http.ErrHijacked
	case x.over:
		return errOver
	case x.status == 0:
		x.writeHeader(http.StatusOK)
	}
	return x.flushLocked()
}

func (x *exchange) flushLocked() error {
	err := x.flushBuffer()
	if err == nil && !x.sent {
		err = x.sendHead(nil, false)
	}
	x.conn.release()
	if err == nil && x.conn.hasDeadline() {
		return x.settleAll() // it is for what leaves, not for what waits
	}
	if err == nil {
		err = x.conn.writeError()
	}
	return err
}

// hasDeadline reports whether the handler has said when writing fails.
func (c *conn) hasDeadline() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.by != 0
}

// tooLarge has the connection end with the answer, for the body is longer than it may be.
// It leaves the header alone, which the handler may be changing while another goroutine of
// it reads the body.
func (x *exchange) tooLarge() {
	x.mu.Lock()
	defer x.unlock()
	x.overLimit = true
}

// EnableFullDuplex has the body left alone when the answer begins.
func (x *exchange) EnableFullDuplex() error {
	x.mu.Lock()
	defer x.unlock()
	x.duplex = true
	return nil
}

// SetReadDeadline sets when reading the body fails.
func (x *exchange) SetReadDeadline(t time.Time) error {
	c := x.conn
	at := c.srv.at(t)
	c.mu.Lock()
	defer c.mu.Unlock()
	x.readBy = at
	c.wakes.reading()
	return nil
}

// SetWriteDeadline sets when writing fails, instead of after Config.Stall.
func (x *exchange) SetWriteDeadline(t time.Time) error {
	c := x.conn
	at := c.srv.at(t)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.x == x {
		c.out.by = at
		c.wakes.writing()
		c.lookLocked()
	}
	return nil
}

// at is a deadline on the loop's clock; 0: none.
func (s *Server) at(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return max(1, s.loop.Now()+int64(time.Until(t)))
}

// CloseNotify returns a channel that gets a value when the client has gone.
//
// Deprecated: handlers use Request.Context.
func (x *exchange) CloseNotify() <-chan bool {
	x.conn.mu.Lock()
	defer x.conn.mu.Unlock()
	if x.notify == nil {
		x.notify = make(chan bool, 1)
		if x.left {
			x.notify <- true
		}
	}
	return x.notify
}
