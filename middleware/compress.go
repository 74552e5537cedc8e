package middleware

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
)

// CompressOptions configures Compress. The zero value is complete.
type CompressOptions struct {
	MinSize int // bytes of the smallest body that is compressed; 0: 1024

	// Types lists media types: "application/json", "text/*", "application/*+json". Empty: text, JSON,
	// XML, JavaScript, WebAssembly, SVG and the like.
	Types []string
}

// Compress compresses responses with zstd or gzip, as the client prefers
// (RFC 9110 §12.5.3). It leaves alone what is small, of another type, encoded
// already, partial, without a body, or marked no-transform, and makes a strong
// ETag a weak one. Flushing sends what has been compressed so far.
//
// An answer that holds a secret beside what the client sent gives it away by its
// length (BREACH, CVE-2013-3587): use Skip for such routes. It panics on a
// mistake in the options.
func Compress(opts ...CompressOptions) nextrush.Handler {
	o := opt.First(opts)
	if o.MinSize < 0 {
		panic("middleware: Compress: MinSize is negative: give a number of bytes, 1 for all bodies")
	}
	if o.MinSize == 0 {
		o.MinSize = 1 << 10
	}
	o.Types = mediaTypes(o.Types)
	return func(c *nextrush.Context) error {
		c.Vary("Accept-Encoding")
		encoding := c.AcceptsEncoding("zstd", "gzip")
		if encoding == "" || c.Header("Upgrade") != "" {
			return c.Next()
		}
		w := &compressWriter{ResponseWriter: c.Writer(), options: &o, encoding: encoding, head: c.Method() == http.MethodHead}
		c.SetWriter(w)
		defer func() {
			c.SetWriter(w.ResponseWriter)
			w.free()
		}()
		err := c.Next()
		if err != nil && !c.Answered() && w.state <= holding {
			return err // its answer takes the place of what is held
		}
		return cmp.Or(err, w.finish())
	}
}

// mediaTypes returns the types as they are compared, or the default ones.
func mediaTypes(given []string) (types []string) {
	for _, t := range given {
		if t != "*" && !strings.Contains(t, "/") {
			panic(fmt.Sprintf("middleware: Compress: Types: %q is no media type: write it as application/json or text/*", t))
		}
		types = append(types, strings.ToLower(t))
	}
	if len(types) == 0 {
		return compressibleTypes()
	}
	return types
}

func compressibleTypes() []string {
	return []string{"text/*", "application/json", "application/*+json", "application/javascript",
		"application/xml", "application/*+xml", "application/wasm", "application/x-ndjson", "image/svg+xml", "font/ttf", "font/otf"}
}

// maxCounted is how many bytes are compressed for a HEAD, to tell what GET sends; what
// has no end may need too many for the header to go.
const maxCounted = 1 << 20

// states of a compressWriter, in their order
const (
	fresh      = iota // no status yet
	holding           // until the body is large enough
	plain             // passed on as it is
	compressed        // through the encoder
	done
)

// compressWriter holds the beginning of a response until it is clear whether it
// is to be compressed.
type compressWriter struct {
	http.ResponseWriter
	options  *CompressOptions
	encoding string
	head     bool // of a HEAD, whose content the handler may leave out
	state    int
	status   int
	held     []byte
	size     int // bytes that went to the encoder, after those held
	encoder  encoder
}

// Unwrap lets http.ResponseController find the writer's other methods.
func (w *compressWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *compressWriter) WriteHeader(code int) {
	switch {
	case w.state == done || w.state == holding || w.state == compressed: // as net/http, which takes the first
	case code < 200 && code != http.StatusSwitchingProtocols, w.state == plain:
		w.ResponseWriter.WriteHeader(code)
	case w.eligible(code):
		w.state, w.status = holding, code
	default:
		if code == http.StatusNotModified {
			w.weakenETag() // of what was compressed when it was sent (RFC 9110 §15.4.5)
		}
		w.state = plain
		w.ResponseWriter.WriteHeader(code)
	}
}

func (w *compressWriter) weakenETag() {
	if tag := w.Header().Get("ETag"); strings.HasPrefix(tag, `"`) {
		w.Header().Set("ETag", "W/"+tag)
	}
}

// eligible reports whether status and header leave the body to be compressed.
func (w *compressWriter) eligible(code int) bool {
	h := w.Header()
	switch code {
	case http.StatusSwitchingProtocols, http.StatusNoContent, http.StatusPartialContent, http.StatusNotModified:
		return false
	}
	size, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if err == nil && size < int64(w.options.MinSize) {
		return false
	}
	return h.Get("Content-Encoding") == "" && h.Get("Content-Range") == "" &&
		!strings.Contains(strings.ToLower(strings.Join(h["Cache-Control"], ",")), "no-transform") &&
		(h.Get("Content-Type") == "" || w.options.compressible(h.Get("Content-Type")))
}

func (o *CompressOptions) compressible(contentType string) bool {
	mediaType, _, _ := strings.Cut(contentType, ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	for _, t := range o.Types {
		prefix, suffix, wild := strings.Cut(t, "*")
		if mediaType == t || wild && strings.HasPrefix(mediaType, prefix) && strings.HasSuffix(mediaType, suffix) {
			return true
		}
	}
	return false
}

func (w *compressWriter) Write(b []byte) (int, error) {
	if w.state == fresh {
		w.WriteHeader(http.StatusOK)
	}
	switch w.state {
	case done:
		return 0, http.ErrHandlerTimeout // what comes late must not reach the encoder's next user
	case holding:
		if len(w.held)+len(b) < w.options.MinSize {
			w.held = append(w.held, b...)
			return len(b), nil
		}
		if err := w.begin(b); err != nil {
			return 0, err
		}
	}
	if w.state != compressed {
		return w.ResponseWriter.Write(b)
	}
	if w.size += len(b); w.head && w.size > maxCounted {
		w.FlushError() // which makes the answer whole
		return 0, http.ErrBodyNotAllowed
	}
	return w.encoder.Write(b)
}

// WriteString saves a copy of all of a long string.
func (w *compressWriter) WriteString(s string) (int, error) {
	const enough = 32 << 10 // bytes that the encoder is given at once
	if w.state == fresh {
		w.WriteHeader(http.StatusOK)
	}
	switch {
	case w.state == plain:
		return io.WriteString(w.ResponseWriter, s)
	case len(s) <= enough:
		return w.Write([]byte(s))
	}
	n, err := io.Copy(struct{ io.Writer }{w}, struct{ io.Reader }{strings.NewReader(s)})
	return int(n), err
}

// ReadFrom lets the writer before use sendfile for what is passed on.
func (w *compressWriter) ReadFrom(src io.Reader) (int64, error) {
	if w.state == fresh {
		w.WriteHeader(http.StatusOK)
	}
	if w.state == plain {
		return io.Copy(w.ResponseWriter, src)
	}
	return io.Copy(struct{ io.Writer }{w}, src)
}

// begin sends what is held, compressed if its type lets it be; next is what
// follows it.
func (w *compressWriter) begin(next []byte) error {
	h := w.Header()
	if _, set := h["Content-Type"]; !set && len(w.held)+len(next) > 0 {
		h.Set("Content-Type", http.DetectContentType(append(w.held[:len(w.held):len(w.held)], next...)))
	}
	if !w.options.compressible(h.Get("Content-Type")) {
		return w.passOn()
	}
	h.Set("Content-Encoding", w.encoding)
	w.forgetBytes()
	w.state = compressed
	w.ResponseWriter.WriteHeader(w.status)
	w.encoder = encoders(w.encoding).Get().(encoder)
	w.encoder.Reset(w.ResponseWriter)
	_, err := w.encoder.Write(w.held)
	w.held = nil
	return err
}

// forgetBytes takes from the header what it says of the bytes that the handler has.
func (w *compressWriter) forgetBytes() {
	w.Header().Del("Content-Length")
	w.Header().Del("Accept-Ranges")
	w.weakenETag()
}

// foresee gives a HEAD without content the header of the GET (RFC 9110 §9.3.2): that
// is compressed if its content is large enough and has a type that eligible has let
// through, and may be if the header does not tell.
func (w *compressWriter) foresee() {
	h := w.Header()
	if h.Get("Content-Length") != "" && h.Get("Content-Type") != "" {
		h.Set("Content-Encoding", w.encoding)
	}
	w.forgetBytes()
}

func (w *compressWriter) passOn() error {
	w.state = plain
	w.ResponseWriter.WriteHeader(w.status)
	_, err := w.ResponseWriter.Write(w.held)
	w.held = nil
	return err
}

// FlushError sends all that was written so far.
func (w *compressWriter) FlushError() error {
	if w.state == fresh {
		w.WriteHeader(http.StatusOK)
	}
	if w.state == holding {
		if err := w.begin(nil); err != nil {
			return err
		}
	}
	if w.state == compressed {
		if err := w.encoder.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush is FlushError for those that look for an http.Flusher.
func (w *compressWriter) Flush() { w.FlushError() }

// Discard forgets what was written, as far as it is held.
func (w *compressWriter) Discard() {
	if w.state == holding {
		w.state, w.held = fresh, nil
	}
}

func (w *compressWriter) finish() error {
	switch w.state {
	case holding: // smaller than MinSize
		if w.head && len(w.held) == 0 {
			w.foresee()
		}
		return w.passOn()
	case compressed:
		return w.encoder.Close()
	}
	return nil
}

// free gives the encoder back, whatever became of the response.
func (w *compressWriter) free() {
	w.state = done
	if w.encoder == nil {
		return
	}
	w.encoder.Reset(io.Discard)
	encoders(w.encoding).Put(w.encoder)
	w.encoder = nil
}

// encoder is what zstd and gzip have in common.
type encoder interface {
	io.WriteCloser
	Flush() error
	Reset(w io.Writer)
}

var (
	gzipEncoders = sync.Pool{New: func() any { return gzip.NewWriter(io.Discard) }}
	zstdEncoders = sync.Pool{New: func() any { return newZstdEncoder() }}
)

func encoders(encoding string) *sync.Pool {
	if encoding == "zstd" {
		return &zstdEncoders
	}
	return &gzipEncoders
}

// newZstdEncoder makes one that works in the caller's goroutine. Its window of
// 256 KiB covers most answers and keeps what is pooled small; browsers take at
// most 8 MiB (RFC 9659 §3).
func newZstdEncoder() encoder {
	e, err := zstd.NewWriter(io.Discard, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(256<<10), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic("middleware: Compress: " + err.Error()) // these options are valid
	}
	return e
}
