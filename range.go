package nextrush

import (
	"io"
	"net/http"
	"strings"
	"time"
)

// ServeContent is http.ServeContent, and keeps to RFC 9110 where that does not: a
// range in another unit than bytes is ignored (§14.2), the last 0 bytes are not
// satisfied (§14.1.2), and an empty content has no part (§14.4).
func ServeContent(w http.ResponseWriter, r *http.Request, name string, modified time.Time, content io.ReadSeeker) {
	if value := r.Header.Get("Range"); value != "" {
		r = withRange(r, soundRange(value, content))
	}
	http.ServeContent(w, r, name, modified, content)
}

// beyond is a range that no content satisfies.
const beyond = "9223372036854775807-"

// soundRange is the range as http.ServeContent has to see it; empty: none.
func soundRange(value string, content io.Seeker) string {
	set, ok := strings.CutPrefix(value, "bytes=")
	if !ok {
		return ""
	}
	if size, err := content.Seek(0, io.SeekEnd); err == nil && size == 0 {
		return ""
	}
	specs := strings.Split(set, ",")
	for i, spec := range specs {
		suffix, ok := strings.CutPrefix(strings.TrimSpace(spec), "-")
		if ok && suffix != "" && strings.Trim(suffix, "0") == "" {
			specs[i] = beyond
		}
	}
	return "bytes=" + strings.Join(specs, ",")
}

// withRange returns a request with another range, for the one that is served stays
// as it is.
func withRange(r *http.Request, value string) *http.Request {
	own := *r
	own.Header = r.Header.Clone()
	own.Header.Del("Range")
	if value != "" {
		own.Header.Set("Range", value)
	}
	return &own
}
