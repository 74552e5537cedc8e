package servertest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

var flowCases = slices.Concat(
	[]testCase{
		{name: "46 flush", handler: flushesAndHolds, script: steps(send(get("/")), until("1\r\na\r\n"), nothing, let("rest"), answerRest, kept)},
		{name: "46 flush without a body", handler: flushesHeader, script: steps(send(get("/")), until("\r\n\r\n"), nothing, let("rest"), answerRest, kept)},
		{name: "46 flush of a body with a length", handler: flushesLength, script: steps(send(get("/")), until("\r\n\r\nab"), nothing, let("rest"), until("cd"), kept)},
		{name: "46 no flush: nothing leaves before the end", handler: holdsTarget, script: steps(send(get("/")), await("in"), nothing, let("out"), answer, kept)},
		{name: "46 a long body leaves before the end", dechunk: true, handler: longAndHolds, script: steps(send(get("/")), until("x"), let("rest"), until("0\r\n\r\n"), kept)},
		{name: "46 answer before return, after which nothing comes", handler: answersAndHolds, script: steps(send(get("/")), answer, nothing, send(get("/2")), let("rest"), answer, let("rest"), kept)},
		{name: "47 read deadline passed", handler: readsPast, script: steps(send(request("POST / HTTP/1.1", "Content-Length: 5")), answer, eof)},
		{name: "47 read deadline passed, body there", handler: readsPast, script: steps(send(post("hello")), answer, kept)},
		{name: "47 read deadline taken back", handler: readsAfterDeadline, script: steps(send(request("POST / HTTP/1.1", "Content-Length: 5")), await("in"), send("hello"), answer, kept)},
		{name: "47 write deadline passed", handler: writesPast, script: steps(send(get("/")), eof)},
		{name: "47 write deadline passed when the handler returns", handler: returnsPast, script: steps(send(get("/")), eof)},
		{name: "47 write deadline taken back", handler: writesAfterDeadline, script: steps(send(get("/")), answer, kept)},
		{name: "47 write deadline is that of one request", handler: deadlineOfOne, script: steps(send(get("/1")), answer, await("over"), send(get("/2")), answer, kept)},
		{name: "47 read deadline is that of one request", handler: readDeadlineOfOne, script: steps(send(get("/1")), answer, await("over"), send(get("/2")), answer, kept)},
		{name: "49 panic", handler: panics("oops"), script: steps(send(get("/")+get("/2")), eof)},
		{name: "49 nil panic", handler: panics(nil), script: steps(send(get("/")), eof)},
		{name: "49 panic with an error", handler: panics(io.ErrUnexpectedEOF), script: steps(send(get("/")), eof)},
		{name: "49 ErrAbortHandler", handler: panics(http.ErrAbortHandler), script: steps(send(get("/")), eof)},
		{name: "49 panic after a body", handler: panicsAfter("hello", false), script: steps(send(get("/")), eof)},
		{name: "49 panic after a flush", handler: panicsAfter("hello", true), script: steps(send(get("/")), eof)},
		{name: "49 abort after a flush", handler: abortsAfterFlush, script: steps(send(get("/")), eof)},
		{name: "49 Goexit", handler: func(*play, http.ResponseWriter, *http.Request) { runtime.Goexit() }, script: steps(send(get("/")), eof)},
		{name: "49 others live on after a panic", handler: panicsAtTwo, script: steps(send(get("/1")), answer, on("b", send(get("/2")), eof), send(get("/1")), answer, kept)},
		{name: "50 alive in the handler, ended after it", handler: contextAfter, script: steps(send(get("/")), answer, await("ended"), kept)},
		{name: "50 the end of one request is not that of the next", handler: contextOfNext, script: steps(send(get("/1")), answer, await("ended"), send(get("/2")), await("in"), let("out"), answer, kept)},
		{name: "50 cancelled when the client leaves", handler: waitsForEnd, script: steps(send(get("/")), await("in"), leave, await("ended"))},
		{name: "50 cancelled by a reset", tcp: true, handler: waitsForEnd, script: steps(send(get("/")), await("in"), reset, await("ended"))},
		{name: "50 cancelled after the body", handler: waitsForEndAfterBody, script: steps(send(post("hello")), await("in"), leave, await("ended"))},
		{name: "50 cancelled in the second request", handler: waitsAtTwo, script: steps(send(get("/1")), answer, send(get("/2")), await("in"), leave, await("ended"))},
		{name: "50 a pipelined byte hides the end", handler: pipelinedHides, script: steps(send(get("/1")), await("in"), send("G"), leave, let("out"), await("checked"))},
		{name: "50 body that is not read hides the end", handler: waitsOrHolds, script: steps(send(request("POST / HTTP/1.1", "Content-Length: 9")+"hel"), await("in"), let("out"), send("lo lo!"), answer, kept)},
		{name: "50 derived contexts and AfterFunc", handler: derived, script: steps(send(get("/")), await("in"), leave, await("ended"))},
		{name: "50 AfterFunc that was stopped", handler: stopped, script: steps(send(get("/")), answer, kept)},
		{name: "50 no deadline, no cause before the end", handler: plainContext, script: steps(send(get("/")), answer, kept)},
		{name: "54 Shutdown of a server without requests", script: steps(leave, shutdown, await("down"))},
		{name: "54 Shutdown of an idle connection", script: steps(send(get("/")), answer, shutdown, gracefully, await("down"))},
		{name: "54 Shutdown while a handler runs", handler: holdsTarget, script: steps(send(get("/1")), await("in"), beginShutdown, let("out"), gracefully, await("down"))},
		{name: "54 Shutdown after a flush", handler: flushesAndHolds, script: steps(send(get("/")), until("a\r\n"), beginShutdown, let("rest"), gracefully, await("down"))},
		{name: "54 Shutdown after a flush, with half a request behind", handler: flushesAndHolds, config: config{readHeaderTimeout: patience}, script: steps(send(get("/")+"GET / HT"), until("a\r\n"), beginShutdown, let("rest"), eof, await("down"))},
		{name: "54 Close while a handler runs", handler: waitsForEnd, script: steps(send(get("/")), await("in"), closeServer, eof, await("ended"))},
		{name: "54 Close of an idle connection", script: steps(send(get("/")), answer, closeServer, eof)},
		{name: "54 Close of a connection with half a request", script: steps(send("GET"), closeServer, eof)},
		{name: "53 header time-out", config: config{readHeaderTimeout: brief}, script: steps(send("GET / HTTP/1.1\r\n"), eof)},
		{name: "53 header time-out, nothing sent", config: config{readHeaderTimeout: brief}, script: steps(eof)},
		{name: "53 header time-out of a second request", config: config{readHeaderTimeout: brief, idleTimeout: patience}, script: steps(send(get("/")), answer, send("GET"), send(" / HTTP/1.1\r\n"), eof)},
		{name: "53 header time-out does not end an idle connection", config: config{readHeaderTimeout: brief, idleTimeout: patience},
			script: steps(send(get("/")), answer, on("clock", send("G"), eof), on("clock 2", send("G"), eof), kept)},
		{name: "53 header time-out does not end a handler or a body", handler: echoHolds, config: config{readHeaderTimeout: brief, idleTimeout: patience},
			script: steps(send(request("POST / HTTP/1.1", "Content-Length: 5")), await("in"), on("clock", send("G"), eof), send("hello"), answer, kept)},
		{name: "53 idle time-out", config: config{readHeaderTimeout: patience, idleTimeout: brief}, script: steps(send(get("/")), answer, gracefully)},
		{name: "53 idle time-out does not end a first request", config: config{readHeaderTimeout: patience, idleTimeout: brief},
			script: steps(on("clock", send(get("/")), answer, eof), kept)},
		{name: "53 idle time-out does not end a request that has begun", config: config{readHeaderTimeout: patience, idleTimeout: brief},
			script: steps(send(get("/")+"GET / HT"), answer, on("clock", send(get("/")), answer, eof), send("TP/1.1\r\nHost: a\r\n\r\n"), answer)},
		{name: "55 CloseNotify", handler: closeNotify, script: steps(send(get("/")), await("in"), leave, await("ended"))},
		{name: "55 CloseNotify at return", handler: closeNotifyReturn, script: steps(send(get("/")), answer, kept)},
		{name: "56 OPTIONS *", send: request("OPTIONS * HTTP/1.1")},
		{name: "56 OPTIONS * with a body", send: request("OPTIONS * HTTP/1.1", "Content-Length: 5") + "hello"},
	},
	hijackCases, handlerCases,
)

// answerRest takes the rest of a chunked body.
func answerRest(p *play) { p.link.until(p.T, "0\r\n\r\n") }

// beginShutdown has the server shut down, and waits until it keeps no connection any more:
// it closes those that are idle.
func beginShutdown(p *play) {
	on("idle", kept)(p)
	shutdown(p)
	on("idle", eof)(p)
}

func flushesAndHolds(p *play, w http.ResponseWriter, r *http.Request) {
	flushes("a")(p, w, r)
	p.hold("rest")
	io.WriteString(w, "b")
}

func flushesHeader(p *play, w http.ResponseWriter, r *http.Request) {
	w.(http.Flusher).Flush()
	p.hold("rest")
	io.WriteString(w, "b")
}

func flushesLength(p *play, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "4")
	flushes("ab")(p, w, r)
	p.hold("rest")
	io.WriteString(w, "cd")
}

func longAndHolds(p *play, w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, strings.Repeat("x", 20_000))
	p.hold("rest")
}

func answersAndHolds(p *play, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "2")
	flushes("ok")(p, w, r)
	p.hold("rest")
}

func readsPast(p *play, w http.ResponseWriter, r *http.Request) {
	p.note("  %v", http.NewResponseController(w).SetReadDeadline(time.Now().Add(-time.Second)))
	_, err := io.ReadAll(r.Body)
	p.note("  deadline exceeded: %v", errors.Is(err, os.ErrDeadlineExceeded))
}

func readsAfterDeadline(p *play, w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	p.note("  %v %v", rc.SetReadDeadline(time.Now().Add(time.Millisecond)), rc.SetReadDeadline(time.Time{}))
	p.reach("in")
	p.noteBody(r)
}

func writesPast(p *play, w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	p.note("  %v", rc.SetWriteDeadline(time.Now().Add(-time.Second)))
	_, err := io.WriteString(w, "ok")
	p.note("  write: %v", err)
	p.note("  flush, deadline exceeded: %v", errors.Is(rc.Flush(), os.ErrDeadlineExceeded))
	<-r.Context().Done()
	p.note("  ended")
}

func returnsPast(p *play, w http.ResponseWriter, r *http.Request) {
	p.note("  %v", http.NewResponseController(w).SetWriteDeadline(time.Now().Add(-time.Second)))
	io.WriteString(w, "ok")
}

func writesAfterDeadline(p *play, w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	p.note("  %v %v", rc.SetWriteDeadline(time.Now().Add(-time.Second)), rc.SetWriteDeadline(time.Time{}))
	flushes("ok")(p, w, r)
}

// deadlineOfOne has the first request set a deadline that has passed when the second runs.
func deadlineOfOne(p *play, w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/1" {
		until := time.Now().Add(brief)
		http.NewResponseController(w).SetWriteDeadline(until)
		time.AfterFunc(time.Until(until), func() { p.reach("over") })
	}
	io.WriteString(w, "ok")
}

func readDeadlineOfOne(p *play, w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/1" {
		until := time.Now().Add(brief)
		http.NewResponseController(w).SetReadDeadline(until)
		time.AfterFunc(time.Until(until), func() { p.reach("over") })
	}
	io.WriteString(w, "ok")
}

func panics(v any) handler {
	return func(*play, http.ResponseWriter, *http.Request) { panic(v) }
}

func panicsAfter(text string, flush bool) handler {
	return func(p *play, w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, text)
		if flush {
			w.(http.Flusher).Flush()
		}
		panic("after")
	}
}

func abortsAfterFlush(p *play, w http.ResponseWriter, r *http.Request) {
	flushes("hello")(p, w, r)
	panic(http.ErrAbortHandler)
}

func panicsAtTwo(p *play, w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/2" {
		panic("two")
	}
	io.WriteString(w, "ok")
}

// contextAfter notes the end of the context, which is after the handler's return.
func contextAfter(p *play, w http.ResponseWriter, r *http.Request) {
	p.note("  in the handler: %v", r.Context().Err())
	leave := p.enter()
	context.AfterFunc(r.Context(), func() {
		defer leave()
		p.note("  after it: %v, cause %v", r.Context().Err(), context.Cause(r.Context()))
		p.reach("ended")
	})
}

func contextOfNext(p *play, w http.ResponseWriter, r *http.Request) {
	contextAfter(p, w, r)
	if r.URL.Path == "/2" {
		p.reach("in")
		p.hold("out")
		p.note("  still: %v", r.Context().Err())
	}
}

func waitsAtTwo(p *play, w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/2" {
		waitsForEnd(p, w, r)
	}
}

// pipelinedHides is answered by a client that has sent more and left.
func pipelinedHides(p *play, w http.ResponseWriter, r *http.Request) {
	p.reach("in")
	p.hold("out")
	p.note("  %v", r.Context().Err())
	p.reach("checked")
}

func waitsOrHolds(p *play, w http.ResponseWriter, r *http.Request) {
	holdsTarget(p, w, r)
	p.note("  %v", r.Context().Err())
}

func derived(p *play, w http.ResponseWriter, r *http.Request) {
	before := runtime.NumGoroutine()
	type key struct{}
	ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), key{}, 1), time.Hour)
	defer cancel()
	after := make(chan bool, 1)
	context.AfterFunc(ctx, func() { after <- true })
	p.note("  goroutines for it: %v", max(0, runtime.NumGoroutine()-before) > 50)
	p.reach("in")
	<-ctx.Done()
	p.note("  %v %v %v", ctx.Err(), <-after, ctx.Value(key{}))
	p.reach("ended")
}

func stopped(p *play, w http.ResponseWriter, r *http.Request) {
	stop := context.AfterFunc(r.Context(), func() { p.note("  never") })
	p.note("  %v %v", stop(), stop())
}

func plainContext(p *play, w http.ResponseWriter, r *http.Request) {
	_, has := r.Context().Deadline()
	p.note("  deadline %v, cause %v", has, context.Cause(r.Context()))
	ctx := context.WithoutCancel(r.Context())
	first, second := r.Context().Done(), r.Context().Done()
	p.note("  the same done: %v, without %v", first == second, ctx.Done() == nil)
}

func echoHolds(p *play, w http.ResponseWriter, r *http.Request) {
	p.reach("in")
	echo(p, w, r)
}

// closeNotifier is http.CloseNotifier, which is deprecated and still in use.
type closeNotifier interface{ CloseNotify() <-chan bool }

func closeNotify(p *play, w http.ResponseWriter, r *http.Request) {
	c := w.(closeNotifier).CloseNotify()
	p.reach("in")
	p.note("  %v", <-c)
	p.reach("ended")
}

func closeNotifyReturn(p *play, w http.ResponseWriter, r *http.Request) {
	w.(closeNotifier).CloseNotify()
}
