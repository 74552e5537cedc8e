package httploop

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"sync"
	"syscall"

	"github.com/nextrush/nextrush/internal/h1"
	"github.com/nextrush/nextrush/internal/poll"
)

// mostCopied is how many bytes of content are copied behind the head; of more, the system
// takes them where they are.
const mostCopied = 16 << 10

// sendHead sends the head. content is what follows it, and all of it if done: it is then
// sent as well, unless it has to be in chunks.
func (x *exchange) sendHead(content []byte, done bool) error {
	a := h1.Answer{
		Asked: x.asked, Status: x.status, Header: x.snapshot, Length: x.length,
		Size: len(content), Done: done,
		Close:       x.overLimit || x.body.unexpected(),
		NoKeepAlive: x.conn.srv.closing.Load(),
	}
	f := a.Framing()
	if !f.Close && !x.duplex {
		tooBig, broken := x.body.discard()
		if a.TooLarge, a.Close = tooBig, broken; tooBig || broken {
			f = a.Framing()
		}
	}
	if f.Conflict {
		x.complain("WriteHeader called with both Transfer-Encoding of %q and a Content-Length of %d", x.snapshot.Coding(), x.length)
	}
	ctype := ""
	if f.Sniff {
		ctype = http.DetectContentType(content)
	}
	x.sent, x.hasBody, x.chunked, x.ends, x.trailers = true, f.HasBody, f.Chunked, f.Close, f.Trailers
	c := x.conn
	date := c.srv.dateNow()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.lateLocked(); err != nil {
		return err
	}
	b := a.Append(c.out.room(), &f, ctype, date)
	if done && f.HasBody && !f.Chunked {
		b = append(b, content...)
	}
	c.out.set(b)
	x.releaseSnapshot()
	if done && len(b) > mostHeld && !c.out.waits {
		c.flushLocked()
	}
	return nil
}

// sendContent sends content, behind the head if that has not been sent.
func (x *exchange) sendContent(p []byte) error {
	if !x.sent {
		if err := x.sendHead(p, false); err != nil {
			return err
		}
	}
	if !x.hasBody {
		return nil
	}
	return x.sendBody(p)
}

func (x *exchange) sendBody(p []byte) error {
	if len(p) > mostCopied {
		return x.sendLarge(p)
	}
	c := x.conn
	c.mu.Lock()
	if c.out.err == nil {
		b := c.out.room()
		if x.chunked {
			b = append(append(h1.AppendChunk(b, len(p)), p...), "\r\n"...)
		} else {
			b = append(b, p...)
		}
		c.out.set(b)
	}
	c.mu.Unlock()
	return x.settle()
}

func (x *exchange) sendLarge(p []byte) error {
	if !x.chunked {
		return x.send(p)
	}
	x.append(h1.AppendChunk(nil, len(p)))
	if err := x.send(p); err != nil {
		return err
	}
	x.append([]byte("\r\n"))
	return nil
}

// append adds a few bytes to the output.
func (x *exchange) append(b []byte) {
	c := x.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out.err == nil {
		c.out.append(b)
	}
}

// complete ends the answer.
func (x *exchange) complete() {
	if x.status == 0 {
		x.writeHeader(http.StatusOK)
	}
	var p []byte
	if x.n > 0 {
		p = x.buffer[:x.n]
		x.n = 0
	}
	if !x.sent && (x.sendHead(p, true) != nil || !x.chunked) {
		return
	}
	if len(p) > 0 && x.hasBody {
		x.sendBody(p)
	}
	if x.chunked {
		x.append(h1.AppendTrailer(nil, x.header, x.trailers))
	}
}

// closes reports whether the connection ends with the answer.
func (x *exchange) closes() bool {
	short := x.hasBody && x.length >= 0 && x.written != x.length
	return x.ends || x.overLimit || short
}

// settle writes what is not held back, and waits if too much of it waits for the client.
func (x *exchange) settle() error { return x.send(nil) }

// send writes p behind what is held back or waits. It waits itself until the client has
// taken so much of it that little is left.
func (x *exchange) send(p []byte) error {
	c := x.conn
	for {
		full, n, err := x.sendSome(p)
		p = p[n:]
		if err != nil || len(p) == 0 && full == nil {
			return err
		}
		if full == nil {
			continue
		}
		x.leave()
		if err := c.awaitWrite(full); err != nil {
			return err
		}
	}
}

var copyBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

const sniffed = 512 // bytes that http.DetectContentType looks at

// ReadFrom copies from src. Of a file the system does that by itself.
func (x *exchange) ReadFrom(src io.Reader) (n int64, err error) {
	buf := copyBuffers.Get().(*[32 << 10]byte)
	defer copyBuffers.Put(buf)
	if !x.hasBegun() {
		n, err = io.CopyBuffer(writerOnly{x}, io.LimitReader(src, sniffed), buf[:])
		if err != nil || n < sniffed {
			return n, err
		}
	}
	as, err := x.mayCopy()
	if err != nil {
		return n, err
	}
	if file, limit := regular(src); file != nil && as {
		sent, err := x.sendFile(file, limit)
		n += sent
		if err != errNoSendFile {
			return n, err
		}
	}
	more, err := io.CopyBuffer(writerOnly{x}, src, buf[:])
	return n + more, err
}

type writerOnly struct{ io.Writer }

func (x *exchange) hasBegun() bool {
	x.mu.Lock()
	defer x.unlock()
	return x.sent
}

var errNoSendFile = errors.New("httploop: the file cannot be sent by the system")

// mayCopy sends what is held back, and reports whether content follows as it is.
func (x *exchange) mayCopy() (as bool, err error) {
	x.mu.Lock()
	defer x.unlock()
	if err := x.mayWrite(0); err != nil {
		return false, err
	}
	if err := x.flushLocked(); err != nil {
		return false, err
	}
	return !x.chunked && x.hasBody, nil
}

// A file is an *os.File, or what hides its WriteTo, as package os does.
type file interface {
	io.Reader
	Stat() (fs.FileInfo, error)
	SyscallConn() (syscall.RawConn, error)
}

// regular returns the file that src reads, and how much of it; nil: it is something else.
func regular(src io.Reader) (file, *io.LimitedReader) {
	limited, _ := src.(*io.LimitedReader)
	if limited != nil {
		src = limited.R
	}
	f, ok := src.(file)
	if !ok {
		return nil, nil
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, nil
	}
	return f, limited
}

// sendFile sends a file from where it reads.
func (x *exchange) sendFile(src file, limited *io.LimitedReader) (n int64, err error) {
	x.mu.Lock()
	defer x.unlock()
	raw, err := src.SyscallConn()
	if err != nil {
		return 0, errNoSendFile
	}
	x.leave()
	for {
		piece := int64(mostOfFile)
		if limited != nil {
			piece = min(piece, limited.N)
		}
		if x.length >= 0 {
			if piece = min(piece, x.length-x.written); piece <= 0 {
				return n, checkFileEnd(src, limited)
			}
		}
		if piece <= 0 {
			return n, nil
		}
		sent, err := x.sendPiece(raw, int(piece))
		n += int64(sent)
		x.written += int64(sent)
		if limited != nil {
			limited.N -= int64(sent)
		}
		switch {
		case err == io.EOF:
			return n, nil
		case errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.EOPNOTSUPP):
			return n, errNoSendFile // not of this file
		case err != nil:
			return n, err
		}
	}
}

// checkFileEnd reports a file that is longer than the Content-Length.
func checkFileEnd(src file, limited *io.LimitedReader) error {
	if limited != nil && limited.N == 0 {
		return nil
	}
	if n, _ := src.Read(make([]byte, 1)); n > 0 {
		return http.ErrContentLength
	}
	return nil
}

// sendPiece sends a piece of a file when nothing before it waits any more.
func (x *exchange) sendPiece(raw syscall.RawConn, size int) (sent int, err error) {
	for {
		var full <-chan struct{}
		if fail := raw.Control(func(fd uintptr) { full, sent, err = x.trySendFile(int(fd), size) }); fail != nil {
			return 0, fail
		}
		if full == nil {
			return sent, err
		}
		if err := x.conn.awaitWrite(full); err != nil {
			return 0, err
		}
	}
}

// trySendFile returns a channel if the client has to take something first. The system
// reads the file under no lock, for that may take long.
func (x *exchange) trySendFile(fd, size int) (full <-chan struct{}, sent int, err error) {
	full, rooms, err := x.beforeFile()
	if full != nil || err != nil {
		return full, 0, err
	}
	sent, err = x.conn.desc.SendFile(fd, size)
	if err == poll.ErrAgain {
		return x.awaitRoom(rooms), 0, nil
	}
	x.conn.mu.Lock()
	defer x.conn.mu.Unlock()
	x.conn.earnLocked(sent)
	return nil, sent, err
}

// beforeFile writes what has to leave before a piece of a file, and returns how often
// there has been room.
func (x *exchange) beforeFile() (full <-chan struct{}, rooms uint32, err error) {
	c := x.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out.held = false; !c.out.waits {
		c.flushLocked()
	}
	switch {
	case c.lateLocked() != nil:
		return nil, 0, c.out.err
	case c.out.waits:
		return c.wakesLocked().write, 0, nil
	}
	return nil, c.out.rooms, nil
}

// awaitRoom notes that the client has to take something first, unless it has done so since.
func (x *exchange) awaitRoom(rooms uint32) <-chan struct{} {
	c := x.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out.rooms == rooms && c.out.err == nil {
		c.waitLocked()
	}
	return c.wakesLocked().write
}
