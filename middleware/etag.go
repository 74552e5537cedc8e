package middleware

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
)

// ETagOptions configures ETag. The zero value is complete.
type ETagOptions struct {
	Limit int // bytes of a body that are held back; larger ones go out without a tag; 0: 1 MiB
}

// ETag gives each answer to GET and HEAD with status 200 a strong entity tag, a
// hash of its body, unless the handler has set one, and answers conditional and
// range requests by it, such as 304 to If-None-Match (RFC 9110 §13, §14). The
// body is held back for that. A body that is flushed, larger than Limit, a stream of
// events or not to be stored goes through as it comes. A file, or other
// content of nextrush.ServeContent, gets its tag first and is not held back; handlers
// that call http.ServeContent answer dates and ranges without knowing of the tag.
//
// It saves work for the network and the client only: the handler runs each time.
// Compress belongs before ETag; it makes the tag a weak one.
func ETag(opts ...ETagOptions) nextrush.Handler {
	o := opt.First(opts)
	if o.Limit < 0 {
		panic("middleware: ETag: Limit: leave out ETag instead of a negative one")
	}
	if o.Limit == 0 {
		o.Limit = 1 << 20
	}
	return func(c *nextrush.Context) error {
		if c.Method() != http.MethodGet && c.Method() != http.MethodHead {
			return c.Next()
		}
		w := &etagWriter{held: held{ResponseWriter: c.Writer(), limit: o.Limit}}
		w.holds = func(status int) bool { return status == http.StatusOK && !w.tagged && w.mayHold() }
		c.SetWriter(w)
		defer c.SetWriter(w.ResponseWriter)
		err := c.Next()
		switch {
		case err == nil:
			return w.finish(c)
		case c.Answered():
			return cmp.Or(err, w.release())
		}
		return err // its answer takes the place of what is held back
	}
}

// etagWriter holds back an answer with status 200 for its tag.
type etagWriter struct {
	held
	tagged bool // its content has a tag already
}

// mayHold reports whether the header leaves the body to be held back.
func (w *etagWriter) mayHold() bool {
	h := w.Header()
	mediaType, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	size, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	return mediaType != "text/event-stream" && h.Get("Content-Range") == "" &&
		!strings.Contains(strings.ToLower(strings.Join(h["Cache-Control"], ",")), "no-store") &&
		(err != nil || size <= int64(w.limit))
}

// Tag gives content its tag before nextrush.ServeContent looks at the conditions of
// the request. Then there is nothing to hold back.
func (w *etagWriter) Tag(content io.ReadSeeker) {
	size, err := content.Seek(0, io.SeekEnd)
	if err != nil || size > int64(w.limit) || w.status != 0 || w.through || !w.mayHold() {
		return
	}
	if w.Header().Get("ETag") == "" {
		hash := sha256.New()
		if _, err = content.Seek(0, io.SeekStart); err == nil {
			_, err = io.Copy(hash, content)
		}
		if err != nil {
			return // and serving it fails too
		}
		w.Header().Set("ETag", tagOf(hash.Sum(nil)))
	}
	w.tagged = true
}

func tagOf(sum []byte) string { return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"` }

// finish answers with what was held back. An answer to HEAD without a body says
// nothing of the one that GET would get.
func (w *etagWriter) finish(c *nextrush.Context) error {
	head := c.Method() == http.MethodHead
	if w.through || w.status == 0 || w.body.Len() == 0 && head {
		return w.release()
	}
	h := w.Header()
	if h.Get("ETag") == "" {
		sum := sha256.Sum256(w.body.Bytes())
		h.Set("ETag", tagOf(sum[:]))
	}
	h.Del("Content-Length")
	c.SetWriter(w.ResponseWriter)
	err := c.ServeContent("", time.Time{}, bytes.NewReader(w.body.Bytes()))
	if err == nil && head && c.StatusCode() == http.StatusOK {
		_, err = w.ResponseWriter.Write(w.body.Bytes()) // for the writers before to count
	}
	return err
}
