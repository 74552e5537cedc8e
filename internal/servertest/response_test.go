package servertest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// does makes a case of a GET.
func does(name string, h handler) testCase { return testCase{name: name, handler: h, send: get("/")} }

// header sends a header and the body "ok".
func header(fields ...string) handler {
	return func(p *play, w http.ResponseWriter, r *http.Request) {
		setFields(w.Header(), fields)
		io.WriteString(w, "ok")
	}
}

// setFields adds fields of the form "name: value".
func setFields(h http.Header, fields []string) {
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		h[name] = append(h[name], value)
	}
}

// writes sends the texts with a Write each, and notes what Write returns.
func writes(texts ...string) handler {
	return func(p *play, w http.ResponseWriter, r *http.Request) {
		for _, s := range texts {
			n, err := io.WriteString(w, s)
			p.note("  write: %d %v", n, err)
		}
	}
}

// status sends a code and a text.
func status(code int, text string, fields ...string) handler {
	return func(p *play, w http.ResponseWriter, r *http.Request) {
		setFields(w.Header(), fields)
		w.WriteHeader(code)
		n, err := io.WriteString(w, text)
		p.note("  write: %d %v", n, err)
	}
}

// tells panics as a note.
func tells(h handler) handler {
	return func(p *play, w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				p.note("  panic: %v", v)
			}
		}()
		h(p, w, r)
	}
}

func statuses(codes ...int) (all []testCase) {
	for _, code := range codes {
		all = append(all, does(fmt.Sprintf("18 status %d", code), tells(status(code, "ok"))))
	}
	return all
}

// types are written without a Content-Type.
var types = []string{
	"", "<!DOCTYPE html>", "<html>", " \n<HTML x", "<?xml", "{\"a\":1}", "text", "\x00", "\x89PNG\x0d\x0a\x1a\x0a", "GIF89a", "%PDF-", "\xef\xbb\xbfbom", "\x1f\x8b\x08", "\xff\xfe", "<!-- x", "RIFFxxxxWEBPVP",
}

// sent are fields of answers.
var sent = []string{
	"X: a\r\nY: b", "X: a\nb", "X: a\r", "X: ", "X:  a ", "X: \x00", "X: \xc3\xbc", "x: a", "x-LOWER: a", "X y: a", "X:y: a", ": a", "\xc3\xbc: a", "X\r\nY: a",
	"Date: x", "Date: ", "Server: x", "Content-Type: ", "Content-Type: a/b", "content-type: a/b", "Content-Encoding: gzip", "Content-Encoding: ", "Content-Length: 2", "Content-Length: 02", "Content-Length:  2", "Content-Length: 3", "Content-Length: 1",
	"Content-Length: -1", "Content-Length: x", "Content-Length: ", "Content-Length: +2", "content-length: 2", "Connection: close", "Connection: keep-alive", "Connection: Close", "Connection: x, close", "Connection: x", "connection: close",
	"Transfer-Encoding: chunked", "Transfer-Encoding: identity", "Transfer-Encoding: gzip", "Transfer-Encoding: ", "Trailer: X-T", "Upgrade: x", "Keep-Alive: timeout=5", "Trailer:Connection: close",
}

func sends(number string, texts ...string) (all []testCase) {
	for _, c := range each(number, func(s string) string { return s }, texts...) {
		c.handler, c.send = header(c.send), get("/")
		all = append(all, c)
	}
	return all
}

func bodyTypes() (all []testCase) {
	for i, text := range types {
		all = append(all, does(fmt.Sprintf("22 type of %d %.8q", i, text), writes(text)))
	}
	return all
}

// lengths are written at once, in one Write and in several.
func lengths(sizes ...int) (all []testCase) {
	for _, n := range sizes {
		text := strings.Repeat("x", n)
		half := text[:n/2]
		all = append(all,
			testCase{name: fmt.Sprintf("25 body of %d", n), handler: writes(text), send: get("/")},
			testCase{name: fmt.Sprintf("25 body of %d in halves", n), handler: writes(half, text[n/2:]), send: get("/")},
			testCase{name: fmt.Sprintf("25 body of %d, HTTP/1.0", n), handler: writes(half, text[n/2:]), send: request("GET / HTTP/1.0", "Connection: keep-alive")},
			testCase{name: fmt.Sprintf("25 body of %d, HEAD", n), handler: writes(half, text[n/2:]), send: request("HEAD / HTTP/1.1")})
	}
	return all
}

// bodiless are all kinds of answers without a body, and HEAD.
func bodiless() (all []testCase) {
	for _, code := range []int{200, 204, 205, 304, 404} {
		for _, text := range []string{"", "body"} {
			for _, length := range []string{"", "Content-Length: 4", "Content-Length: 0", "Transfer-Encoding: chunked", "Content-Type: a/b"} {
				for _, method := range []string{"GET", "HEAD"} {
					var fields []string
					number := "23"
					if length != "" {
						fields = append(fields, length)
					}
					if method == "HEAD" {
						number = "24"
					}
					name := fmt.Sprintf("%s %s of %d with %q and %q", number, method, code, length, text)
					all = append(all, testCase{name: name, handler: status(code, text, fields...), send: request(method + " / HTTP/1.1")})
				}
			}
		}
	}
	return all
}

var responseCases = slices.Concat(
	statuses(200, 201, 202, 203, 205, 206, 207, 226, 299, 300, 301, 302, 303, 305, 306, 307, 308, 399, 400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 418, 421, 422, 423, 424, 425,
		426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511, 599, 600, 799, 999, 0, -1, 1, 99, 1000),
	sends("20 field", sent...),
	bodyTypes(),
	lengths(0, 1, 2, 511, 512, 513, 2047, 2048, 2049, 4095, 4096, 4097, 10_000),
	bodiless(),
	[]testCase{
		does("19 order of fields", header("Zebra: 1", "apple: 2", "Mango: 3", "Mango: 4", "Content-Type: a/b", "Connection: x", "Trailer: T", "Etag: 5")),
		does("19 length, type and date given", header("Content-Length: 2", "Content-Type: a/b", "Date: Thu, 01 Jan 1970 00:00:00 GMT")),
		does("20 nil Date", nilField("Date")), does("20 nil Content-Type", nilField("Content-Type")),
		does("20 nil Content-Length", nilField("Content-Length")), does("20 nil Transfer-Encoding", nilField("Transfer-Encoding")),
		does("20 nil Connection", nilField("Connection")), does("20 nil field", nilField("X")),
		does("20 empty list", func(p *play, w http.ResponseWriter, r *http.Request) { w.Header()["X"] = []string{} }),
		does("20 nothing at all", func(*play, http.ResponseWriter, *http.Request) {}),
		does("21 splitting", header("X: a\r\nSet-Cookie: b", "Location: /\r\n\r\n<html>")),
		does("21 name that is none", header("a b: c", "d\r\ne: f", "g: h")),
		does("22 type after several writes", writes("<ht", "ml>")),
		does("22 type after an empty write", writes("", "<html>")),
		does("22 type of what follows 512 bytes", writes(strings.Repeat(" ", 512)+"<html>")),
		does("22 no sniffing of an encoding", func(p *play, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			io.WriteString(w, "<html>")
		}),
		does("22 no sniffing with nosniff", header("X-Content-Type-Options: nosniff")),
		{name: "25 one byte after a flush", handler: flushes("", "x"), send: get("/")},
		{name: "25 several flushes", handler: flushes("a", "", "b", "cd"), send: get("/")},
		{name: "25 several flushes, HTTP/1.0", handler: flushes("a", "b"), send: request("GET / HTTP/1.0", "Connection: keep-alive")},
		{name: "25 several flushes, HEAD", handler: flushes("a", "b"), send: request("HEAD / HTTP/1.1")},
		{name: "25 large body in chunks", dechunk: true, handler: writes(strings.Repeat("0123456789", 100_000)), send: get("/")},
		{name: "25 large body with a length", handler: largeWithLength, send: get("/")},
		{name: "25 large body, HTTP/1.0", handler: writes(strings.Repeat("0123456789", 100_000)), send: request("GET / HTTP/1.0", "Connection: keep-alive")},
		does("26 chunked twice", header("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")),
		does("26 chunked and a length", header("Transfer-Encoding: chunked", "Content-Length: 2")),
		does("26 identity and a length", header("Transfer-Encoding: identity", "Content-Length: 2")),
		{name: "26 chunked, HTTP/1.0", handler: header("Transfer-Encoding: chunked"), send: request("GET / HTTP/1.0", "Connection: keep-alive")},
		{name: "26 identity, keep-alive", handler: header("Transfer-Encoding: identity"), send: get("/", "Connection: keep-alive")},
		does("27 two lengths", header("Content-Length: 2", "Content-Length: 3")),
		does("27 length that is none, long body", func(p *play, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "many")
			io.WriteString(w, strings.Repeat("x", 3000))
		}),
		does("28 too many bytes", tooMany), does("28 too few bytes", withLength(9, "hello")), does("28 no bytes", withLength(9, "")),
		does("28 none of 0", withLength(0, "")), does("28 one of 0", withLength(0, "x")),
		{name: "28 too few bytes, HTTP/1.0", handler: withLength(9, "hello"), send: request("GET / HTTP/1.0", "Connection: keep-alive")},
		does("29 header after WriteHeader", late), does("29 header after Write", lateAfterWrite), does("29 header deleted after WriteHeader", lateDelete),
		does("30 second WriteHeader", superfluous), does("30 WriteHeader after Write", superfluousAfterWrite),
		does("30 WriteHeader of 0", tells(status(0, ""))), does("30 second WriteHeader with a code that is none", tells(superfluousBad)),
		does("31 102", informs(102)), does("31 103", informs(103, "Link: </a>; rel=preload")), does("31 103 twice", informsTwice),
		does("31 100", informs(100)), does("31 199", informs(199, "X: y")), does("31 104 with a length", informs(104, "Content-Length: 5", "Transfer-Encoding: chunked")),
		{name: "31 103 and HTTP/1.0", handler: informs(103, "Link: x"), send: request("GET / HTTP/1.0", "Connection: keep-alive")},
		{name: "31 103 and HEAD", handler: informs(103, "Link: x"), send: request("HEAD / HTTP/1.1")},
		{name: "31 103 at once", handler: informsAndHolds, script: steps(send(get("/")), until("103 Early Hints\r\n\r\n"), nothing, let("answer"), answer, kept)},
		does("31 103 after the answer", informsLate),
		{name: "31 101 by hand", handler: status(101, "hello", "Upgrade: x", "Connection: Upgrade"), send: get("/", "Connection: Upgrade", "Upgrade: x")},
		{name: "31 101 by hand, no body", handler: status(101, "", "Upgrade: x"), script: steps(send(get("/", "Connection: Upgrade", "Upgrade: x")), answer, halfClose, eof)},
		does("32 declared trailer", declaredTrailer), does("32 declared trailer that is not set", header("Trailer: X-T")),
		does("32 trailer by prefix", prefixTrailer), does("32 both kinds of trailer", bothTrailers), does("32 forbidden trailers", forbiddenTrailers),
		does("32 trailer of a short body", shortTrailer),
		{name: "32 trailer, HEAD", handler: declaredTrailer, send: request("HEAD / HTTP/1.1")},
		{name: "32 trailer, HTTP/1.0", handler: declaredTrailer, send: request("GET / HTTP/1.0", "Connection: keep-alive")},
		does("32 trailer with a line end", func(p *play, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-T")
			io.WriteString(w, "ok")
			w.Header().Set("X-T", "a\r\nb: c")
		}),
		does("18 error of http.Error", func(p *play, w http.ResponseWriter, r *http.Request) {
			setFields(w.Header(), []string{"Content-Length: 99", "Content-Encoding: gzip", "Etag: x", "X: y"})
			http.Error(w, "no", http.StatusTeapot)
		}),
		does("18 redirect", func(p *play, w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/b c?d", http.StatusFound) }),
		does("18 cookies", func(p *play, w http.ResponseWriter, r *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "b", HttpOnly: true})
			http.SetCookie(w, &http.Cookie{Name: "c", Value: "d", Path: "/"})
		}),
		{name: "18 HTTP/1.0", send: request("GET / HTTP/1.0")},
	},
)

func nilField(name string) handler {
	return func(p *play, w http.ResponseWriter, r *http.Request) {
		w.Header()[name] = nil
		io.WriteString(w, "ok")
	}
}

// flushes writes texts and flushes after each.
func flushes(texts ...string) handler {
	return func(p *play, w http.ResponseWriter, r *http.Request) {
		for _, s := range texts {
			io.WriteString(w, s)
			if err := http.NewResponseController(w).Flush(); err != nil {
				p.note("  flush: %v", err)
			}
		}
	}
}

func largeWithLength(p *play, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "1000000")
	for range 10 {
		io.WriteString(w, strings.Repeat("0123456789", 10_000))
	}
}

func withLength(n int, text string) handler { return header2("Content-Length: "+strconv.Itoa(n), text) }

func header2(field, text string) handler {
	return func(p *play, w http.ResponseWriter, r *http.Request) {
		setFields(w.Header(), []string{field})
		n, err := io.WriteString(w, text)
		p.note("  write: %d %v", n, err)
	}
}

func tooMany(p *play, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "5")
	writes("hel", "lo", "!", " world")(p, w, r)
	n, err := w.Write([]byte("hello"))
	p.note("  bytes: %d %v %v", n, err, err == http.ErrContentLength)
}

func late(p *play, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("A", "1")
	w.WriteHeader(201)
	w.Header().Set("A", "2")
	w.Header().Set("B", "3")
	w.Header().Set("Content-Type", "late/late")
	io.WriteString(w, "ok")
}

func lateAfterWrite(p *play, w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, "ok")
	w.Header().Set("B", "3")
	w.Header().Set("Connection", "close")
}

func lateDelete(p *play, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("A", "1")
	w.WriteHeader(201)
	w.Header().Del("A")
	w.Header()["Date"] = nil
}

func superfluous(p *play, w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(201)
	w.WriteHeader(404)
}

func superfluousAfterWrite(p *play, w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, "ok")
	w.WriteHeader(404)
}

func superfluousBad(p *play, w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(200)
	w.WriteHeader(0)
}

// informs sends a code of 1xx and then an answer.
func informs(code int, fields ...string) handler {
	return func(p *play, w http.ResponseWriter, r *http.Request) {
		setFields(w.Header(), fields)
		w.WriteHeader(code)
		w.Header().Set("Z", "late")
		io.WriteString(w, "ok")
	}
}

func informsTwice(p *play, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Link", "a")
	w.WriteHeader(103)
	w.Header().Add("Link", "b")
	w.WriteHeader(103)
	w.WriteHeader(404)
	w.WriteHeader(103)
	io.WriteString(w, "ok")
}

func informsAndHolds(p *play, w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(103)
	p.hold("answer")
	w.WriteHeader(202)
}

func informsLate(p *play, w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, "ok")
	w.WriteHeader(103)
}

func declaredTrailer(p *play, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Trailer", "X-A, X-B")
	w.Header().Add("Trailer", "x-c")
	w.Header().Set("X-B", "early")
	io.WriteString(w, "ok")
	w.Header().Set("X-A", "1")
	w.Header().Set("X-C", "2")
	w.Header().Set("X-D", "not declared")
}

func prefixTrailer(p *play, w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(200)
	io.WriteString(w, "ok")
	w.Header().Set(http.TrailerPrefix+"X-B", "2")
	w.Header().Set(http.TrailerPrefix+"X-A", "1")
	w.Header().Set("X-C", "3")
	w.(http.Flusher).Flush()
}

func bothTrailers(p *play, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Trailer", "X-A")
	io.WriteString(w, "ok")
	w.(http.Flusher).Flush()
	w.Header().Set("X-A", "1")
	w.Header().Set(http.TrailerPrefix+"X-B", "2")
}

func forbiddenTrailers(p *play, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Trailer", "Content-Length, Transfer-Encoding, Trailer, X")
	io.WriteString(w, "ok")
	w.Header().Set("Content-Length", "5")
	w.Header().Set("X", "1")
}

func shortTrailer(p *play, w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, "ok")
	w.Header().Set(http.TrailerPrefix+"X-A", "1")
}
