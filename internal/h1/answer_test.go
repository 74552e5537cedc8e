package h1

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A script is what a handler does, and for which request.
type script struct {
	method, proto, connection string
	length                    int // of the request's body, which does not come
	status                    int
	header                    http.Header
	size                      int         // of the content
	flush                     bool        // whether it is flushed before the handler returns
	late                      http.Header // what is added to the header then
}

// request has another one behind it, which is served if the connection goes on.
func (s *script) request() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s / %s\r\nHost: x\r\n", s.method, s.proto)
	if s.connection != "" {
		fmt.Fprintf(&b, "Connection: %s\r\n", s.connection)
	}
	if s.length > 0 {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", s.length)
	}
	return append(b.Bytes(), "\r\nGET /next HTTP/1.0\r\n\r\n"...)
}

func (s *script) content() []byte { return bytes.Repeat([]byte("a"), s.size) }

// handle is the script as a handler of net/http.
func (s *script) handle(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/next" {
		return
	}
	maps.Copy(w.Header(), s.header)
	w.WriteHeader(s.status)
	if s.size > 0 {
		w.Write(s.content())
	}
	if s.flush {
		w.(http.Flusher).Flush()
	}
	maps.Copy(w.Header(), s.late)
}

// answer returns what a server with this package sends for the script, and whether the
// connection goes on.
func (s *script) answer(t *testing.T, set func(*Answer)) (out []byte, goesOn bool) {
	t.Helper()
	var h Head
	if _, whole, err := h.Parse(s.request(), 0, maxHeaderBytes); !whole {
		t.Fatal(err)
	}
	a := Answer{Asked: h.Asked(), Status: s.status, Header: new(Snapshot)}
	a.Header.Take(s.header)
	a.Length, _ = DeclaredLength(s.header)
	if n := int64(s.size); bodyAllowed(s.status) && (a.Length < 0 || n <= a.Length) {
		a.Size = s.size
	}
	a.Done = !s.flush && a.Size <= 2048
	set(&a)
	f := a.Framing()
	out = a.Append(nil, &f, "text/plain; charset=utf-8", date)
	if f.Chunked && a.Size > 0 {
		out = append(AppendChunk(out, a.Size), append(s.content(), "\r\n"...)...)
	} else if f.HasBody {
		out = append(out, s.content()[:a.Size]...)
	}
	if f.Chunked {
		final := s.header.Clone()
		maps.Copy(final, s.late)
		out = AppendTrailer(out, final, f.Trailers)
	}
	wrong := f.HasBody && f.Length >= 0 && f.Length != int64(s.size) // a refused Write counts as well
	return out, !f.Close && !wrong
}

func noChange(*Answer) {}

// answersAgree compares what is sent for the script with what net/http sends.
func answersAgree(t *testing.T, j *judge, s *script, set func(*Answer)) {
	t.Helper()
	c := j.serve(s.request(), s.handle)
	want := withoutDate(c.out.Bytes())
	got, goesOn := s.answer(t, set)
	if goesOn {
		want = want[:max(0, bytes.LastIndex(want, []byte("HTTP/1.0 200 OK")))]
	}
	if n, _ := DeclaredLength(s.header); n < 0 && s.header["Content-Length"] != nil {
		want = withoutLengths(want)
	}
	if goesOn != (len(c.requests) == 2) || !bytes.Equal(got, want) {
		t.Errorf("%+v:\nsent          %.300q, goes on: %v\nnet/http sent %.300q, goes on: %v", *s, got, goesOn, want, len(c.requests) == 2)
	}
}

// withoutLengths drops what net/http sends of an invalid Content-Length where it sends no
// other: with HEAD, to HTTP/1.0, and with Transfer-Encoding: identity.
func withoutLengths(answer []byte) []byte {
	head, content, _ := strings.Cut(string(answer), "\r\n\r\n")
	head = regexp.MustCompile("\r\nContent-Length: [^\r]*").ReplaceAllString(head, "")
	return []byte(head + "\r\n\r\n" + content)
}

var headers = []http.Header{
	{},
	{"Content-Type": {"text/html"}, "X-B": {"2"}, "X-A": {"1", "0"}, "x-a": {"low"}},
	{"Content-Type": nil, "Date": nil},
	{"Date": {"today"}},
	{"Content-Encoding": {"gzip"}},
	{"Content-Length": {"3"}},
	{"Content-Length": {"0"}},
	{"Content-Length": {"+3"}},
	{"Content-Length": {"x"}},
	{"Content-Length": {""}},
	{"Content-Length": nil},
	{"Content-Length": {"3"}, "Connection": {"keep-alive"}},
	{"Content-Length": {"3"}, "Transfer-Encoding": {"chunked"}},
	{"Content-Length": {"3"}, "Transfer-Encoding": {"identity"}},
	{"Transfer-Encoding": {"chunked"}},
	{"Transfer-Encoding": {"identity"}},
	{"Transfer-Encoding": {"gzip"}},
	{"Transfer-Encoding": nil},
	{"Connection": {"close"}},
	{"Connection": {"Close"}},
	{"Connection": {"x, close"}},
	{"Connection": {"keep-alive"}},
	{"Connection": nil},
	{"Connection": {"close"}, "Content-Length": {"3"}},
	{"Connection": {"Upgrade"}, "Upgrade": {"x"}},
	{"Connection": {"Upgrade, close"}, "Upgrade": {"x"}},
	{"Trailer": {"A, b-c", "Content-Length, If-Match,,"}, "A": {"early"}},
	{"Trailer": {""}},
	{"Trailer:A": {"b"}},
	{"Trailer:A": {"b"}, "Trailer": {"A"}},
	{"A b": {"invalid"}, "": {"invalid"}, "A:": {"invalid"}, "A\r\n": {"invalid"}, "Ä": {"invalid"}},
	{"A": {"b\r\nC: d", "\r\n \te\n", "\x00\xff", ""}},
}

// scripts yields requests and answers in every combination that there is a rule for.
func scripts(yield func(*script)) {
	for _, method := range []string{"GET", "HEAD"} {
		for _, proto := range []string{"HTTP/1.0", "HTTP/1.1", "HTTP/1.2"} {
			for _, connection := range []string{"", "keep-alive", "close", "keep-alive, close", "x close"} {
				for _, status := range []int{200, 404, 204, 304, 101, 299, 999} {
					for _, header := range headers {
						for _, size := range []int{0, 3, 2048, 2049} {
							for _, flush := range []bool{false, true} {
								yield(&script{method: method, proto: proto, connection: connection, status: status, header: header, size: size, flush: flush})
							}
						}
					}
				}
			}
		}
	}
}

// every is how many combinations there are to one that is tested. They all agree with
// net/http if it is 1, which takes a minute under the race detector.
const every = 11

func TestAnswersAgreeWithNetHTTP(t *testing.T) {
	n := 0
	scripts(func(s *script) {
		if n++; n%every > 0 {
			return
		}
		if s.header["Trailer"] != nil {
			s.late = http.Header{"A": {"late"}, "B-C": {"x", "y"}, "Content-Length": {"9"}, "If-Match": {"z"}, "Trailer:B": {"late\r\n"}}
		}
		answersAgree(t, theJudge(), s, noChange)
	})
}

// Keep-alive can be switched off for all of a server only, and net/http waits for half a
// second after an answer to a request whose body is too large.
func TestEndsOfConnectionsAgreeWithNetHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		off, on := newJudge(), newJudge()
		off.SetKeepAlivesEnabled(false)
		n := 0
		scripts(func(s *script) {
			if n++; n%every > 0 {
				return
			}
			answersAgree(t, off, s, func(a *Answer) { a.NoKeepAlive = true })
			s.length = 1 << 20
			answersAgree(t, on, s, func(a *Answer) { a.TooLarge = true })
		})
		off.end()
		on.end()
	})
}

func TestInformationalAnswersAgreeWithNetHTTP(t *testing.T) {
	for _, proto := range []string{"HTTP/1.0", "HTTP/1.1"} {
		for _, header := range headers {
			c := theJudge().serve([]byte("GET / "+proto+"\r\nHost: x\r\n\r\n"), func(w http.ResponseWriter, _ *http.Request) {
				maps.Copy(w.Header(), header)
				w.WriteHeader(http.StatusEarlyHints)
				w.WriteHeader(http.StatusProcessing)
			})
			asked := Asked{Minor: int8(c.requests[0].ProtoMinor)}
			want := AppendInformational(nil, asked, http.StatusEarlyHints, header)
			want = AppendInformational(want, asked, http.StatusProcessing, header)
			if !bytes.HasPrefix(c.out.Bytes(), append(want, "HTTP/"...)) {
				t.Errorf("%v: %q, net/http sent %q", header, want, c.out.Bytes())
			}
		}
	}
}

func TestContinueHeadIsThatOfNetHTTP(t *testing.T) {
	request := "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na"
	c := theJudge().serve([]byte(request), func(w http.ResponseWriter, r *http.Request) { io.ReadAll(r.Body) })
	if !bytes.HasPrefix(c.out.Bytes(), []byte(ContinueHead+"HTTP/1.1 200 OK\r\n")) {
		t.Errorf("net/http sent %q", c.out.Bytes())
	}
	var h Head
	if h.Parse([]byte(request), 0, maxHeaderBytes); !h.Continue {
		t.Error("the client is not known to wait")
	}
}

func TestAppendDate(t *testing.T) {
	zone := time.FixedZone("", 3600)
	if got := string(AppendDate([]byte("> "), time.Date(2026, 11, 29, 13, 0, 0, 999, zone))); got != "> "+date {
		t.Errorf("%q", got)
	}
}
