package h1

import (
	"bufio"
	"bytes"
	"net/http"
	"net/url"
	"testing"
)

// The heads of these tests: a load generator's, and a browser's with 14 fields.
const (
	shortHead   = "GET /plaintext HTTP/1.1\r\nHost: localhost:8080\r\n\r\n"
	browserHead = "GET /search?q=go&page=2 HTTP/1.1\r\n" +
		"Host: www.example.com\r\n" +
		"Connection: keep-alive\r\n" +
		"sec-ch-ua: \"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\"\r\n" +
		"sec-ch-ua-mobile: ?0\r\n" +
		"sec-ch-ua-platform: \"Linux\"\r\n" +
		"Upgrade-Insecure-Requests: 1\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8\r\n" +
		"Sec-Fetch-Site: same-origin\r\n" +
		"Sec-Fetch-Mode: navigate\r\n" +
		"Sec-Fetch-User: ?1\r\n" +
		"Sec-Fetch-Dest: document\r\n" +
		"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
		"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\r\n"
	jsonHead = "POST /items HTTP/1.1\r\nHost: localhost:8080\r\nContent-Type: application/json\r\nContent-Length: 42\r\nX-Trace: a\r\n\r\n"
)

var sinkRequest *http.Request

// request is what a server keeps of a request in one allocation, as it might.
type request struct {
	request http.Request
	url     url.URL
}

// fill is Request with the header.
func (h *Head) fill(r *http.Request, u *url.URL) {
	h.Request(r, u)
	f := h.Fields()
	r.Header = f.Header()
}

func (h *Head) get(name string) string {
	f := h.Fields()
	return f.Get(name)
}

func TestAllocations(t *testing.T) {
	var h Head
	for _, c := range []struct {
		name  string
		want  float64
		f     func(head []byte)
		heads []string
	}{
		{"Parse", 1, func(head []byte) { h.Parse(head, 0, maxHeaderBytes) }, []string{shortHead, browserHead, jsonHead}},
		{"an incomplete head", 0, func(head []byte) { h.Parse(head[:len(head)-1], 0, maxHeaderBytes) }, []string{shortHead, browserHead}},
		{"Get", 1, func(head []byte) {
			h.Parse(head, 0, maxHeaderBytes)
			f := h.Fields()
			f.Get("Accept")
			f.Get("X-Trace")
		}, []string{shortHead, browserHead, jsonHead}},
		{"Request of an empty header", 3, func(head []byte) { // head, request, map
			h.Parse(head, 0, maxHeaderBytes)
			r := new(request)
			h.fill(&r.request, &r.url)
			sinkRequest = &r.request
		}, []string{shortHead}},
		{"Request of a few fields", 5, func(head []byte) { // head, request, map of two, values
			h.Parse(head, 0, maxHeaderBytes)
			r := new(request)
			h.fill(&r.request, &r.url)
			sinkRequest = &r.request
		}, []string{jsonHead}},
	} {
		for _, head := range c.heads {
			data := []byte(head)
			if got := testing.AllocsPerRun(100, func() { c.f(data) }); got > c.want {
				t.Errorf("%s: %v allocations, not %v: %.20q", c.name, got, c.want, head)
			}
		}
	}
}

func TestAnswerAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, 1<<10)
	header := http.Header{"Content-Type": {"text/plain"}, "X-A": {"b"}, "Cache-Control": {"no-store"}}
	a := Answer{Asked: Asked{Minor: 1}, Status: 200, Length: -1, Size: 13, Done: true, Header: new(Snapshot)}
	a.Header.Take(header)
	if got := testing.AllocsPerRun(100, func() {
		a.Header.Take(header)
		f := a.Framing()
		buf = a.Append(buf[:0], &f, "", date)
	}); got > 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestBodyAllocatesNothing(t *testing.T) {
	data := []byte("5;a=b\r\nhello\r\n0\r\n\r\n")
	if got := testing.AllocsPerRun(100, func() {
		b := newChunked()
		for n := 0; ; {
			_, took, err := b.Next(data[n:])
			if err != nil {
				return
			}
			n += took
		}
	}); got > 0 {
		t.Errorf("%v allocations", got)
	}
}

func BenchmarkHead(b *testing.B) {
	for _, c := range []struct{ name, head string }{{"short", shortHead}, {"json", jsonHead}, {"browser", browserHead}} {
		data := []byte(c.head)
		b.Run(c.name+"/Parse", func(b *testing.B) {
			var h Head
			b.ReportAllocs()
			for b.Loop() {
				h.Parse(data, 0, maxHeaderBytes)
			}
		})
		b.Run(c.name+"/Request", func(b *testing.B) {
			var h Head
			b.ReportAllocs()
			for b.Loop() {
				h.Parse(data, 0, maxHeaderBytes)
				r := new(request)
				h.fill(&r.request, &r.url)
				sinkRequest = &r.request
			}
		})
		b.Run(c.name+"/ReadRequest", func(b *testing.B) {
			in := bytes.NewReader(data)
			br := bufio.NewReader(in)
			b.ReportAllocs()
			for b.Loop() {
				in.Reset(data)
				br.Reset(in)
				sinkRequest, _ = http.ReadRequest(br)
			}
		})
	}
}

func BenchmarkAnswer(b *testing.B) {
	buf := make([]byte, 0, 1<<10)
	header := http.Header{"Content-Type": {"text/plain"}}
	a := Answer{Asked: Asked{Minor: 1}, Status: 200, Length: -1, Size: 13, Done: true, Header: new(Snapshot)}
	b.ReportAllocs()
	for b.Loop() {
		a.Header.Take(header)
		f := a.Framing()
		buf = a.Append(buf[:0], &f, "", date)
	}
}

func BenchmarkBody(b *testing.B) {
	data := append(append([]byte("2000\r\n"), make([]byte, 8192)...), "\r\n0\r\n\r\n"...)
	b.SetBytes(8192)
	for b.Loop() {
		body := newChunked()
		for n := 0; ; {
			_, took, err := body.Next(data[n:])
			if err != nil {
				break
			}
			n += took
		}
	}
}
