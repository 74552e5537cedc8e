package nextrush

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// bodyRate is how many bytes give a client back a second of what it has kept the
// server waiting for.
const bodyRate = 1 << 10

// timedBody is a request's body that may keep the server waiting for a limited
// time in all, so that clients which send it a byte at a time do not hold
// goroutines for ever (slowloris). What arrives gives time back, up to the limit.
// Time that the handler takes does not count.
type timedBody struct {
	io.ReadCloser
	out    http.ResponseWriter
	stream bool // of HTTP/2: a deadline that has passed there can not be taken back
	limit  time.Duration

	mu    sync.Mutex // guards what follows
	left  time.Duration
	until time.Time // the deadline of reading that is set
	read  bool      // to its end
	over  bool      // the request has ended: its connection may have another

	extra more // for the Context of the request
}

// ownRequest is the app's copy of a request that has a body, in one piece with what
// the body needs.
type ownRequest struct {
	http.Request
	body timedBody
}

// ownRequest has Options.BodyTimeout kept where the server has no time-out of its own.
func (a *App) ownRequest(w http.ResponseWriter, r *http.Request) *ownRequest {
	own := &ownRequest{Request: *r}
	server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if limit := a.opts.BodyTimeout; ok && limit >= 0 && server.ReadTimeout <= 0 {
		own.body = timedBody{ReadCloser: r.Body, out: w, stream: r.ProtoMajor > 1, limit: limit, left: limit}
		own.Body = &own.body
		if !own.body.stream { // net/http reads what the handler leaves, before it sends a header
			own.body.wait(time.Now())
		}
	}
	return own
}

func (r *ownRequest) end() {
	r.body.end()
	removeFiles(&r.Request)
}

// Read returns an *HTTPError with status 408 when the client's time is up.
func (b *timedBody) Read(p []byte) (int, error) {
	begin := time.Now()
	b.wait(begin)
	n, err := b.ReadCloser.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		b.left = 0 // for whoever tries again
		return n, NewError(http.StatusRequestTimeout, "the body came too slowly").WithCause(err)
	}
	b.left = min(b.limit, b.left-time.Since(begin)+time.Duration(n)*time.Second/bodyRate)
	b.read = b.read || err != nil
	if b.read || b.stream {
		b.set(time.Time{})
	}
	return n, err
}

// wait sets the deadline to what is left, unless it is close to that already.
func (b *timedBody) wait(from time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	until := from.Add(b.left)
	if d := until.Sub(b.until); !b.read && (d < 0 || d > b.limit/32) {
		b.set(until)
	}
}

// set is for callers that hold the lock.
func (b *timedBody) set(deadline time.Time) {
	if !b.over {
		b.until = deadline
		http.NewResponseController(b.out).SetReadDeadline(deadline) // not every writer can
	}
}

// end leaves the deadline to net/http, which reads what is left of the body.
func (b *timedBody) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
}
