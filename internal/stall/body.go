package stall

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// bodyRate is how many bytes give a client back a second of what it has kept the server
// waiting for.
const bodyRate = 1 << 10

// Body is a request's body that may keep the server waiting for a limited
// time in all, so that clients which send it a byte at a time do not hold
// goroutines for ever (slowloris). What arrives gives time back, up to the limit.
// Time that the handler takes does not count.
type Body struct {
	io.ReadCloser
	out    http.ResponseWriter
	stream bool // of HTTP/2: a deadline that has passed there cannot be taken back
	limit  time.Duration

	mu    sync.Mutex // guards what follows
	left  time.Duration
	until time.Time // the deadline of reading that is set
	read  bool      // to its end
	over  bool      // the request has ended: its connection may have another
}

// Begin makes b the body of a request; stream is whether that came over HTTP/2. The
// server reads what the handler leaves before it sends a header, so it waits from now.
func (b *Body) Begin(body io.ReadCloser, w http.ResponseWriter, stream bool, limit time.Duration) {
	b.ReadCloser, b.out, b.stream, b.limit, b.left = body, w, stream, limit, limit
	if !stream {
		b.wait(time.Now())
	}
}

// Read returns os.ErrDeadlineExceeded when the client's time is up.
func (b *Body) Read(p []byte) (int, error) {
	begin := time.Now()
	b.wait(begin)
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil && err != io.EOF && errors.Is(err, os.ErrDeadlineExceeded) {
		b.left = 0 // for whoever tries again
		return n, err
	}
	b.left = min(b.limit, b.left-time.Since(begin)+time.Duration(n)*time.Second/bodyRate)
	b.read = b.read || err != nil
	if b.read || b.stream {
		b.setLocked(time.Time{})
	}
	return n, err
}

// wait sets the deadline to what is left, unless it is close to that already.
func (b *Body) wait(from time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	until := from.Add(b.left)
	if d := until.Sub(b.until); !b.read && (d < 0 || d > b.limit/32) {
		b.setLocked(until)
	}
}

func (b *Body) setLocked(deadline time.Time) {
	if !b.over {
		b.until = deadline
		http.NewResponseController(b.out).SetReadDeadline(deadline) // not every writer can
	}
}

// End leaves the deadline to net/http, which reads what is left of the body.
func (b *Body) End() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
}
