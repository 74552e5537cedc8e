package stall

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	answerBuffer = 2 << 10  // bytes of an answer that net/http keeps before it writes, at least
	answerPiece  = 16 << 10 // bytes that are written between two looks at the client's progress
)

// Writer cuts off an answer that its client keeps waiting for longer than a limit, if
// the connection is not a Conn: for a stream of HTTP/2, which its client may stop while
// the connection goes on, and for the server of a program. Time between writes does not
// count. Its methods are for one goroutine at a time.
type Writer struct {
	http.ResponseWriter
	limit   time.Duration
	left    time.Duration
	stream  bool // of HTTP/2: it may have no room even for a small answer
	pending int  // bytes written since all was flushed
	sent    bool // more of the body than a connection always has room for

	mu    sync.Mutex // guards what follows
	timer *time.Timer
	until time.Time // zero: nothing is being written
}

// NewWriter returns a writer around w. Stream is whether w is for a stream of HTTP/2.
// End has to be called when the handler has returned.
func NewWriter(w http.ResponseWriter, limit time.Duration, stream bool) *Writer {
	return &Writer{ResponseWriter: w, limit: limit, left: limit, stream: stream}
}

// Unwrap lets http.ResponseController find the writer's other methods.
func (w *Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write writes in pieces that the client has to take in time.
func (w *Writer) Write(p []byte) (int, error) {
	if w.fits(len(p)) {
		return w.ResponseWriter.Write(p)
	}
	return writePieces(w, p, w.ResponseWriter.Write)
}

// WriteString saves a copy if the writer below takes strings.
func (w *Writer) WriteString(s string) (int, error) {
	if w.fits(len(s)) {
		return io.WriteString(w.ResponseWriter, s)
	}
	return writePieces(w, s, func(s string) (int, error) { return io.WriteString(w.ResponseWriter, s) })
}

// fits notes a write, and reports whether it cannot wait for the client.
func (w *Writer) fits(n int) bool {
	w.pending += n
	w.sent = w.sent || w.stream && n > 0 || w.pending > answerBuffer
	return w.pending <= answerBuffer
}

func writePieces[T []byte | string](w *Writer, p T, write func(T) (int, error)) (n int, err error) {
	for {
		piece := p[n:min(n+answerPiece, len(p))]
		m, err := w.timed(func() (int64, error) {
			m, err := write(piece)
			return int64(m), err
		})
		if n += int(m); err != nil || n == len(p) {
			return n, err
		}
	}
}

// ReadFrom lets the writer below use sendfile for a part of a file.
func (w *Writer) ReadFrom(src io.Reader) (n int64, err error) {
	below, ok := w.ResponseWriter.(io.ReaderFrom)
	rest, part := src.(*io.LimitedReader)
	if !ok || !part {
		return io.Copy(struct{ io.Writer }{w}, src)
	}
	w.sent, w.pending = true, answerBuffer
	for rest.N > 0 {
		piece := &io.LimitedReader{R: rest.R, N: min(rest.N, answerPiece)}
		m, err := w.timed(func() (int64, error) { return below.ReadFrom(piece) })
		n += m
		rest.N -= m
		if err != nil || piece.N > 0 {
			return n, err
		}
	}
	return n, nil
}

// Flush is FlushError for those that look for an http.Flusher.
func (w *Writer) Flush() { w.FlushError() }

// FlushError sends what is buffered.
func (w *Writer) FlushError() error {
	_, err := w.timed(func() (int64, error) {
		return int64(w.pending), http.NewResponseController(w.ResponseWriter).Flush()
	})
	w.pending = 0
	return err
}

// timed runs a write, which returns how many bytes it has got rid of.
func (w *Writer) timed(write func() (int64, error)) (int64, error) {
	begin := time.Now()
	w.watch(begin.Add(w.left))
	n, err := write()
	w.watch(time.Time{})
	w.left = Earned(w.limit, w.left, time.Since(begin), n)
	return n, err
}

// watch has the write that follows cut at a time; zero: it is over.
func (w *Writer) watch(until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until = until
	switch {
	case until.IsZero():
		w.timer.Stop()
	case w.timer == nil:
		w.timer = time.AfterFunc(w.left, w.cut)
	default:
		w.timer.Reset(w.left)
	}
}

func (w *Writer) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.until.IsZero() && !time.Now().Before(w.until) { // it may be another write's time
		http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Unix(1, 0))
	}
}

// End bounds what net/http writes when the handler has returned.
func (w *Writer) End() {
	if !w.sent {
		return
	}
	if _, err := w.ResponseWriter.Write(nil); errors.Is(err, http.ErrHijacked) {
		return
	}
	http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.left))
}
