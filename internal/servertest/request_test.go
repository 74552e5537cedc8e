package servertest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// request is the head of a request with the header Host: a, and other lines.
func request(line string, fields ...string) string {
	return line + "\r\n" + strings.Join(append([]string{"Host: a"}, fields...), "\r\n") + "\r\n\r\n"
}

func get(target string, fields ...string) string {
	return request("GET "+target+" HTTP/1.1", fields...)
}

func post(body string, fields ...string) string {
	return request("POST / HTTP/1.1", append(fields, "Content-Length: "+strconv.Itoa(len(body)))...) + body
}

// chunked is a request whose body is in chunks that are given as they are.
func chunked(raw string, fields ...string) string {
	return request("POST / HTTP/1.1", append(fields, "Transfer-Encoding: chunked")...) + raw
}

// echo notes the body and answers.
func echo(p *play, w http.ResponseWriter, r *http.Request) {
	p.noteBody(r)
	fmt.Fprint(w, "ok")
}

// echoCloses is echo for bodies whose end is missing: that the connection cannot be used
// any more, not all servers say.
func echoCloses(p *play, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	echo(p, w, r)
}

// each makes a case of every text; its name has the text, if it is short.
func each(number string, make func(s string) string, texts ...string) (all []testCase) {
	for _, s := range texts {
		name := strconv.QuoteToASCII(s)
		if len(name) > 60 {
			name = fmt.Sprintf("%.30s… %d", name, len(s))
		}
		all = append(all, testCase{name: number + " " + name, text: s, send: make(s)})
	}
	return all
}

var requestCases = slices.Concat(
	strictlyFor(refused, []string{"/\xc3\xbc", "/\xff", "/?\xc3\xbc", "http://\xc3\xbc/", "*"}, each("01 target", func(s string) string { return get(s) }, targets...)),
	each("01 OPTIONS", func(s string) string { return request("OPTIONS " + s + " HTTP/1.1") }, "*", "/", "http://h/", "*/"),
	left([]string{"a:443", "a", "/", "/path?x", "http://a/", "*", "[::1]:443", "a:443/path"}, each("01 CONNECT", func(s string) string { return request("CONNECT " + s + " HTTP/1.1") },
		"a:443", "a", "/", "/path?x", "http://a/", "*", "[::1]:443", "a:b:c", "a:443/path")),
	each("01 method", func(s string) string { return request(s + " / HTTP/1.1") }, methods...),
	each("02 version", func(s string) string { return request("GET / " + s) }, versions...),
	left([]string{"PRI * HTTP/2.0"}, each("02 line", func(s string) string { return s + "\r\nHost: a\r\n\r\n" }, requestLines...)),
	strictlyFor(refused, []string{" X: y", "\tX: y"}, each("03 field", func(s string) string { return get("/", s) }, fields...)),
	strictlyFor(refused, []string{"Host:", "Host: "}, each("03 host", func(s string) string { return "GET /h HTTP/1.1\r\n" + s + "\r\n\r\n" }, hosts...)),
	each("03 host of HTTP/1.0", func(s string) string { return "GET /h HTTP/1.0\r\n" + s + "\r\n" }, "", "Host: a\r\n", "Host:\r\n", "Host: a b\r\n"),
	each("03 host beside an absolute target", func(s string) string { return "GET http://b:80/ HTTP/1.1\r\n" + s + "\r\n" },
		"", "Host: a\r\n", "Host:\r\n", "Host: b:80\r\n", "Host: a b\r\n", "Host: a\r\nHost: b\r\n"),
	each("04 lengths", func(s string) string { return request("POST / HTTP/1.1", strings.Split(s, "|")...) + "hello" },
		"Content-Length: 5|Content-Length: 5", "Content-Length: 5|content-length:5 ", "Content-Length: 5|Content-Length: 6",
		"Content-Length: 5|Content-Length: 05", "Content-Length: 5|X: 1|Content-Length: 5|Content-Length: 5", "Content-Length: 5|Content-Length:"),
	each("05 length of GET", func(s string) string { return get("/", "Content-Length: "+s) + "hello" }, "5", "0"),
	bodies,
	each("06 connection", func(s string) string { return get("/", s) },
		"Connection: close", "Connection: Close", "Connection: keep-alive", "Connection: keep-alive, close", "connection:x,  close ,y",
		"Connection: closed", "Connection: close\r\nConnection: keep-alive", "Connection: keep-alive\r\nConnection: close",
		"Connection: upgrade", "Connection:", "Connection: \"close\"", "Connection: x;close", "Proxy-Connection: close", "Keep-Alive: timeout=5"),
	each("06 connection of HTTP/1.0", func(s string) string { return request("GET / HTTP/1.0", s) },
		"X: 1", "Connection: keep-alive", "Connection: Keep-Alive", "Connection: close", "Connection: keep-alive, close", "Connection: x, keep-alive"),
	each("06 connection of HTTP/1.2", func(s string) string { return request("GET / HTTP/1.2", s) }, "X: 1", "Connection: close"),
	[]testCase{
		{name: "07 remote address, TLS, pattern", send: get("/")},
		{name: "07 addresses of the context", handler: noteAddresses, send: get("/")},
	},
	trailers,
	each("09 before the first line", func(s string) string { return s + get("/") }, "\r\n", "\n", "\r\n\r\n", "\r", " ", "\t"),
	each("09 after GET", func(s string) string { return get("/1") + s + get("/2") }, "\r\n", "\n", "\r\n\r\n", "x"),
	each("09 after POST", func(s string) string { return post("hello") + s + get("/2") },
		"\r\n", "\n", "\r", "\r\n\r\n", "\n\n", "\r\n\r\n\r\n", "x", "\r\nx", " "),
	each("09 after chunks", func(s string) string { return chunked("5\r\nhello\r\n0\r\n\r\n") + s + get("/2") }, "\r\n", "\r\n\r\n"),
	each("10 pragma", func(s string) string { return get("/", strings.Split(s, "|")...) },
		"Pragma: no-cache", "Pragma: No-Cache", "Pragma: no-cache|Cache-Control: max-age=0", "Pragma: no-cache, x", "Pragma: x|Pragma: no-cache", "pragma:no-cache "),
)

var targets = []string{
	"/", "/a/b?x=1&y=2", "/a?", "/?", "//a/b", "///", "/a//b", "/./a/../b", "/..", "/a%2Fb", "/a%2fb", "/a%20b", "/%41", "/%zz", "/%", "/%4", "/%00", "/%0d%0a",
	"/a+b", "/a:b", "/:a", "/a@b", "/a,b;c", "/$&+,/:;=@", "/a|b\"<>^`{}\\", "/~_-.!*'()[]", "/\xc3\xbc", "/\xff", "/%E4%BD%A0", "/a?b?c", "/a?b#c", "/a#frag", "/#", "#", "/?%zz", "/?a;b", "/?\xc3\xbc", "/?a b",
	"*", "*a", "?q", "", ".", "a", "a/b", "a:b", "a:80", ":", ":80", "1:2",
	"http://h/p?q", "http://h", "http://h?q", "http://h:8080/", "http://h:/", "http://h:port/", "http://h:99999/", "http://", "http:///x", "http:/x", "http:x", "HTTP://H/P", "https://user:pw@h/p", "http://@h/",
	"http://[::1]:80/", "http://[::1]/", "http://[::1%25eth0]/", "http://[::1", "http://a b/", "http://a%20b/", "http://a%41/", "http://\xc3\xbc/", "ftp://h/x", "foo+bar://h/x", "1http://h/", "mailto:x@y", "http://h/p#f", "//h@x/", "//[::1]/", "//a:b/",
	"/\x7f", "/\x01", "/\t", "/\x00", "/a\rb", "/a b", "/a\x0bb", "/" + strings.Repeat("a", 8000), "/?" + strings.Repeat("a=b&", 2000),
}

var methods = []string{
	"GET", "get", "Get", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "M-SEARCH", "QUERY", "PROPFIND", "PRI", "X", "!#$%&'*+-.^_`|~09", "1",
	"G(T", "GE\tT", "G\x00T", "G\x7fT", "G\xc3\xbcT", "G/T", "G:T", "\"GET\"", "GET,", "", " GET", "\tGET", "\rGET", strings.Repeat("A", 1000),
}

var versions = []string{
	"HTTP/1.0", "HTTP/1.1", "HTTP/1.2", "HTTP/1.9", "HTTP/1.10", "HTTP/1.", "HTTP/1", "HTTP/11", "HTTP/.1", "HTTP/0.9", "HTTP/0.0", "HTTP/2.0", "HTTP/2", "HTTP/3.0", "HTTP/9.9", "HTTP/01.1", "HTTP/1.01",
	"http/1.1", "Http/1.1", "HTTPS/1.1", "HTTP 1.1", "HTTP/1.1 ", "HTTP/ 1.1", "HTTP/1,1", "HTTP/1.1x", "HTTP/+1.1", "HTTP/-1.1", "HTTP/1.1\t", "HTTP/1.1\r", "HTTP\\1.1", "HTTP/one", "HTP/1.1", "HTTP/1.1 HTTP/1.1", "", "/",
}

var requestLines = []string{
	"GET /", "GET", "", " ", "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET\t/\tHTTP/1.1", "GET /\tHTTP/1.1", "GET / HTTP/1.1 x", "/ HTTP/1.1", "GET HTTP/1.1", "GET/ HTTP/1.1", "GET /HTTP/1.1",
	"GET / a HTTP/1.1", "\x16\x03\x01\x00\x05", "PRI * HTTP/2.0", "SSH-2.0-x", "GET /\x0bHTTP/1.1", "GET /\xa0HTTP/1.1", "HTTP/1.1 200 OK", "get / http/1.1", "GET / HTTP/1.1\r",
}

var fields = []string{
	"Accept: a\r\nAccept: b\r\nX: 1\r\nAccept: c", "aCCept: x", "x-y-z: 1", "X_Y: 1", "x.y!#$%&'*+-^_`|~: 1", "1: 2", "X:", "X: ", "X:  \t ", "X:y", "X: \t y \t", "X: a\tb", "X: a  b", "X: \xc3\xbc\xff", "X: \x80",
	"X: a\x00b", "X: a\x01b", "X: a\x7fb", "X: a\x0bb", "X: a\x0cb", "X: \x00", "X: a\rb", "X: a\r\r\nY: b", "X : y", "X\t: y", ": y", ":", "X", "X y: z", "X\x00: y", "X\x7f: y", "X\xc3\xbc: y", "X\xa0: y", "(X): y", "X@y: z", "X/y: z", "X\"y: z", "X,Y: z", "X;: z", "\x0bX: y", "\x00: y",
	" X: y", "\tX: y", "Cookie: a=b; c=d\r\nCookie: e=f", "Cookie: a=\"b\"; c", "Trailer: X", "Trailer: Content-Length", "Te: trailers", "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__", "Upgrade: foo\r\nConnection: upgrade",
	"Content-Type:", "User-Agent: " + strings.Repeat("x", 8000), strings.Repeat("X: y\r\n", 100) + "Z: z", strings.Repeat("X", 3000) + ": y", "Authorization: Basic eDp5", "Range: bytes=0-1", "If-None-Match: \"x\"", "X-Forwarded-For: 1.2.3.4", "Expect:", "Max-Forwards: 0", "Via: 1.1 x", "Date: x",
	browser,
}

// browser are the fields that a browser sends besides Host.
const browser = "Connection: keep-alive\r\nsec-ch-ua: \"Chromium\";v=\"142\", \"Not_A Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
	"Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\nSec-Fetch-Dest: document\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9"

var hosts = []string{
	"Host: a", "host:a", "HOST: \t a \t", "Host: a:80", "Host: a:", "Host: :80", "Host: [::1]", "Host: [::1]:80", "Host: [::1", "Host: 1.2.3.4", "Host: A.B", "Host: a.", "Host: a_b", "Host: a%41", "Host:", "Host: ", "X: 1",
	"Host: a b", "Host: a\tb", "Host: a/b", "Host: a\\b", "Host: a?b", "Host: a#b", "Host: u@a", "Host: a,b", "Host: a\"", "Host: <a>", "Host: \xc3\xbc", "Host: a\x00", "Host: a:b:c", "Host: a:99999", "Host: http://a", "Host: $%&'()*+,;=!", "Host: {}|^`", "Host: ..",
	"Host: a\r\nHost: a", "Host: a\r\nHost: b", "Host: a\r\nhost: a", "Host: a\r\nX: 1\r\nHost:", "X: 1\r\nHost: a", "Host : a", " Host: a", "Host: a, a",
}

var bodies = []testCase{
	{name: "05 empty POST", send: request("POST / HTTP/1.1")},
	{name: "05 POST of length 0", send: post("")},
	{name: "05 POST", send: post("hello")},
	{name: "05 POST of HTTP/1.0 without a length", send: request("POST / HTTP/1.0") + "hello"},
	{name: "05 POST of HTTP/1.0", send: request("POST / HTTP/1.0", "Content-Length: 5", "Connection: keep-alive") + "hello"},
	{name: "05 large POST", send: post(strings.Repeat("0123456789", 20000))},
	{name: "05 HEAD with a body", send: request("HEAD / HTTP/1.1", "Content-Length: 5") + "hello"},
	{name: "05 DELETE with a body", send: request("DELETE / HTTP/1.1", "Content-Length: 5") + "hello"},
	{name: "05 OPTIONS with a body", send: request("OPTIONS * HTTP/1.1", "Content-Length: 5") + "hello"},
	{name: "05 GET in chunks", send: request("GET / HTTP/1.1", "Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n"},
	{name: "05 HEAD in chunks", send: request("HEAD / HTTP/1.1", "Transfer-Encoding: chunked") + "5\r\nhello\r\n0\r\n\r\n"},
	{name: "05 chunks", send: chunked("5\r\nhello\r\n6; x=y\r\n world\r\n0\r\n\r\n")},
	{name: "05 no chunks", send: chunked("0\r\n\r\n")},
	{name: "05 chunk size in capitals, with zeros", send: chunked("0A\r\n0123456789\r\n00000a\r\n0123456789\r\n000\r\n\r\n")},
	{name: "05 large chunks", send: chunked(strings.Repeat("8000\r\n"+strings.Repeat("x", 0x8000)+"\r\n", 8) + "0\r\n\r\n")},
	{name: "05 body by ReadByte", handler: readBytewise, send: chunked("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n")},
	{name: "05 body after its end", handler: readAfterEnd, send: post("hello")},
	{name: "05 body after its end, in chunks", handler: readAfterEnd, send: chunked("5\r\nhello\r\n0\r\n\r\n")},
	{name: "05 body that ends early", script: steps(send(request("POST / HTTP/1.1", "Content-Length: 9")+"hello"), halfClose, eof), handler: echoCloses},
	{name: "05 chunks that end early", script: steps(send(chunked("5\r\nhel")), halfClose, eof)},
	{name: "05 chunks without an end", script: steps(send(chunked("5\r\nhello\r\n")), halfClose, eof)},
	{name: "05 last chunk without an end", script: steps(send(chunked("5\r\nhello\r\n0\r\n")), halfClose, eof)},
	{name: "05 body in pieces", script: steps(slowly(post("hello")), answer, slowly(chunked("5\r\nhello\r\n0\r\n\r\n")), answer, kept)},
	{name: "05 form", handler: noteForm, send: post("a=1&b=2&a=3", "Content-Type: application/x-www-form-urlencoded")},
}

var trailers = []testCase{
	{name: "08 trailer", send: chunked("5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", "Trailer: X-Sum")},
	{name: "08 trailers", send: chunked("0\r\nx-b: 2\r\nX-A: 1\r\nX-A: 3\r\n\r\n", "Trailer: X-A, x-b", "Trailer: X-C")},
	{name: "08 trailer that was not announced", send: chunked("0\r\nX-Sum: 1\r\n\r\n")},
	{name: "08 trailer that does not come", send: chunked("0\r\n\r\n", "Trailer: X-Sum")},
	{name: "08 trailer of a body with a length", send: post("hello", "Trailer: X-Sum")},
	{name: "08 trailer of forbidden names", send: chunked("0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: b\r\nAuthorization: x\r\n\r\n")},
	{name: "08 forbidden names announced, Content-Length", send: chunked("0\r\n\r\n", "Trailer: Content-Length")},
	{name: "08 forbidden names announced, Transfer-Encoding", send: chunked("0\r\n\r\n", "Trailer: X, Transfer-Encoding")},
	{name: "08 forbidden names announced, Trailer", send: chunked("0\r\n\r\n", "Trailer: trailer")},
	{name: "08 names that are none", send: chunked("0\r\n\r\n", "Trailer: a b, , (")},
	{name: "08 trailer in pieces", script: steps(slowly(chunked("1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n", "Trailer: X-Sum")), answer, kept)},
}

func readBytewise(p *play, w http.ResponseWriter, r *http.Request) {
	var b [1]byte
	var got []byte
	for {
		n, err := r.Body.Read(b[:])
		got = append(got, b[:n]...)
		if err != nil {
			p.note("  %q %v", got, err)
			return
		}
	}
}

func readAfterEnd(p *play, w http.ResponseWriter, r *http.Request) {
	p.noteBody(r)
	p.noteBody(r)
	n, err := r.Body.Read(nil)
	p.note("  nothing: %d %v", n, err)
	p.note("  close: %v", r.Body.Close())
	_, err = r.Body.Read(make([]byte, 1))
	p.note("  after Close: %v", err)
}

func noteForm(p *play, w http.ResponseWriter, r *http.Request) {
	p.note("  %v %v %v", r.ParseForm(), r.Form, r.PostForm)
}

func noteAddresses(p *play, w http.ResponseWriter, r *http.Request) {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(interface{ String() string })
	p.note("  local address %v", local != nil && local.String() == p.ln.Addr().String())
	_, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	p.note("  server %v, other value %v", ok, r.Context().Value("other"))
}
