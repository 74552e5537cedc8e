package record

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// broken is a writer whose writes fail.
type broken struct{ http.ResponseWriter }

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestAWriterNotesWhatGoesThrough(t *testing.T) {
	for name, tt := range map[string]struct {
		do     func(w *Writer)
		status int32
		size   int64
	}{
		"nothing":         {func(*Writer) {}, 0, 0},
		"a write":         {func(w *Writer) { w.Write([]byte("abc")) }, 200, 3},
		"a string":        {func(w *Writer) { io.WriteString(w, "abc") }, 200, 3},
		"a reader":        {func(w *Writer) { w.ReadFrom(strings.NewReader("abc")) }, 200, 3},
		"a flush":         {func(w *Writer) { w.Flush() }, 200, 0},
		"a status":        {func(w *Writer) { w.WriteHeader(404); w.Write([]byte("a")) }, 404, 1},
		"the first of it": {func(w *Writer) { w.WriteHeader(404); w.WriteHeader(500) }, 404, 0},
		"early hints":     {func(w *Writer) { w.WriteHeader(103) }, 0, 0},
		"another 1xx":     {func(w *Writer) { w.WriteHeader(101) }, 101, 0},
	} {
		w := &Writer{ResponseWriter: httptest.NewRecorder()}
		if tt.do(w); w.Status != tt.status || w.Size != tt.size || w.Broke || w.Hijacked {
			t.Errorf("%s: %+v", name, w)
		}
	}
	w := &Writer{ResponseWriter: broken{httptest.NewRecorder()}}
	if w.Write([]byte("abc")); !w.Broke || w.Size != 0 {
		t.Errorf("a write that fails: %+v", w)
	}
}

// The header is cleaned by the writer that sends it alone, and before it is sent.
func TestOnlyTheLastWriterCleansTheHeader(t *testing.T) {
	for _, last := range []bool{false, true} {
		w := &Writer{ResponseWriter: httptest.NewRecorder(), Last: last}
		w.Header()["X-A"] = []string{"a\nb"}
		w.WriteHeader(200)
		if clean := w.Header().Get("X-A") != "a\nb"; clean != last {
			t.Errorf("last %t: cleaned %t", last, clean)
		}
	}
}

// plain is a writer that can neither flush nor hand out its connection.
type plain struct{ http.ResponseWriter }

func TestWhatAWriterLacksIsNamed(t *testing.T) {
	can := &Writer{ResponseWriter: &Writer{ResponseWriter: httptest.NewRecorder()}}
	if err := CanFlush(can); err != nil {
		t.Error(err)
	}
	cannot := &Writer{ResponseWriter: plain{httptest.NewRecorder()}}
	if err := CanFlush(cannot); !errors.Is(err, http.ErrNotSupported) || !strings.Contains(err.Error(), "record.plain") {
		t.Error(err)
	}
	if err := cannot.FlushError(); !errors.Is(err, http.ErrNotSupported) || cannot.Status != 0 {
		t.Error(err, "and the answer has begun:", cannot.Status)
	}
	if err := Lacks(cannot, "Flush", io.EOF); err != io.EOF {
		t.Error(err)
	}
}

// hijackable hands out one end of a pipe.
type hijackable struct{ http.ResponseWriter }

func (hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, _ := net.Pipe()
	return conn, nil, nil
}

func TestAHijackIsNotedIfItSucceeds(t *testing.T) {
	w := &Writer{ResponseWriter: hijackable{httptest.NewRecorder()}}
	if _, _, err := w.Hijack(); err != nil || !w.Hijacked || w.Status != 101 {
		t.Errorf("%+v, %v", w, err)
	}
	w = &Writer{ResponseWriter: plain{httptest.NewRecorder()}}
	if _, _, err := w.Hijack(); err == nil || w.Hijacked || w.Status != 0 {
		t.Errorf("%+v, %v", w, err)
	}
}

// holder holds back what is written, as middleware that compresses does.
type holder struct {
	http.ResponseWriter
	held string
}

func (h *holder) WriteHeader(int)             {}
func (h *holder) Write(b []byte) (int, error) { h.held += string(b); return len(b), nil }
func (h *holder) Discard()                    { h.held = "" }
func (h *holder) Unwrap() http.ResponseWriter { return h.ResponseWriter }
func around(w http.ResponseWriter) (*Writer, *holder) {
	h := &holder{ResponseWriter: w}
	return &Writer{ResponseWriter: h}, h
}

// An error that comes late may still be answered if nothing has been sent.
func TestDiscardForgetsWhatWasHeldBack(t *testing.T) {
	last := &Writer{ResponseWriter: httptest.NewRecorder(), Last: true}
	middle, inner := around(last)
	outer, outermost := around(middle)
	outer.Write([]byte("abc"))
	if Discard(outer, last); outer.Status != 0 || outer.Size != 0 || inner.held+outermost.held != "" {
		t.Errorf("%+v, %q, %q", outer, inner.held, outermost.held)
	}
}

func TestDiscardKeepsWhatWasSent(t *testing.T) {
	last := &Writer{ResponseWriter: httptest.NewRecorder(), Last: true}
	outer, _ := around(last)
	last.Write([]byte("abc"))
	outer.Write([]byte("def"))
	if Discard(outer, last); outer.Status != 200 || last.Size != 3 {
		t.Errorf("%+v, %+v", outer, last)
	}
	plain := &Writer{ResponseWriter: last}
	plain.Write([]byte("x"))
	if Discard(plain, last); plain.Status != 200 {
		t.Errorf("nobody holds back: %+v", plain)
	}
}

func TestHasLength(t *testing.T) {
	for _, tt := range []struct {
		code   int
		header string
		want   bool
	}{
		{200, "", true}, {404, "", true}, {103, "", false}, {204, "", false}, {304, "", false},
		{200, "Content-Length", false}, {200, "Trailer", false}, {200, "Transfer-Encoding", false},
	} {
		h := http.Header{"X": {"x"}}
		if tt.header != "" {
			h.Set(tt.header, "x")
		}
		if got := HasLength(tt.code, h); got != tt.want {
			t.Errorf("%d %s: %t", tt.code, tt.header, got)
		}
	}
}

// A handler of a socket may still call the writer of its Context.
func TestAWriterThatIsGoneWritesNothing(t *testing.T) {
	w := Gone()
	w.Header().Set("A", "b")
	if n, err := w.Write([]byte("abc")); n != 0 || !errors.Is(err, http.ErrHijacked) || w.Status != 101 || !w.Hijacked {
		t.Errorf("%d, %v, %+v", n, err, w)
	}
}
