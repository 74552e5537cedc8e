package middleware

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
)

// DecompressOptions configures Decompress. The zero value is safe.
type DecompressOptions struct {
	Limit int64 // bytes of a body after decompression, then 413; 0: 4 MiB
}

// Windows of zstd, in bytes: what a decoder is asked to keep of what it has decoded.
// All have to support the largest (RFC 9659 §3), but fourteen bytes are enough to ask
// for it. Past quickWindow the decoder is made when a sixteenth of that has come.
const (
	maxWindow   = 8 << 20
	quickWindow = 1 << 20
)

// Decompress decodes request bodies in gzip or zstd, while they are read. Another
// or more than one Content-Encoding is answered with 415, which names those two
// (RFC 9110 §12.5.3); a body that is larger than Limit, or than Options.BodyLimit,
// decoded or not, with 413, before more than that is decoded; one that is
// malformed with 400 where Context reads it. It panics on a negative Limit.
func Decompress(opts ...DecompressOptions) nextrush.Handler {
	o := opt.First(opts)
	if o.Limit < 0 {
		panic("middleware: Decompress: Limit is negative: a body without limit is a bomb; give a number of bytes")
	}
	if o.Limit == 0 {
		o.Limit = 4 << 20
	}
	return func(c *nextrush.Context) error {
		r := c.Request()
		encoding := strings.ToLower(strings.TrimSpace(strings.Join(r.Header["Content-Encoding"], ",")))
		switch encoding {
		case "", "identity":
			return c.Next()
		case "gzip", "x-gzip", "zstd":
		default:
			return nextrush.NewError(http.StatusUnsupportedMediaType, "the body's Content-Encoding is not known here").
				WithHeader("Accept-Encoding", "gzip, zstd")
		}
		body := &decodedBody{encoded: r.Body, zstd: encoding == "zstd"}
		r = r.Clone(c.Context())
		r.Body = http.MaxBytesReader(c.Writer(), body, o.Limit)
		r.ContentLength = -1
		r.Header.Del("Content-Encoding")
		r.Header.Del("Content-Length")
		c.SetRequest(r)
		return c.Next()
	}
}

// decodedBody makes its decoder on the first read. Decoders are not pooled: a
// body may be read by a goroutine that outlives the request.
type decodedBody struct {
	encoded io.ReadCloser
	zstd    bool
	decoder io.Reader
	err     error // of making it
}

func (b *decodedBody) Read(p []byte) (int, error) {
	if b.decoder == nil && b.err == nil {
		b.decoder, b.err = b.open()
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.decoder.Read(p)
}

func (b *decodedBody) open() (io.Reader, error) {
	if !b.zstd {
		return gzip.NewReader(b.encoded)
	}
	in := bufio.NewReader(b.encoded)
	window := windowOf(in)
	var head []byte
	if window > quickWindow {
		var err error
		if head, err = io.ReadAll(io.LimitReader(in, int64(window/16))); err != nil {
			return nil, err
		}
	}
	return zstd.NewReader(io.MultiReader(bytes.NewReader(head), in), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(max(window, quickWindow)))
}

// windowOf is the window of the first frame, at most maxWindow. Those that follow it
// must not have a larger one. A frame in one segment has its content as window (RFC
// 8878 §3.1.1.1.2).
func windowOf(in *bufio.Reader) uint64 {
	start, _ := in.Peek(zstd.HeaderMaxSize)
	var h zstd.Header
	if h.Decode(start) != nil {
		return 0 // and the decoder says what is wrong
	}
	if h.SingleSegment {
		return min(h.FrameContentSize, maxWindow)
	}
	return min(h.WindowSize, maxWindow)
}

func (b *decodedBody) Close() error { return b.encoded.Close() }
