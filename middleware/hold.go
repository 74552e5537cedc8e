package middleware

import (
	"bytes"
	"io"
	"net/http"
)

// held is a writer that holds an answer back until it is complete, as long as it may.
type held struct {
	http.ResponseWriter
	limit   int                   // bytes of a body; a larger one goes through
	holds   func(status int) bool // whether an answer with the header as it is may be held back
	freed   func()                // called if what was held back goes through all the same; may be nil
	status  int                   // of what is held back; 0: nothing is
	body    bytes.Buffer
	through bool // the answer goes to the client as it comes
}

// Unwrap lets http.ResponseController find the writer's other methods.
func (w *held) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *held) WriteHeader(code int) {
	switch {
	case w.through || code < 200 && code != http.StatusSwitchingProtocols:
		w.ResponseWriter.WriteHeader(code)
	case w.status != 0: // as net/http, which takes the first
	case w.holds(code):
		w.status = code
	default:
		w.through = true
		w.ResponseWriter.WriteHeader(code)
	}
}

// expect prepares for n bytes more.
func (w *held) expect(n int) error {
	if w.status == 0 && !w.through {
		w.WriteHeader(http.StatusOK)
	}
	if w.body.Len()+n > w.limit {
		return w.release()
	}
	return nil
}

func (w *held) Write(b []byte) (int, error) {
	if err := w.expect(len(b)); err != nil {
		return 0, err
	}
	if w.through {
		return w.ResponseWriter.Write(b)
	}
	return w.body.Write(b)
}

// WriteString saves a copy if the writer before takes strings.
func (w *held) WriteString(s string) (int, error) {
	if err := w.expect(len(s)); err != nil {
		return 0, err
	}
	if w.through {
		return io.WriteString(w.ResponseWriter, s)
	}
	return w.body.WriteString(s)
}

// ReadFrom lets the writer before use sendfile for what goes through.
func (w *held) ReadFrom(src io.Reader) (int64, error) {
	if w.expect(0); w.through {
		return io.Copy(w.ResponseWriter, src)
	}
	return io.Copy(struct{ io.Writer }{w}, src)
}

// FlushError sends what has been held back; then the answer goes through.
func (w *held) FlushError() error {
	if err := w.release(); err != nil {
		return err
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush is FlushError for those that look for an http.Flusher.
func (w *held) Flush() { w.FlushError() }

func (w *held) release() error {
	if w.through {
		return nil
	}
	w.through = true
	if w.status == 0 {
		return nil
	}
	if w.freed != nil {
		w.freed()
	}
	w.ResponseWriter.WriteHeader(w.status)
	_, err := w.ResponseWriter.Write(w.body.Bytes())
	return err
}

// Discard forgets what was written, as far as it is held back.
func (w *held) Discard() {
	if !w.through {
		w.status = 0
		w.body.Reset()
	}
}
