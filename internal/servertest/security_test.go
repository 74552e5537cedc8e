package servertest

import (
	"fmt"
	"slices"
	"strings"
)

// strictly has strict servers do what they do in another case.
func strictly(as string, all []testCase) []testCase {
	for i := range all {
		all[i].strict = as
	}
	return all
}

// strictlyFor is strictly for the cases of some texts.
func strictlyFor(as string, texts []string, all []testCase) []testCase {
	for i, c := range all {
		if slices.Contains(texts, c.text) {
			all[i].strict = as
		}
	}
	return all
}

// leftToNetHTTP is why the connection of a request ends that the event loop leaves to
// net/http.
const leftToNetHTTP = "net/http would read what follows"

// left is for cases that the event loop leaves to net/http, if they have one of the texts or
// there are none.
func left(texts []string, all []testCase) []testCase {
	for i, c := range all {
		if texts == nil || slices.Contains(texts, c.text) {
			all[i].differs = map[string]string{"loop": leftToNetHTTP}
		}
	}
	return all
}

// te is a POST with these lines, and a chunked body.
func te(lines string) string {
	return request("POST / HTTP/1.1", strings.Split(lines, "|")...) + "5\r\nhello\r\n0\r\n\r\n"
}

// badExtension is one that nobody takes.
const badExtension = `69 chunk extension "x\ry"`

var securityCases = slices.Concat(
	strictly(refused, each("60 length and transfer encoding", te,
		"Content-Length: 5|Transfer-Encoding: chunked", "Transfer-Encoding: chunked|Content-Length: 5", "content-length: 0|TRANSFER-ENCODING: chunked", "Content-Length: 15|Transfer-Encoding: Chunked",
		"Content-Length: 5|X: y|Transfer-Encoding: chunked", "Transfer-Encoding: chunked|Content-Length: 0", "Transfer-Encoding: chunked|Content-Length: 99999")),
	each("60 length that is none and transfer encoding", te, "Content-Length: x|Transfer-Encoding: chunked", "Transfer-Encoding: chunked|Content-Length: -1", "Content-Length: 5|Content-Length: 6|Transfer-Encoding: chunked"),
	strictly(refused, each("61 transfer encoding of HTTP/1.0", func(s string) string {
		return request("POST / HTTP/1.0", "Connection: keep-alive", s) + "5\r\nhello\r\n0\r\n\r\n"
	}, "Transfer-Encoding: chunked", "Transfer-Encoding: gzip", "Transfer-Encoding: identity")),
	strictly(refused, each("61 transfer encoding of HTTP/1.0 with a length", func(s string) string {
		return request("POST / HTTP/1.0", "Content-Length: 5", s) + "hello"
	}, "Transfer-Encoding: chunked")),
	strictlyFor(refused, []string{" chunked, chunked", " chunked, identity", ""}, each("62 transfer encoding", func(s string) string { return te("Transfer-Encoding:" + s) },
		" gzip, chunked", " chunked, chunked", " chunked, identity", " identity", " identity, chunked", " xchunked", " chunkedx", " \"chunked\"", " 'chunked'", " chunked;q=1", " chunked; x", " chunked,", " ,chunked", " chunked ", "chunked", " Chunked", " CHUNKED", "\tchunked",
		" \x0bchunked", " chunked\x0b", " \x0cchunked", " chunked\x00", " \xa0chunked", " chunked\xa0", " chunked\r", " c hunked", " chun\x00ked", " chunKed\xe2\x84\xaa", " deflate", " trailers", " br", " x", " 0", " chunked chunked", "")),
	strictlyFor(refused, []string{"Transfer-Encoding: chunked|Transfer-Encoding: chunked", "Transfer-Encoding: chunked|Transfer-Encoding: identity"}, each("62 two transfer encodings", te,
		"Transfer-Encoding: chunked|Transfer-Encoding: chunked", "Transfer-Encoding: chunked|Transfer-Encoding: identity", "Transfer-Encoding: identity|Transfer-Encoding: chunked", "Transfer-Encoding:|Transfer-Encoding: chunked", "Transfer-Encoding: x|transfer-encoding: chunked")),
	strictlyFor(refused, []string{" Transfer-Encoding: chunked"}, each("63 name of transfer encoding", te,
		"Transfer-Encoding : chunked", "Transfer-Encoding\t: chunked", "Transfer-Encoding\x00: chunked", " Transfer-Encoding: chunked", "Transfer Encoding: chunked", "Transfer_Encoding: chunked", "Transfer-Encoding\x0b: chunked", "\x00Transfer-Encoding: chunked", "Transfer-\xc3\x89ncoding: chunked",
		"X-Transfer-Encoding: chunked", "Transfer-Encodin: chunked", "Transfer--Encoding: chunked", "Transfer-Encoding chunked", "transfer-encoding: chunked", "TRANSFER-ENCODING: chunked")),
	each("64 length", func(s string) string { return request("POST / HTTP/1.1", "Content-Length:"+s) + "hello" },
		" +5", " -0", " -5", " 0x5", " 5,5", " 5, 5", " 5 5", " 5_0", "", " ", " 9223372036854775808", " 18446744073709551621", " 99999999999999999999", " 05", " 0005", " 5.0", " 5e0", " 5;", " \"5\"", " 5\x00", " \x0b5", " 5\x0b", " \xa05", " ٥", " five", " 5\t", " \t5", "5", " 00000000000000000000000005"),
	withHandler(echoCloses, starved(each("64 length that never comes", func(s string) string { return request("POST / HTTP/1.1", "Content-Length: "+s) + "hello" }, "9223372036854775807", "6"))),
	strictlyFor(refused, []string{" Content-Length: 5"}, each("64 name of length", func(s string) string { return request("POST / HTTP/1.1", s) + sentinel },
		"Content-Length : 5", "Content-Length\t: 5", " Content-Length: 5", "Content Length: 5", "Content_Length: 5", "Content-Length\x00: 5", "Content-Length 5")),
	strictly(refused, []testCase{
		{name: "65 bare LF, all lines", send: "GET / HTTP/1.1\nHost: a\n\n"},
		{name: "65 bare LF after the first line", send: "GET / HTTP/1.1\nHost: a\r\n\r\n"},
		{name: "65 bare LF after a field", send: "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"},
		{name: "65 bare LF at the end", send: "GET / HTTP/1.1\r\nHost: a\r\n\n"},
		{name: "65 bare LF before the last CRLF", send: "GET / HTTP/1.1\r\nHost: a\n\r\n"},
		{name: "65 bare LF hides a length", send: "POST / HTTP/1.1\r\nHost: a\r\nX: y\nContent-Length: 5\r\n\r\nhello"},
		{name: "65 bare LF hides a transfer encoding", send: "POST / HTTP/1.1\r\nHost: a\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
	}),
	each("66 bare CR", func(s string) string { return s },
		"GET / HTTP/1.1\rHost: a\r\r", "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\n\rHost: a\r\n\r\n", "GET / HTTP/1.1\r\nX\r: y\r\nHost: a\r\n\r\n"),
	strictly(refused, []testCase{
		{name: "67 folded field", send: get("/", "X: a\r\n b")},
		{name: "67 folded field, tab", send: get("/", "X: a\r\n\tb")},
		{name: "67 folded field, empty first line", send: get("/", "X:\r\n b")},
		{name: "67 folded field, blank line", send: get("/", "X: a\r\n \r\n\tb")},
		{name: "67 folded Host", send: "GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n"},
		{name: "67 folded transfer encoding", send: te("Transfer-Encoding:\r\n chunked")},
		{name: "67 folded transfer encoding, second line", send: te("Transfer-Encoding: chunked\r\n\tx")},
		{name: "67 folded length, second line", send: request("POST / HTTP/1.1", "Content-Length: 5\r\n 5") + "hello"},
		{name: "67 folded Host, second line", send: "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n"},
		{name: "67 folded field, nothing in it", send: get("/", "X: a\r\n  ")},
		{name: "67 folded length", send: request("POST / HTTP/1.1", "Content-Length:\r\n 5") + "hello"},
	}),
	strictlyFor(badExtension, []string{"5;"}, each("68 chunk size", func(s string) string { return chunked(s + "\r\nhello\r\n0\r\n\r\n") },
		"+5", "-5", "0x5", " 5", "\t5", "5_", "5_0", "", "5.", "5,", "g", "5g", "\x005", "5\x00", "\xa05", "５", "000000000000005", "0000000000000005", "00000000000000005", "fffffffffffffffff", "10000000000000005", strings.Repeat("0", 5000)+"5", "5\r", "5;", "5 ;", "5;x", "5 ; x", "5\n")),
	strictly(`68 chunk size "g"`, starved(each("68 chunk size that never comes", func(s string) string { return chunked(s + "\r\nhello\r\n0\r\n\r\n") }, "ffffffffffffffff", "8000000000000000", "7fffffffffffffff"))),
	each("68 end of a chunk", func(s string) string { return chunked("5\r\nhello" + s + "0\r\n\r\n") }, "", "\n", "\r", "\r\r", "\n\r", "xx", "  ", "\r\n\r\n", "\x00\r\n"),
	strictlyFor(badExtension, []string{"x=\xc3\xbc", ";;", "=", "x=\"\r\ny\""}, each("69 chunk extension", func(s string) string { return chunked("5;" + s + "\r\nhello\r\n0\r\n\r\n") },
		"x=y", "x", "x=\"y\"", "x=\"a;b\"", "x=\"\\\"\"", "x = y", ";;", "=", "x=\xc3\xbc", "x\ny", "x\n", "\n", "x=\"\ny\"", "x=\"\r\ny\"", "x\ry", "\r", strings.Repeat("x", 4000), strings.Repeat("x", 5000), strings.Repeat("x", 20_000))),
	strictly(badExtension, each("69 chunk extension with a control character", func(s string) string { return chunked("5;" + s + "\r\nhello\r\n0\r\n\r\n") }, "\x00", "\x01", "x=\x0b", "x\x7f", "x=\"\x08\"")),
	each("69 extension of the last chunk", func(s string) string { return chunked("0;" + s + "\r\n\r\n") }, "x=y", "x\n", "\n", "x\ry"),
	[]testCase{
		{name: "70 flood of chunk extensions", script: steps(send(chunked("")), sendRepeated("1;"+strings.Repeat("x", 1000)+"\r\ny\r\n", 1000), eof)},
		{name: "70 one-byte chunks", script: steps(send(chunked("")), send(strings.Repeat("1\r\nx\r\n", 3000)), send("0\r\n\r\n"+sentinel), halfClose, eof)},
		{name: "71 trailer of 3 KiB", send: chunked("0\r\nX: " + strings.Repeat("y", 3000) + "\r\n\r\n")},
		{name: "71 trailer of 5 KiB", send: chunked("0\r\nX: " + strings.Repeat("y", 5000) + "\r\n\r\n")},
		{name: "71 trailer of 4 MiB", script: steps(send(chunked("0\r\nX: ")), sendRepeated(strings.Repeat("y", 4096), 1024), eof)},
		{name: "71 trailer that frames", send: chunked("0\r\nContent-Length: 50\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")},
		{name: "73 pipelining without reading", handler: largeWithLength, send: strings.Repeat(get("/"), 8)},
		{name: "72 CL.0", handler: ignores, send: request("GET / HTTP/1.1", "Content-Length: 36") + "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\nx"},
		{name: "72 body that looks like a request", send: post(get("/smuggled"))},
		{name: "72 chunk that looks like a request", send: chunked(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(get("/smuggled")), get("/smuggled")))},
		{name: "72 early answer, then the body", handler: status(403, "no"), script: steps(send(request("POST / HTTP/1.1", "Content-Length: 36")), send("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\nx"), answer, kept)},
		{name: "72 early answer with close, then the body", handler: header("Connection: close"), script: steps(send(request("POST / HTTP/1.1", "Content-Length: 36")), answer, send(get("/smuggled")+"x"), gracefully)},
		{name: "72 upgrade to h2c", send: get("/", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__")},
		{name: "72 upgrade to TLS", send: get("/", "Upgrade: TLS/1.0", "Connection: Upgrade")},
		{name: "72 behind Connection: close", send: get("/", "Connection: close") + get("/smuggled")},
		{name: "72 behind HTTP/1.0", send: request("GET / HTTP/1.0") + get("/smuggled")},
		{name: "72 Expect with a body that is not awaited", handler: status(403, "no"), send: request("POST / HTTP/1.1", "Content-Length: 36", "Expect: 100-continue") + get("/smuggled")},
	},
	left(nil, []testCase{
		{name: "72 CONNECT, and bytes after it", send: request("CONNECT b:443 HTTP/1.1") + get("/smuggled")},
		{name: "72 CONNECT with a length and a transfer encoding", send: request("CONNECT b:443 HTTP/1.1", "Content-Length: 100", "Transfer-Encoding: chunked") + "0\r\n\r\n" + get("/smuggled")},
		{name: "72 CONNECT with an upgrade, and bare line feeds", send: request("CONNECT b:443 HTTP/1.1", "Connection: upgrade", "Upgrade: x") + "GET /smuggled HTTP/1.1\nHost: a\n\n"},
		{name: "72 CONNECT, and bare line feeds", send: request("CONNECT b:443 HTTP/1.1") + "GET /smuggled HTTP/1.1\nHost: a\n\n"},
	}),
)

// starved has the client end where the server waits for more.
func starved(all []testCase) []testCase {
	for i, c := range all {
		all[i].script = steps(send(c.send), halfClose, eof)
	}
	return all
}
