package benchmarks

import (
	"bufio"
	"bytes"
	"net/http"
	"net/url"
	"testing"

	"github.com/nextrush/nextrush/internal/h1"
	"github.com/valyala/fasthttp"
)

// The heads are what load generators send, and what a browser does.
var heads = []struct{ name, text string }{
	{"short", "GET /plaintext HTTP/1.1\r\nHost: localhost:8080\r\n\r\n"},
	{"browser", "GET /search?q=go&page=2 HTTP/1.1\r\n" +
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
		"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\r\n"},
}

var (
	sink *http.Request
	lazy h1.Fields
)

// BenchmarkHead compares what reads the head of a request. That of fasthttp is used again
// for each, with its buffers; Lazy keeps a copy of the head, and Request is net/http's.
func BenchmarkHead(b *testing.B) {
	for _, head := range heads {
		data := []byte(head.text)
		in := bytes.NewReader(data)
		br := bufio.NewReader(in)
		reset := func() {
			in.Reset(data)
			br.Reset(in)
		}
		run := func(name string, f func()) {
			b.Run(head.name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f()
				}
			})
		}
		var h h1.Head
		var fast fasthttp.RequestHeader
		run("Lazy", func() {
			h.Parse(data, 0, 64<<10)
			lazy = h.Fields()
		})
		run("Request", func() {
			h.Parse(data, 0, 64<<10)
			r := new(struct {
				http.Request
				url url.URL
			})
			h.Request(&r.Request, &r.url)
			f := h.Fields()
			r.Header = f.Header()
			sink = &r.Request
		})
		run("fasthttp", func() {
			reset()
			if err := fast.Read(br); err != nil {
				b.Fatal(err)
			}
			fast.Peek("Accept") // it is read when something is asked of it
		})
		run("net_http", func() {
			reset()
			sink, _ = http.ReadRequest(br)
		})
	}
}
