package middleware

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nextrush/nextrush/internal/contain"
)

const (
	tunnelBuffer    = 16 << 10 // bytes, for each direction
	tunnelCloseWait = 5 * time.Second
)

// tunnel joins a client and a target that have agreed on WebSocket. It passes their
// bytes on as they are, but knows where frames end, so that it can send a close
// frame of its own when the app shuts down.
type tunnel struct {
	client, target io.ReadWriteCloser
	up, down       flow // to the target, to the client
	log            *slog.Logger
}

func newTunnel(client, target io.ReadWriteCloser, log *slog.Logger) *tunnel {
	t := &tunnel{client: client, target: target, log: log}
	t.up = flow{t: t, from: client, to: target, masked: true}
	t.down = flow{t: t, from: target, to: client}
	return t
}

// run returns when both sides have ended, which they are asked to when closing ends.
func (t *tunnel) run(closing context.Context) {
	defer t.close()
	defer context.AfterFunc(closing, func() {
		go t.up.leave() // a side that does not read keeps us waiting
		t.down.leave()
	})()
	var down sync.WaitGroup
	down.Go(t.down.run)
	t.up.run()
	down.Wait()
}

func (t *tunnel) close() {
	t.target.Close()
	t.client.Close()
}

// flow is one direction of a tunnel.
type flow struct {
	t      *tunnel
	from   io.Reader
	to     io.Writer
	masked bool // as frames of clients are, RFC 6455 §5.3

	mu      sync.Mutex // guards writing, and what follows
	frames  frameReader
	leaving bool // a close frame is to be written before the next frame
	left    bool // it has been: what comes is dropped
}

// run ends both directions when one fails. At the end of one the other goes on.
func (f *flow) run() {
	defer func() {
		if v := recover(); v != nil { // of a transport or body of the program's own
			stack := string(debug.Stack())
			contain.Run(func() { f.t.log.Error("panic in a proxied WebSocket", "panic", v, "stack", stack) })
			f.t.close()
		}
	}()
	if f.copy() != io.EOF || closeWrite(f.to) != nil {
		f.t.close()
	}
}

func closeWrite(w io.Writer) error {
	if half, ok := w.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return io.ErrClosedPipe
}

// copy returns io.EOF when nothing comes any more.
func (f *flow) copy() error {
	buf := make([]byte, tunnelBuffer)
	for {
		n, err := f.from.Read(buf)
		if err := f.pass(buf[:n]); err != nil {
			return err
		}
		if err != nil {
			return err
		}
	}
}

// pass writes b up to where our close frame stands, or is to stand.
func (f *flow) pass(b []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for n < len(b) && !f.left && !(f.leaving && f.frames.between()) {
		n += f.frames.next(b[n:])
	}
	if n > 0 {
		if _, err := f.to.Write(b[:n]); err != nil {
			return err
		}
	}
	if err := f.leaveLocked(); err != nil {
		return err
	}
	for n < len(b) {
		n += f.frames.next(b[n:])
	}
	if f.left && f.frames.closed {
		return io.EOF
	}
	return nil
}

// leave has our close frame written as soon as a frame may begin.
func (f *flow) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leaving = true
	if f.leaveLocked() != nil {
		f.t.close()
	}
}

// leaveLocked writes the close frame, unless one has passed, and gives both sides
// time to answer.
func (f *flow) leaveLocked() error {
	if !f.leaving || f.left || !f.frames.between() {
		return nil
	}
	f.left = true
	time.AfterFunc(tunnelCloseWait, f.t.close)
	if f.frames.closed {
		return nil
	}
	_, err := f.to.Write(goingAway(f.masked))
	return err
}

// goingAway is a close frame with status 1001, RFC 6455 §5.5.1 and §7.4.1.
func goingAway(masked bool) []byte {
	payload := append([]byte{1001 >> 8, 1001 & 0xff}, "server is shutting down"...)
	frame := []byte{0x88, byte(len(payload))}
	if masked {
		var key [4]byte
		rand.Read(key[:])
		frame[1] |= 0x80
		frame = append(frame, key[:]...)
		for i := range payload {
			payload[i] ^= key[i%4]
		}
	}
	return append(frame, payload...)
}

// frameReader finds out where frames end, RFC 6455 §5.2.
type frameReader struct {
	header [14]byte
	have   int    // bytes of the header that comes
	rest   uint64 // bytes of the payload that are to come
	closed bool   // the last frame was a close frame, after which there is none
}

// between reports whether a frame may begin.
func (r *frameReader) between() bool { return r.have == 0 && r.rest == 0 }

// next returns how many bytes of b, which is not empty, are of the current frame.
func (r *frameReader) next(b []byte) int {
	if r.closed {
		return len(b)
	}
	n := 0
	for r.rest == 0 && n < len(b) {
		r.header[r.have] = b[n]
		n++
		r.have++
		if r.have > 1 && r.have == headerSize(r.header[1]) {
			r.have = 0
			r.rest = payloadSize(r.header[1:])
			if r.rest == 0 {
				break
			}
		}
	}
	part := min(r.rest, uint64(len(b)-n))
	r.rest -= part
	r.closed = r.between() && r.header[0]&0x0f == 8
	return n + int(part)
}

// headerSize tells it from a header's second byte.
func headerSize(b byte) int {
	size := 2
	switch b & 0x7f {
	case 126:
		size = 4
	case 127:
		size = 10
	}
	if b&0x80 != 0 {
		size += 4
	}
	return size
}

// payloadSize reads a header from its second byte on.
func payloadSize(b []byte) uint64 {
	switch n := b[0] & 0x7f; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(b[1:]))
	case 127:
		return binary.BigEndian.Uint64(b[1:])
	default:
		return uint64(n)
	}
}
