package h1

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

const (
	post = "POST / HTTP/1.1\r\nHost: x\r\n"
	gets = "GET / HTTP/1.1\r\nHost: x\r\n"
)

// vectors are what requests have been smuggled with, and what becomes of it. Where net/http
// answers otherwise, the rule is one that it does not have.
var vectors = []struct {
	name, head    string
	ours, netHTTP int // 200 if it is taken
}{
	{"Content-Length before Transfer-Encoding", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400, 200},
	{"Transfer-Encoding before Content-Length", post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400, 200},
	{"both in another case", post + "transfer-ENCODING: Chunked\r\ncontent-length: 0\r\n\r\n", 400, 200},
	{"Transfer-Encoding in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, 200},
	{"gzip, chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, 501},
	{"chunked, chunked", post + "Transfer-Encoding: chunked, chunked\r\n\r\n", 400, 501},
	{"chunked, gzip", post + "Transfer-Encoding: chunked, gzip\r\n\r\n", 400, 501},
	{"gzip", post + "Transfer-Encoding: gzip\r\n\r\n", 501, 501},
	{"chunked on two lines", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400, 501},
	{"chunked and identity on two lines", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 400, 501},
	{"identity", post + "Transfer-Encoding: identity\r\n\r\n", 501, 501},
	{"xchunked", post + "Transfer-Encoding: xchunked\r\n\r\n", 501, 501},
	{"quoted chunked", post + "Transfer-Encoding: \"chunked\"\r\n\r\n", 501, 501},
	{"chunked with parameter", post + "Transfer-Encoding: chunked;a=b\r\n\r\n", 501, 501},
	{"chunked with comma", post + "Transfer-Encoding: chunked,\r\n\r\n", 501, 501},
	{"vertical tab before chunked", post + "Transfer-Encoding: \vchunked\r\n\r\n", 400, 400},
	{"no-break space before chunked", post + "Transfer-Encoding: \xa0chunked\r\n\r\n", 501, 501},
	{"empty Transfer-Encoding", post + "Transfer-Encoding:\r\n\r\n", 400, 501},
	{"NUL in Transfer-Encoding's name", post + "Transfer-Encoding\x00: chunked\r\n\r\n", 400, 400},
	{"space behind Transfer-Encoding", post + "Transfer-Encoding : chunked\r\n\r\n", 400, 400},
	{"tab behind Transfer-Encoding", post + "Transfer-Encoding\t: chunked\r\n\r\n", 400, 400},
	{"space in Transfer-Encoding's name", post + "Transfer Encoding: chunked\r\n\r\n", 400, 400},
	{"blanks around chunked", post + "Transfer-Encoding:\t chunked\t \r\n\r\n", 200, 200},

	{"Content-Length with sign", post + "Content-Length: +5\r\n\r\n", 400, 400},
	{"negative Content-Length", post + "Content-Length: -0\r\n\r\n", 400, 400},
	{"hexadecimal Content-Length", post + "Content-Length: 0x5\r\n\r\n", 400, 400},
	{"list of Content-Lengths", post + "Content-Length: 5,5\r\n\r\n", 400, 400},
	{"Content-Length with space", post + "Content-Length: 5 5\r\n\r\n", 400, 400},
	{"Content-Length with underscore", post + "Content-Length: 5_0\r\n\r\n", 400, 400},
	{"empty Content-Length", post + "Content-Length: \r\n\r\n", 400, 400},
	{"Content-Length of 2⁶³", post + "Content-Length: 9223372036854775808\r\n\r\n", 400, 400},
	{"Content-Length of 2⁶⁴", post + "Content-Length: 18446744073709551616\r\n\r\n", 400, 400},
	{"Content-Length in other digits", post + "Content-Length: ٥\r\n\r\n", 400, 400},
	{"Content-Lengths that differ", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400, 400},
	{"Content-Lengths that differ in zeros", post + "Content-Length: 5\r\nContent-Length: 05\r\n\r\n", 400, 400},
	{"equal Content-Lengths", post + "Content-Length: 0\r\nContent-Length:  0 \r\n\r\n", 200, 200},
	{"body of GET", gets + "Content-Length: 0\r\n\r\n", 200, 200},

	{"bare LF behind the request line", "GET / HTTP/1.1\nHost: x\r\n\r\n", 400, 200},
	{"bare LF behind a field", "GET / HTTP/1.1\r\nHost: x\n\r\n", 400, 200},
	{"bare LF at the end", gets + "\n", 400, 200},
	{"field behind bare LF", gets + "A: b\nTransfer-Encoding: chunked\r\n\r\n", 400, 200},
	{"bare CR in the request line", "GET /\r HTTP/1.1\r\nHost: x\r\n\r\n", 400, 400},
	{"bare CR in a value", gets + "A: b\rTransfer-Encoding: chunked\r\n\r\n", 400, 400},
	{"bare CR in a name", gets + "A\rB: c\r\n\r\n", 400, 400},
	{"CR before CRLF", gets + "A: b\r\r\n\r\n", 400, 400},
	{"CR and another byte as end", gets + "\rX\r\n\r\n", 400, 400},

	{"folded field", gets + "A: b\r\n c\r\n\r\n", 400, 200},
	{"folded Transfer-Encoding", post + "Transfer-Encoding:\r\n chunked\r\n\r\n", 400, 200},
	{"empty fold", gets + "A: b\r\n \r\n\r\n", 400, 200},
	{"fold behind the request line", "GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400, 400},
	{"space before colon", gets + "A : b\r\n\r\n", 400, 400},
	{"empty name", gets + ": b\r\n\r\n", 400, 400},
	{"no colon", gets + "A\r\n\r\n", 400, 400},
	{"control character in a name", gets + "A\x01: b\r\n\r\n", 400, 400},
	{"NUL in a name", gets + "A\x00: b\r\n\r\n", 400, 400},
	{"high byte in a name", gets + "\xc3\xa4: b\r\n\r\n", 400, 400},
	{"separator in a name", gets + "A(b): c\r\n\r\n", 400, 400},
	{"control character in a value", gets + "A: \x01\r\n\r\n", 400, 400},
	{"NUL in a value", gets + "A: b\x00c\r\n\r\n", 400, 400},
	{"DEL in a value", gets + "A: b\x7f\r\n\r\n", 400, 400},
	{"obs-text in a value", gets + "A: \x80\xff\r\n\r\n", 200, 200},

	{"two spaces", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400, 400},
	{"tabs", "GET\t/\tHTTP/1.1\r\nHost: x\r\n\r\n", 400, 400},
	{"space at the end of the line", "GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 400, 400},
	{"space before the method", " GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400, 400},
	{"no version", "GET /\r\nHost: x\r\n\r\n", 400, 400},
	{"HTTP/0.9", "GET /\r\n\r\n", 400, 400},
	{"HTTP/1.10", "GET / HTTP/1.10\r\nHost: x\r\n\r\n", 400, 400},
	{"HTTP/1", "GET / HTTP/1\r\nHost: x\r\n\r\n", 400, 400},
	{"version in lower case", "GET / http/1.1\r\nHost: x\r\n\r\n", 400, 400},
	{"HTTP/2.0", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, 505},
	{"HTTP/0.1", "GET / HTTP/0.1\r\nHost: x\r\n\r\n", 505, 505},
	{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: x\r\n\r\n", 200, 200},
	{"control character in the target", "GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n", 400, 400},
	{"NUL in the query", "GET /?\x00 HTTP/1.1\r\nHost: x\r\n\r\n", 400, 400},
	{"empty line first", "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400, 400},
	{"no Host", "GET / HTTP/1.1\r\n\r\n", 400, 400},
	{"two Hosts", gets + "Host: y\r\n\r\n", 400, 400},
	{"equal Hosts", gets + "host: x\r\n\r\n", 400, 400},
	{"malformed Host", "GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400, 400},
	{"empty Host", "GET / HTTP/1.1\r\nHost: \r\n\r\n", 400, 200},
	{"empty Host beside an absolute target", "GET http://x/ HTTP/1.1\r\nHost:\r\n\r\n", 200, 200},
	{"empty Host of HTTP/1.0", "GET / HTTP/1.0\r\nHost:\r\n\r\n", 200, 200},
	{"asterisk of GET", "GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400, 200},
	{"asterisk of OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 200, 200},
	{"UTF-8 in the path", "GET /ä HTTP/1.1\r\nHost: x\r\n\r\n", 400, 200},
	{"high byte in the query", "GET /?\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400, 200},
	{"absolute target without Host", "GET http://x/ HTTP/1.1\r\n\r\n", 400, 400},
	{"absolute target", "GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n", 200, 200},
	{"h2c", gets + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n", 200, 200},
	{"unknown expectation", gets + "Expect: 200-ok\r\n\r\n", 417, 417},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			var h Head
			ours := 200
			_, whole, err := h.Parse([]byte(v.head), 0, maxHeaderBytes)
			if r, ok := err.(*Refusal); ok {
				ours = r.Status
			} else if !whole || err != nil {
				t.Fatalf("whole: %v, %v", whole, err)
			}
			c := theJudge().serve([]byte(v.head), last)
			if netHTTP := statusOf(t, c); ours != v.ours || netHTTP != v.netHTTP {
				t.Errorf("%d, not %d; net/http %d, not %d: %v", ours, v.ours, netHTTP, v.netHTTP, err)
			}
			if r, ok := err.(*Refusal); ok && v.netHTTP == 200 && !r.Stricter {
				t.Error("a rule that net/http does not have, and that does not say so")
			}
			agree(t, []byte(v.head))
		})
	}
}

// statusOf returns the status of the first answer of net/http.
func statusOf(t *testing.T, c *conn) (status int) {
	t.Helper()
	for s, text := range map[int]string{200: "200 OK", 400: "400 ", 417: "417 ", 501: "501 ", 505: "505 "} {
		if strings.HasPrefix(c.out.String(), "HTTP/1.1 "+text) || strings.HasPrefix(c.out.String(), "HTTP/1.0 "+text) {
			return s
		}
	}
	t.Fatalf("net/http says %q", c.out.Bytes())
	return 0
}

// bodyVectors are the same for bodies that are chunked, refused or not.
var bodyVectors = []struct {
	name, body    string
	ours, netHTTP bool
}{
	{"content", "5\r\nhello\r\n0\r\n\r\n", true, true},
	{"16 digits", "0000000000000005\r\nhello\r\n0\r\n\r\n", true, true},
	{"last chunk of zeros", "5\r\nhello\r\n000\r\n\r\n", true, true},
	{"extension", "5;a=b;c=\"d\\\"\"\r\nhello\r\n0;e\r\n\r\n", true, true},
	{"extension with blanks", "5;\ta = b ; c =\"\" ;d\r\nhello\r\n0\r\n\r\n", true, true},
	{"quoted CRLF", "5;a=\"\r\nhello\r\n0\r\n\r\n", false, true},
	{"quoted pair before CRLF", "5;a=\"\\\r\nhello\r\n0\r\n\r\n", false, true},
	{"semicolon alone", "5;\r\nhello\r\n0\r\n\r\n", false, true},
	{"two semicolons", "5;;a\r\nhello\r\n0\r\n\r\n", false, true},
	{"extension with a name outside the grammar of a token", "5;a[=b\r\nhello\r\n0\r\n\r\n", false, true},
	{"extension without value", "5;a=\r\nhello\r\n0\r\n\r\n", false, true},
	{"two values of an extension", "5;a=\"b\"c\r\nhello\r\n0\r\n\r\n", false, true},
	{"blank behind an extension", "5;a \r\nhello\r\n0\r\n\r\n", false, true},
	{"sign", "+5\r\nhello\r\n0\r\n\r\n", false, false},
	{"negative", "-5\r\nhello\r\n0\r\n\r\n", false, false},
	{"0x", "0x5\r\nhello\r\n0\r\n\r\n", false, false},
	{"space before the size", " 5\r\nhello\r\n0\r\n\r\n", false, false},
	{"space behind the size", "5 \r\nhello\r\n0\r\n\r\n", false, true},
	{"tab behind the last size", "5\r\nhello\r\n0\t\r\n\r\n", false, true},
	{"space before the extension", "5 ;a\r\nhello\r\n0\r\n\r\n", false, false},
	{"underscore", "5_\r\nhello\r\n0\r\n\r\n", false, false},
	{"no size", "\r\nhello\r\n0\r\n\r\n", false, false},
	{"extension without size", ";a\r\nhello\r\n0\r\n\r\n", false, false},
	{"17 digits", "00000000000000005\r\nhello\r\n0\r\n\r\n", false, false},
	{"5,000 zeros", strings.Repeat("0", 5000) + "5\r\nhello\r\n0\r\n\r\n", false, false},
	{"too little content", "6\r\nhello\r\n0\r\n\r\n", false, false},
	{"too much content", "4\r\nhello\r\n0\r\n\r\n", false, false},
	{"no CRLF behind the content", "5\r\nhello0\r\n\r\n", false, false},
	{"LF behind the content", "5\r\nhello\n0\r\n\r\n", false, false},
	{"other bytes behind the content", "5\r\nhelloXX0\r\n\r\n", false, false},
	{"LF behind the size", "5\nhello\r\n0\r\n\r\n", false, false},
	{"CR behind the size", "5\rhello\r\n0\r\n\r\n", false, false},
	{"LF in the extension", "5;a\nhello\r\n0\r\n\r\n", false, false},
	{"CR in the extension", "5;a\rb\r\nhello\r\n0\r\n\r\n", false, false},
	{"NUL in the extension", "5;a\x00\r\nhello\r\n0\r\n\r\n", false, true},
	{"DEL in the extension", "5;a\x7f\r\nhello\r\n0\r\n\r\n", false, true},
	{"long extension", "5;" + strings.Repeat("a", 4096-4) + "\r\nhello\r\n0\r\n\r\n", true, true},
	{"longer extension", "5;" + strings.Repeat("a", 4096-3) + "\r\nhello\r\n0\r\n\r\n", false, false},
	{"chunks of a byte", strings.Repeat("1\r\na\r\n", 30000) + "0\r\n\r\n", true, true},
	{"chunks of a byte with extensions", strings.Repeat("1;aaaaaaaaaaaaaaaaaaaaaaaaaa\r\na\r\n", 3000) + "0\r\n\r\n", false, false},
	{"extensions beside enough content", strings.Repeat("f;aaaaaaaaaaaaaaaaaaaaaaaaaa\r\n123456789012345\r\n", 3000) + "0\r\n\r\n", true, true},
	{"chunk of 2⁶² bytes", "4000000000000000\r\nhello", false, false},

	{"trailer", "0\r\nA: b\r\n\r\n", true, true},
	{"trailer that frames", "0\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nHost: x\r\nAuthorization: x\r\n\r\n", true, true},
	{"trailer of 4 KiB", "0\r\nA: " + strings.Repeat("b", 4096-7) + "\r\n\r\n", true, true},
	{"trailer of more", "0\r\nA: " + strings.Repeat("b", 4096-6) + "\r\n\r\n", false, false},
	{"LF in the trailer", "0\r\nA: b\n\r\n\r\n", false, true},
	{"trailer that ends with LF", "0\r\nA: b\n\nGET / HTTP/1.1\r\n\r\n", false, true},
	{"LF for the trailer", "0\r\n\nGET / HTTP/1.1\r\n\r\n", false, true},
	{"folded trailer", "0\r\nA: b\r\n c\r\n\r\n", false, true},
	{"space in a trailer's name", "0\r\nA b: c\r\n\r\n", false, true},
	{"no colon in the trailer", "0\r\nA\r\n\r\n", false, false},
	{"NUL in the trailer", "0\r\nA: \x00\r\n\r\n", false, false},
	{"two bytes that are no CRLF at the end", "0\r\nXX", false, false},
}

func TestBodyVectors(t *testing.T) {
	for _, v := range bodyVectors {
		t.Run(v.name, func(t *testing.T) {
			b := newChunked()
			_, _, err := read(&b, []byte(v.body), len(v.body))
			var body string
			var netHTTP error
			theJudge().serve([]byte(chunkedHead+v.body), func(w http.ResponseWriter, r *http.Request) {
				last(w, r)
				var read []byte
				read, netHTTP = io.ReadAll(r.Body)
				body = string(read)
			})
			if (err == io.EOF) != v.ours || (netHTTP == nil) != v.netHTTP {
				t.Errorf("%v, net/http %v with %.100q", err, netHTTP, body)
			}
			if r, ok := err.(*Refusal); ok && v.netHTTP && !r.Stricter {
				t.Error("a rule that net/http does not have, and that does not say so")
			}
			bodiesAgree(t, []byte(v.body))
		})
	}
}
