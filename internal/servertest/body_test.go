package servertest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

var expects = request("POST / HTTP/1.1", "Content-Length: 5", "Expect: 100-continue")

// expectsLong has a body that is not drained.
var expectsLong = request("POST / HTTP/1.1", "Content-Length: 1000000", "Expect: 100-continue")

var bodyCases = slices.Concat(
	unread(0, 1, 5, 1000, 4095, 4096, 4097, 100_000, 256<<10-1, 256<<10, 256<<10+1, 256<<10+2, 300_000, 600_000),
	[]testCase{
		{name: "38 unread body that comes late", handler: ignores, script: steps(send(request("POST / HTTP/1.1", "Content-Length: 5")), await("in"), send("hello"), answer, kept)},
		{name: "38 half read", handler: readsSome(3), send: post("hello")},
		{name: "38 half read, in chunks", handler: readsSome(3), send: chunked("5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n")},
		{name: "38 half read, long", handler: readsSome(3), script: steps(send(post(strings.Repeat("x", 300_000))), eof)},
		{name: "38 unread, flushed", handler: flushes("ok"), send: post("hello")},
		{name: "38 unread, answered with close", handler: header("Connection: close"), script: steps(send(post("hello")), gracefully)},
		{name: "38 unread with a trailer", handler: ignores, send: chunked("5\r\nhello\r\n0\r\nX: y\r\n\r\n")},
		{name: "38 unread, endless chunks", handler: ignores, script: steps(send(chunked("")), sendRepeated("400\r\n"+strings.Repeat("x", 0x400)+"\r\n", 1000), eof)},
		{name: "38 unread, one-byte chunks", handler: ignores, script: steps(send(chunked("")), sendRepeated(strings.Repeat("1\r\nx\r\n", 1000), 1000), eof)},
		{name: "39 closed early", handler: closesBody, send: post("hello")},
		{name: "39 closed early, long", handler: closesBody, script: steps(send(post(strings.Repeat("x", 300_000))), eof)},
		{name: "39 closed in the middle", handler: closesAfter(2), send: post("hello")},
		{name: "39 closed in the middle, in chunks", handler: closesAfter(2), send: chunked("5\r\nhello\r\n0\r\n\r\n")},
		{name: "39 body set to nil", handler: dropsBody, send: post("hello")},
		{name: "41 body time-out", handler: timesOut, script: steps(send(request("POST / HTTP/1.1", "Content-Length: 5")+"hel"), answer, eof)},
		{name: "41 body time-out, in chunks", handler: timesOut, script: steps(send(chunked("3\r\nhel\r\n")), answer, eof)},
		{name: "42 limit, body below", handler: limited(5), send: post("hello")},
		{name: "42 limit, body above", handler: limited(4), send: post("hello"), strict: "42 limit by hand, body above"},
		{name: "42 limit by hand, body above", handler: limitedByHand(4), send: post("hello")},
		{name: "42 limit, body in chunks above", handler: limited(4), send: chunked("5\r\nhello\r\n0\r\n\r\n"), strict: "42 limit by hand, body in chunks above"},
		{name: "42 limit by hand, body in chunks above", handler: limitedByHand(4), send: chunked("5\r\nhello\r\n0\r\n\r\n")},
		{name: "42 limit that is not reached by the handler", handler: limitedUnread, send: post("hello")},
		{name: "43 Expect, read", script: steps(send(expects), until("100 Continue\r\n\r\n"), send("hello"), answer, kept)},
		{name: "43 Expect, body at once", script: steps(send(expects+"hello"), answer, kept)},
		{name: "43 Expect, not before the handler reads", handler: readsLate, script: steps(send(expects), await("in"), nothing, let("read"), until("100 Continue\r\n\r\n"), send("hello"), answer, kept)},
		{name: "43 Expect, never read", handler: ignores, script: steps(send(expects), answer, halfClose, eof)},
		{name: "43 Expect, never read, body sent", handler: ignores, script: steps(send(expects+"hello"), gracefully)},
		{name: "43 Expect, never read, long", handler: ignores, script: steps(send(expectsLong), answer, halfClose, eof)},
		{name: "43 Expect, closed", handler: closesBody, script: steps(send(expects), halfClose, eof)},
		{name: "43 Expect, refused with a status", handler: status(417, "no"), script: steps(send(expects), answer, halfClose, eof)},
		{name: "43 Expect, read after WriteHeader", handler: readsAfterHeader, script: steps(send(expects), halfClose, eof)},
		{name: "43 Expect, read after WriteHeader, body sent", handler: readsAfterHeader, script: steps(send(expects+"hello"), answer, kept)},
		{name: "43 Expect, read after Flush", handler: readsAfterFlush, script: steps(send(expects), until("ok\r\n"), halfClose, eof)},
		{name: "43 Expect, 100 by hand", handler: continuesByHand, script: steps(send(expects), until("100 Continue\r\n\r\n"), send("hello"), answer, kept)},
		{name: "43 Expect, read after return", handler: readsAfterReturn, script: steps(send(expects), answer, halfClose, eof, let("closed"), await("read"))},
		{name: "43 Expect, read after abort", handler: readsAfterAbort, script: steps(send(expects), halfClose, eof, let("closed"), await("read"))},
		{name: "43 Expect of a GET", script: steps(send(get("/", "Expect: 100-continue")), answer, kept)},
		{name: "43 Expect of length 0", script: steps(send(request("POST / HTTP/1.1", "Content-Length: 0", "Expect: 100-continue")), answer, kept)},
		{name: "43 Expect in chunks", script: steps(send(chunked("", "Expect: 100-continue")), until("100 Continue\r\n\r\n"), send("5\r\nhello\r\n0\r\n\r\n"), answer, kept)},
		{name: "43 Expect and HTTP/1.0", script: steps(send(request("POST / HTTP/1.0", "Content-Length: 5", "Expect: 100-continue")+"hello"), gracefully)},
		{name: "43 Expect in capitals", script: steps(send(request("POST / HTTP/1.1", "Content-Length: 5", "Expect: 100-CONTINUE")), until("100 Continue\r\n\r\n"), send("hello"), answer, kept)},
		{name: "43 Expect and close", script: steps(send(request("POST / HTTP/1.1", "Content-Length: 5", "Expect: 100-continue", "Connection: close")), until("100 Continue\r\n\r\n"), send("hello"), gracefully)},
		{name: "44 full duplex", handler: duplex, script: steps(send(chunked("1\r\na\r\n")), until("\r\n1\r\na\r\n"), send("1\r\nb\r\n"), until("1\r\nb\r\n"), send("0\r\n\r\n"), until("0\r\n\r\n"), kept)},
		{name: "44 no full duplex: the rest is read before the answer", handler: halfDuplex, script: steps(send(request("POST / HTTP/1.1", "Content-Length: 5")+"h"), await("in"), let("write"), send("ello"), answer, kept)},
		{name: "44 no full duplex: a long rest is not", handler: halfDuplex, script: steps(send(request("POST / HTTP/1.1", "Content-Length: 1000000")+"h"), await("in"), let("write"), until("ok\r\n"), halfClose, eof)},
		{name: "45 concurrent reads", handler: readsTwice, script: steps(send(request("POST / HTTP/1.1", "Content-Length: 2")), await("in"), send("a"), send("b"), answer, kept)},
		{name: "45 read while the answer is written", handler: readsWhileWriting, script: steps(send(request("POST / HTTP/1.1", "Content-Length: 1")), until("ok"), send("x"), await("read"))},
	},
	broken("", "5\r\nhelloX\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "x\r\n", "\r\n", "-1\r\n", "5\r\nhello0\r\n\r\n", badTrailer, "0\r\n: x\r\n\r\n", "0\r\nX: \x01\r\n\r\n", "0\n\n",
		"5\r\nhello\r\n0\r\nX: "+strings.Repeat("y", 5000)+"\r\n\r\n", "5\r\nhello\r\n0\r\n"+strings.Repeat("X: y\r\n", 2000)+"\r\n"),
	broken(badTrailer, "0\r\nX: y\r\n z\r\n\r\n", "0\r\nX : y\r\n\r\n", "0\r\nX: y\n\n", "0\r\n\n", "5 \r\nhello\r\n0\r\n\r\n", "5\t\r\nhello\r\n0\r\n\r\n"),
)

// unread are bodies that no handler reads, with both framings.
func unread(sizes ...int) (all []testCase) {
	for _, n := range sizes {
		body := strings.Repeat("x", n)
		script := func(s string) []step { return steps(send(s), send(sentinel), halfClose, eof) }
		all = append(all, testCase{name: fmt.Sprintf("38 unread body of %d", n), handler: ignores, script: script(post(body))})
		if n > 0 {
			all = append(all, testCase{name: fmt.Sprintf("38 unread body of %d in a chunk", n), handler: ignores, script: script(chunked(fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", n, body)))})
		}
	}
	return all
}

const badTrailer = "0\r\nbad trailer\r\n\r\n"

// broken are bodies in chunks with an error in them, or one that only strict servers find,
// who treat it as that in another body.
func broken(as string, raw ...string) (all []testCase) {
	for i, h := range []handler{echo, ignores, header()} {
		name, like := []string{"40 read", "40 unread", "40 unread and answered"}[i], ""
		if as != "" {
			like = name + " " + strconv.Quote(as)
		}
		all = append(all, strictly(like, withHandler(h, each(name, func(s string) string { return chunked(s) }, raw...)))...)
	}
	return all
}

func withHandler(h handler, all []testCase) []testCase {
	for i := range all {
		all[i].handler = h
	}
	return all
}

func ignores(p *play, w http.ResponseWriter, r *http.Request) { p.reach("in") }

func readsSome(n int) handler {
	return func(p *play, w http.ResponseWriter, r *http.Request) {
		b := make([]byte, n)
		_, err := io.ReadFull(r.Body, b)
		p.note("  some %q %v", b, err)
	}
}

func closesBody(p *play, w http.ResponseWriter, r *http.Request) {
	r.Body.Close()
	_, err := r.Body.Read(make([]byte, 1))
	p.note("  read: %v %v", err, err == http.ErrBodyReadAfterClose)
}

func closesAfter(n int) handler {
	return func(p *play, w http.ResponseWriter, r *http.Request) {
		readsSome(n)(p, w, r)
		closesBody(p, w, r)
	}
}

func dropsBody(p *play, w http.ResponseWriter, r *http.Request) { r.Body = nil }

func timesOut(p *play, w http.ResponseWriter, r *http.Request) {
	err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	b, readErr := io.ReadAll(r.Body)
	p.note("  %v %q %v", err, b, errors.Is(readErr, os.ErrDeadlineExceeded))
}

func limited(n int64) handler {
	return func(p *play, w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, n))
		p.note("  %q %v", b, err)
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		}
	}
}

// limitedByHand does as limited, but the server does not know of it, as that of net/http
// knows of a MaxBytesReader.
func limitedByHand(n int64) handler {
	return func(p *play, w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(io.LimitReader(r.Body, n))
		p.note("  %q %v", b, &http.MaxBytesError{Limit: n})
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	}
}

func limitedUnread(p *play, w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 2)
}

func readsLate(p *play, w http.ResponseWriter, r *http.Request) {
	p.reach("in")
	p.hold("read")
	p.noteBody(r)
}

func readsAfterHeader(p *play, w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(202)
	p.noteBody(r)
}

func readsAfterFlush(p *play, w http.ResponseWriter, r *http.Request) {
	flushes("ok")(p, w, r)
	p.noteBody(r)
}

func continuesByHand(p *play, w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(100)
	p.noteBody(r)
}

func readsAfterReturn(p *play, w http.ResponseWriter, r *http.Request) {
	go func() {
		<-r.Context().Done()
		p.hold("closed")
		_, err := r.Body.Read(make([]byte, 1))
		p.note("  reads: %v", err == nil)
		p.reach("read")
	}()
}

func readsAfterAbort(p *play, w http.ResponseWriter, r *http.Request) {
	readsAfterReturn(p, w, r)
	panic(http.ErrAbortHandler)
}

func duplex(p *play, w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	p.note("  full duplex: %v", rc.EnableFullDuplex())
	b := make([]byte, 1)
	for {
		if _, err := io.ReadFull(r.Body, b); err != nil {
			p.note("  %v", err)
			return
		}
		w.Write(b)
		rc.Flush()
	}
}

func halfDuplex(p *play, w http.ResponseWriter, r *http.Request) {
	readsSome(1)(p, w, r)
	p.reach("in")
	p.hold("write")
	flushes("ok")(p, w, r)
	b, err := io.ReadAll(r.Body)
	p.note("  rest %q %v", b, err)
}

// readsTwice reads in two goroutines: net/http serialises the reads.
func readsTwice(p *play, w http.ResponseWriter, r *http.Request) {
	done := make(chan error)
	for range 2 {
		go func() {
			_, err := io.ReadFull(r.Body, make([]byte, 1))
			done <- err
		}()
	}
	p.reach("in")
	p.note("  %v %v", <-done, <-done)
}

func readsWhileWriting(p *play, w http.ResponseWriter, r *http.Request) {
	http.NewResponseController(w).EnableFullDuplex()
	read := make(chan error)
	go func() {
		_, err := io.ReadAll(r.Body)
		read <- err
	}()
	flushes("ok")(p, w, r)
	p.note("  %v", <-read)
	p.reach("read")
}
