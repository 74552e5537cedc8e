package servertest

import (
	"fmt"
	"slices"
	"strings"
)

// refused is a request that everybody refuses.
const refused = "11 no request"

// small has a limit on the head that is easily reached; net/http allows 4,096 more.
var small = config{maxHeaderBytes: 1024}

// headOf is a request whose head has n bytes.
func headOf(n int) string {
	s := get("/", "X: ")
	return strings.Replace(s, "X: ", "X: "+strings.Repeat("x", n-len(s)), 1)
}

var refusalCases = slices.Concat(
	[]testCase{
		{name: "11 no Host", send: "GET / HTTP/1.1\r\n\r\n"},
		{name: "11 two Hosts", send: get("/", "Host: b")},
		{name: "11 malformed Host", send: "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
		{name: "11 invalid name", send: get("/", "a b: c")},
		{name: "11 invalid value", send: get("/", "a: \x01")},
		{name: "11 no request", send: "hello\r\n\r\n"},
		{name: "11 second request", send: get("/1") + "bad\r\n\r\n" + get("/2")},
		{name: "11 second request, with a body before it", send: post("hello") + "bad\r\n\r\n" + get("/2")},
		{name: "12 head of the limit", config: small, send: headOf(1024 + 4096)},
		{name: "12 head above the limit", config: small, send: headOf(1024 + 4097)},
		{name: "12 head far above the limit", config: small, send: headOf(100_000)},
		{name: "12 request line above the limit", config: small, send: get("/" + strings.Repeat("a", 6000))},
		{name: "12 name above the limit", config: small, send: get("/", strings.Repeat("a", 6000)+": b")},
		{name: "12 many fields above the limit", config: small, send: get("/", strings.Repeat("a: b\r\n", 1000)+"c: d")},
		{name: "12 second head above the limit", config: small, send: get("/1") + headOf(20_000)},
		{name: "12 heads below the limit, together above", config: small, send: strings.Repeat(headOf(4000), 4)},
		{name: "12 head above the limit, without an end", config: small,
			script: steps(send("GET / HTTP/1.1\r\nHost: a\r\n"), sendRepeated("X: y\r\n", 10_000), eof)},
		{name: "12 line above the limit, without an end", config: small, script: steps(sendRepeated("x", 50_000), eof)},
		{name: "12 head of 60 KiB", send: headOf(60 << 10)},
		{name: "12 head of 70 KiB", send: headOf(70 << 10)},
		{name: "12 body above the limit", config: small, send: post(strings.Repeat("x", 100_000))},
		{name: "13 gzip", send: request("POST / HTTP/1.1", "Transfer-Encoding: gzip")},
		{name: "14 HTTP/3.0", send: request("GET / HTTP/3.0")},
		{name: "14 HTTP/2.0 preface", send: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", differs: map[string]string{"loop": leftToNetHTTP}},
		{name: "16 nothing", script: steps(halfClose, gracefully)},
		{name: "16 nothing after an answer", script: steps(send(get("/")), answer, halfClose, gracefully)},
		{name: "16 nothing after a line end", script: steps(send(post("x")+"\r\n"), answer, halfClose, gracefully)},
	},
	each("15 expectation", func(s string) string { return post("hello", s) },
		"Expect: x", "Expect: 100-continue, x", "Expect: 200-ok", "Expect: 100-Continue", "Expect: 100-continue\r\nExpect: x", "Expect: x\r\nExpect: 100-continue", "Expect: 100"),
	halfRequests("G", "GET", "GET ", "GET / HTTP/1.1", "GET / HTTP/1.1\r", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost", "GET / HTTP/1.1\r\nHost: a", "GET / HTTP/1.1\r\nHost: a\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n\r", "GET / HTTP/1.1\r\nbad name: x", "bad", "bad\r\n", "\r", "\r\n", "\r\n\r\n", "\n", " ", "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z", "GET / HTTP/1.1\r\nHost: a\r\n z", "GET / HTTP/9\r\n"),
	closedAfter("11 ", "bad\r\n\r\n"), closedAfter("13 ", request("POST / HTTP/1.1", "Transfer-Encoding: x")),
	closedAfter("14 ", request("GET / HTTP/2.0")), closedAfter("15 ", get("/", "Expect: x")),
)

// halfRequests sends no more than that, first of all and after a request.
func halfRequests(texts ...string) (all []testCase) {
	for _, s := range texts {
		all = append(all, testCase{name: fmt.Sprintf("16 half request %q", s), script: steps(send(s), halfClose, eof)},
			testCase{name: fmt.Sprintf("16 half request %q after one", s), script: steps(send(get("/")+s), halfClose, eof)})
	}
	return all
}

// closedAfter checks that a refusal arrives whole though the client has sent more, and
// that the server does not wait for the client to close.
func closedAfter(number, bad string) []testCase {
	return []testCase{
		{name: "17 closed after " + number + "refusal", script: steps(send(bad), gracefully)},
		{name: "17 closed after " + number + "refusal, more sent", script: steps(send(bad+strings.Repeat("x", 10_000)), eof)},
		{name: "17 closed after " + number + "refusal, more being sent", script: steps(send(bad), sendRepeated("more", 1000), eof)},
	}
}
