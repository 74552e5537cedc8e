package servertest

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// keeps are all ways to ask for a connection to be kept or closed, with all kinds of
// answers.
func keeps() (all []testCase) {
	answers := []struct {
		name string
		handler
	}{
		{"length", header()}, {"chunks", flushes("ok")}, {"204", status(204, "")}, {"304", status(304, "")},
		{"close", header("Connection: close")}, {"keep-alive", header("Connection: keep-alive")}, {"given length", header("Content-Length: 2")},
	}
	for _, version := range []string{"1.0", "1.1"} {
		for _, field := range []string{"X: 1", "Connection: keep-alive", "Connection: close"} {
			for _, method := range []string{"GET", "HEAD"} {
				for _, a := range answers {
					all = append(all, testCase{name: fmt.Sprintf("33 %s of %s, %s, %s", method, version, field, a.name), handler: a.handler,
						send: request(method+" / HTTP/"+version, field)})
				}
			}
		}
	}
	return all
}

// closeFields are Connection fields of an answer.
var closeFields = []string{"close", "Close", "CLOSE", "x, close", "close, x", "x,close,y", "closed", "keep-alive, close", "close;x", " close ", "\tclose"}

func answersClose() (all []testCase) {
	for _, s := range closeFields {
		c := does(fmt.Sprintf("34 answer says %q", s), header("Connection: "+s))
		all = append(all, c)
	}
	return all
}

var connectionCases = slices.Concat(
	keeps(),
	each("34 request says", func(s string) string { return get("/", "Connection:"+s) }, closeFields...),
	answersClose(),
	[]testCase{
		{name: "34 both lines of the answer", handler: header("Connection: x", "Connection: close"), send: get("/")},
		{name: "33 three requests of HTTP/1.0", send: strings.Repeat(request("GET / HTTP/1.0", "Connection: keep-alive"), 3)},
		{name: "33 close without waiting for the client", handler: header("Connection: close"), script: steps(send(get("/")), gracefully)},
		{name: "33 close of HTTP/1.0 without waiting", script: steps(send(request("GET / HTTP/1.0")), gracefully)},
		{name: "33 close asked for", script: steps(send(get("/", "Connection: close")), gracefully)},
		{name: "33 close, and requests behind it", script: steps(send(get("/", "Connection: close")+strings.Repeat(get("/2"), 50)), gracefully)},
		{name: "33 one after the other", script: steps(send(get("/1")), answer, send(post("hello")), answer, send(get("/3")), answer, kept)},
		{name: "35 pipelined", handler: echoTarget, send: get("/1") + get("/2") + post("hello") + chunked("2\r\nhi\r\n0\r\n\r\n") + request("HEAD /5 HTTP/1.1") + get("/6")},
		{name: "35 sixteen pipelined", handler: echoTarget, send: numbered(16)},
		{name: "35 a hundred pipelined", handler: echoTarget, send: numbered(100)},
		{name: "35 a thousand pipelined", handler: countsOnly, script: steps(send(strings.Repeat(get("/"), 1000)+sentinel), eof)},
		{name: "35 pipelined, in pieces", handler: echoTarget, script: steps(slowly(numbered(3)+sentinel), eof)},
		{name: "35 next request while one runs", handler: holdsTarget, script: steps(send(get("/1")), await("in"), send(get("/2")), nothing, let("out"), answer, await("in"), let("out"), answer, kept)},
		{name: "35 pipelined behind a body that is not read", handler: echoTarget, send: request("POST /1 HTTP/1.1", "Content-Length: 5") + "hello" + get("/2")},
		{name: "35 order with flushes", handler: flushes("a", "b"), send: get("/1") + get("/2")},
		{name: "35 the second closes", handler: closesTwo, send: numbered(4)},
		{name: "36 half-close after a request", script: steps(send(get("/")), halfClose, gracefully)},
		{name: "36 half-close while the handler runs", handler: waitsForEnd, script: steps(send(get("/")), await("in"), halfClose, await("ended"), gracefully)},
		{name: "36 half-close, long answer", dechunk: true, handler: writes(strings.Repeat("x", 1<<20)), script: steps(send(get("/")), halfClose, gracefully)},
		{name: "36 half-close after a body", script: steps(send(post("hello")), halfClose, gracefully)},
		{name: "36 half-close while the body is read", handler: waitsForEndAfterBody, script: steps(send(post("hello")), await("in"), halfClose, await("ended"), gracefully)},
		{name: "36 half-close behind a pipelined request", handler: holdsTarget,
			script: steps(send(get("/1")+get("/2")), halfClose, await("in"), let("out"), await("in"), let("out"), gracefully)},
		{name: "37 write to a client that has left", tcp: true, handler: writesUntilError, script: steps(send(get("/")+get("/2")), await("in"), reset, let("out"), await("failed"))},
	},
)

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(get(fmt.Sprintf("/%d", i+1)))
	}
	return b.String()
}

func echoTarget(p *play, w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) }

// countsOnly keeps the transcript short.
func countsOnly(p *play, w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notes = p.notes[:min(len(p.notes), 2)]
}

func holdsTarget(p *play, w http.ResponseWriter, r *http.Request) {
	p.reach("in")
	p.hold("out")
	io.WriteString(w, r.RequestURI)
}

func closesTwo(p *play, w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/2" {
		w.Header().Set("Connection", "close")
	}
	io.WriteString(w, r.RequestURI)
}

// waitsForEnd waits until the request's context ends, and answers nevertheless.
func waitsForEnd(p *play, w http.ResponseWriter, r *http.Request) {
	p.reach("in")
	select {
	case <-r.Context().Done():
		p.note("  ended: %v", r.Context().Err())
	case <-p.done:
	}
	p.reach("ended")
	io.WriteString(w, "ok")
}

func waitsForEndAfterBody(p *play, w http.ResponseWriter, r *http.Request) {
	p.noteBody(r)
	waitsForEnd(p, w, r)
}

func writesUntilError(p *play, w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		p.note("  served")
		return
	}
	p.reach("in")
	p.hold("out")
	chunk := []byte(strings.Repeat("x", 64<<10))
	for {
		if _, err := w.Write(chunk); err != nil {
			break
		}
	}
	<-r.Context().Done()
	p.note("  ended: %v", r.Context().Err())
	_, err := w.Write([]byte("more"))
	p.note("  writes again: %v", err != nil)
	p.reach("failed")
}
