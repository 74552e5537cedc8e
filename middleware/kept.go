package middleware

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nextrush/nextrush"
)

// keptAnswer is an answer as Cache and Idempotency keep it: as JSON in one line, and then
// the body.
type keptAnswer struct {
	Status int         `json:"status,omitempty"` // 0: there are only the variants
	Header http.Header `json:"header,omitempty"`
	variants
	At    time.Time `json:"at,omitzero"`
	Fresh time.Time `json:"fresh,omitzero"` // until then
	Stale time.Time `json:"stale,omitzero"` // until then it is used while another is fetched
	body  []byte
}

// variants is what the answers for a URL depend on. The key of each depends on Series, so
// that all are out of reach when that is removed.
type variants struct {
	Vary   []string `json:"vary,omitempty"` // names of request headers, sorted
	Series string   `json:"series,omitempty"`
}

// newKept keeps what is held back, and of the header what differs from before. The answer
// depends on what others for its URL have depended on, too.
func newKept(w *held, before http.Header, v variants) *keptAnswer {
	h, now := w.Header(), time.Now()
	k := &keptAnswer{Status: w.status, Header: changedHeader(h, before), At: now.Add(-seconds64(h.Get("Age"))), body: slices.Clone(w.body.Bytes())}
	k.Fresh = now.Add(lifetime(w.status, h))
	k.Stale = k.Fresh.Add(seconds64(directives(h)["stale-while-revalidate"]))
	for name := range strings.SplitSeq(strings.Join(append(h["Vary"], v.Vary...), ","), ",") {
		if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); name != "" {
			k.Vary = append(k.Vary, name)
		}
	}
	slices.Sort(k.Vary)
	k.Vary, k.Series = slices.Compact(k.Vary), v.Series
	return k
}

// changedHeader is what of a header differs from before, without what belongs to one
// message alone.
func changedHeader(h, before http.Header) http.Header {
	changed := make(http.Header)
	for name, values := range h {
		if !slices.Equal(values, before[name]) {
			changed[name] = values
		}
	}
	dropHops(changed)
	for _, name := range []string{"Content-Length", "Date", "Age", "Set-Cookie"} {
		changed.Del(name)
	}
	return changed
}

// lifetime is how long a shared cache may use an answer; 0: it may not (RFC 9111 §3,
// §4.2.1).
func lifetime(status int, h http.Header) time.Duration {
	switch status {
	case 200, 203, 204, 300, 301, 308, 404, 410:
	default:
		return 0
	}
	said := directives(h)
	for _, no := range []string{"no-store", "no-cache", "private"} {
		if _, ok := said[no]; ok {
			return 0
		}
	}
	if h["Set-Cookie"] != nil || h["Content-Range"] != nil || h["Trailer"] != nil || strings.Contains(strings.Join(h["Vary"], ","), "*") || hasNonce(h) {
		return 0
	}
	age := seconds64(h.Get("Age"))
	for _, name := range []string{"s-maxage", "max-age"} {
		if value, ok := said[name]; ok {
			return max(0, seconds64(value)-age)
		}
	}
	expires, err := http.ParseTime(h.Get("Expires"))
	if err != nil {
		return 0
	}
	return max(0, time.Until(expires)-age)
}

// hasNonce reports whether the answer's policy lets a nonce in, which is for one answer
// alone (CSP3 §7.1).
func hasNonce(h http.Header) bool {
	policies := slices.Concat(h["Content-Security-Policy"], h["Content-Security-Policy-Report-Only"])
	return strings.Contains(strings.ToLower(strings.Join(policies, ",")), "'nonce-")
}

// directives reads Cache-Control (RFC 9111 §5.2). Of a time that is said twice the
// shorter counts.
func directives(h http.Header) map[string]string {
	said := make(map[string]string)
	for part := range strings.SplitSeq(strings.Join(h["Cache-Control"], ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.Trim(value, ` "`)
		if before, twice := said[name]; name != "" && (!twice || seconds64(value) < seconds64(before)) {
			said[name] = value
		}
	}
	return said
}

// seconds64 reads delta-seconds (RFC 9111 §1.2.2); what is none is 0, and more than a
// year is a year.
func seconds64(s string) time.Duration {
	const year = 365 * 24 * 60 * 60
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil && n == 0 {
		return 0
	}
	return time.Duration(min(n, year)) * time.Second
}

func (k *keptAnswer) fresh(now time.Time) bool { return k != nil && now.Before(k.Fresh) }

func (k *keptAnswer) stale(now time.Time) bool { return k != nil && now.Before(k.Stale) }

// bytes is nil if the header has what JSON has not: then the answer is not kept.
func (k *keptAnswer) bytes() []byte {
	for _, values := range k.Header {
		if !utf8.ValidString(strings.Join(values, "")) {
			return nil
		}
	}
	var b bytes.Buffer
	json.NewEncoder(&b).Encode(k) // cannot fail
	b.Write(k.body)
	return b.Bytes()
}

// parseKept returns nil if b is not of keptAnswer.bytes.
func parseKept(b []byte) *keptAnswer {
	line, body, ok := bytes.Cut(b, []byte("\n"))
	k := &keptAnswer{body: body}
	if !ok || json.Unmarshal(line, k) != nil {
		return nil
	}
	return k
}

// serve answers with k. A content answers conditions and ranges.
func (k *keptAnswer) serve(c *nextrush.Context, cacheStatus string) error {
	h := c.Writer().Header()
	maps.Copy(h, k.Header)
	if age := time.Since(k.At) / time.Second; age > 0 {
		h.Set("Age", strconv.FormatInt(int64(age), 10))
	}
	h.Set("Cache-Status", "nextrush; "+cacheStatus)
	if k.Status == http.StatusOK {
		modified, _ := http.ParseTime(h.Get("Last-Modified"))
		return c.ServeContent("", modified, bytes.NewReader(k.body))
	}
	return k.write(c)
}

// write answers with k as it is.
func (k *keptAnswer) write(c *nextrush.Context) error {
	c.Writer().WriteHeader(k.Status)
	if c.Method() == http.MethodHead || len(k.body) == 0 {
		return nil
	}
	_, err := c.Writer().Write(k.body)
	return err
}

// withoutConditions has a handler give the whole of its answer.
func withoutConditions(r *http.Request) *http.Request {
	clone := r.WithContext(r.Context())
	clone.Header = r.Header.Clone()
	for _, name := range []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"} {
		clone.Header.Del(name)
	}
	return clone
}

// urlKey is the key of all answers for a URL.
func urlKey(c *nextrush.Context) string {
	return "cache:" + digest(c.Scheme(), c.Host(), c.Request().URL.EscapedPath(), c.Request().URL.RawQuery)
}

// key is that of the answer to requests with these headers (RFC 9111 §4.1).
func (v variants) key(url string, h http.Header) string {
	parts := []string{url, v.Series}
	for _, name := range v.Vary {
		parts = append(parts, name, strings.Join(h[name], ","))
	}
	return "cache:" + digest(parts...)
}

// digest is the SHA-256 of texts, which may have any bytes.
func digest(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		io.WriteString(h, strconv.Itoa(len(part))+":"+part)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
