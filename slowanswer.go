package nextrush

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/nextrush/nextrush/internal/stall"
)

const (
	answerBuffer = 2 << 10  // bytes of an answer that net/http keeps before it writes, at least
	answerPiece  = 16 << 10 // bytes that are written between two looks at the client's progress
)

// paced is the app as the handler of its own server, whose connections keep
// Options.StallTimeout; of HTTP/2 its streams have to.
type paced struct{ *App }

func (p paced) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor < 2 {
		p.App.serveHTTP(w, r)
		return
	}
	p.App.ServeHTTP(w, r)
}

// timedWriter keeps Options.StallTimeout where the connection does not: for a
// stream of HTTP/2, which its client may stop while the connection goes on, and
// for another server. Time between writes does not count.
type timedWriter struct {
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

// timeAnswer returns a timedWriter for w, or nil where there is no need of one.
func (a *App) timeAnswer(w http.ResponseWriter, r *http.Request) *timedWriter {
	limit := a.opts.StallTimeout
	server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok || limit < 0 || server.WriteTimeout > 0 {
		return nil
	}
	if _, ours := server.Handler.(paced); ours && r.ProtoMajor < 2 {
		return nil
	}
	return &timedWriter{ResponseWriter: w, limit: limit, left: limit, stream: r.ProtoMajor > 1}
}

func (w *timedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *timedWriter) Write(p []byte) (int, error) {
	if w.fits(len(p)) {
		return w.ResponseWriter.Write(p)
	}
	return writePieces(w, p, w.ResponseWriter.Write)
}

// WriteString saves a copy where the writer below takes strings.
func (w *timedWriter) WriteString(s string) (int, error) {
	if w.fits(len(s)) {
		return io.WriteString(w.ResponseWriter, s)
	}
	return writePieces(w, s, func(s string) (int, error) { return io.WriteString(w.ResponseWriter, s) })
}

// fits notes a write, and reports whether it cannot wait for the client.
func (w *timedWriter) fits(n int) bool {
	w.pending += n
	w.sent = w.sent || w.stream && n > 0 || w.pending > answerBuffer
	return w.pending <= answerBuffer
}

func writePieces[T []byte | string](w *timedWriter, p T, write func(T) (int, error)) (n int, err error) {
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
func (w *timedWriter) ReadFrom(src io.Reader) (n int64, err error) {
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

func (w *timedWriter) Flush() { w.FlushError() }

func (w *timedWriter) FlushError() error {
	_, err := w.timed(func() (int64, error) {
		return int64(w.pending), http.NewResponseController(w.ResponseWriter).Flush()
	})
	w.pending = 0
	return err
}

// timed runs a write, which returns how many bytes it has got rid of.
func (w *timedWriter) timed(write func() (int64, error)) (int64, error) {
	begin := time.Now()
	w.watch(begin.Add(w.left))
	n, err := write()
	w.watch(time.Time{})
	w.left = stall.Earned(w.limit, w.left, time.Since(begin), n)
	return n, err
}

// watch has the write that follows cut at a time; zero: it is over.
func (w *timedWriter) watch(until time.Time) {
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

func (w *timedWriter) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.until.IsZero() && !time.Now().Before(w.until) { // it may be another write's time
		http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Unix(1, 0))
	}
}

// end bounds what net/http writes when the handler has returned.
func (w *timedWriter) end() {
	if !w.sent {
		return
	}
	if _, err := w.ResponseWriter.Write(nil); errors.Is(err, http.ErrHijacked) {
		return
	}
	http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.left))
}
