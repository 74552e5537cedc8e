package servertest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

var hijackCases = []testCase{
	{name: "48 hijack", handler: hijacks(echoLines), script: steps(send(get("/")), until("hello\n"), send("a\n"), until("a\n"), send("b\n"), until("b\n"), halfClose, gracefully)},
	{name: "48 early bytes", handler: hijacks(echoLines), script: steps(send(get("/")+"a\nb\n"), until("a\nb\n"), halfClose, gracefully)},
	{name: "48 many early bytes", handler: hijacks(countBytes), script: steps(send(get("/")+strings.Repeat("0123456789", 2000)), halfClose, gracefully)},
	{name: "48 bytes that come while the handler runs", handler: hijacksLate, script: steps(send(get("/")), await("in"), send("a\nb\n"), let("hijack"), until("a\nb\n"), halfClose, gracefully)},
	{name: "48 many bytes that come while the handler runs", handler: hijacksLate, script: steps(send(get("/")), await("in"), send(strings.Repeat("0123456789", 2000)+"\n"), let("hijack"), until("9\n"), halfClose, gracefully)},
	{name: "48 early bytes that look like a request", handler: hijacks(countBytes), script: steps(send(get("/")+get("/2")), halfClose, gracefully)},
	{name: "48 hijack before the body is read", handler: hijacks(countBytes), script: steps(send(post("hello")+"more"), halfClose, gracefully)},
	{name: "48 hijack after the body was read", handler: hijacksAfterBody, script: steps(send(post("hello")+"more"), halfClose, gracefully)},
	{name: "48 hijack after a flush", handler: hijacksAfterFlush, script: steps(send(get("/")), until("by hand"), gracefully)},
	{name: "48 hijack after a write without a flush", handler: hijacksAfterWrite, script: steps(send(get("/")), until("by hand"), gracefully)},
	{name: "48 twice", handler: hijacksTwice, script: steps(send(get("/")), gracefully)},
	{name: "48 write after it", handler: writesHijacked, script: steps(send(get("/")), gracefully)},
	{name: "48 panic after it", handler: panicsHijacked, script: steps(send(get("/")), until("x"), await("in"), logged("panic"), let("close"), gracefully)},
	{name: "48 return after it: the connection stays open", handler: hijacksAndReturns, script: steps(send(get("/")), await("returned"), send("a\n"), until("a\n"), gracefully)},
	{name: "48 context after it", handler: contextHijacked, script: steps(send(get("/")), await("ended"), let("close"), gracefully)},
	{name: "48 client leaves after it", handler: leavesHijacked, script: steps(send(get("/")), await("in"), leave, await("ended"))},
	{name: "48 deadlines are cleared", handler: deadlinesHijacked, script: steps(send(get("/")), await("over"), send("a\n"), until("a\n"), halfClose, gracefully)},
	{name: "48 header time-out is over", config: config{readHeaderTimeout: brief, idleTimeout: brief}, handler: atSlash(hijacks(echoLines)),
		script: steps(send(get("/")), until("hello\n"), on("clock", send("G"), eof), send("a\n"), until("a\n"), halfClose, gracefully)},
	{name: "48 type of the connection", tcp: true, handler: typeHijacked, script: steps(send(get("/")), gracefully),
		differs: map[string]string{"server": "the connection has the time-out of answers"}},
	{name: "48 Shutdown does not end it", handler: hijacksAndReturns, script: steps(send(get("/")), await("returned"), send("a\n"), until("a\n"), gracefully, shutdown, await("down"))},
	{name: "48 upgrade by hand", handler: upgrades, script: steps(send(get("/", "Connection: Upgrade", "Upgrade: echo")+"early\n"), until("early\n"), send("late\n"), until("late\n"), halfClose, gracefully)},
	{name: "48 second request", handler: atPath("/2", hijacks(echoLines)), script: steps(send(get("/1")), answer, send(get("/2")+"a\n"), until("a\n"), halfClose, gracefully)},
	{name: "48 pipelined", handler: atPath("/2", hijacks(echoLines)), script: steps(send(get("/1")+get("/2")+"a\n"), until("a\n"), halfClose, gracefully)},
	{name: "48 HTTP/1.0", handler: hijacks(echoLines), script: steps(send(request("GET / HTTP/1.0")+"a\n"), until("a\n"), halfClose, gracefully)},
}

func atPath(path string, h handler) handler {
	return func(p *play, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			h(p, w, r)
		}
	}
}

func atSlash(h handler) handler { return atPath("/", h) }

func hijack(p *play, w http.ResponseWriter) (net.Conn, *bufio.ReadWriter) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.note("  hijack: %v", err)
		panic(http.ErrAbortHandler)
	}
	return conn, rw
}

// hijacks says hello and has f go on.
func hijacks(f func(p *play, conn net.Conn, rw *bufio.ReadWriter)) handler {
	return func(p *play, w http.ResponseWriter, r *http.Request) {
		conn, rw := hijack(p, w)
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		io.WriteString(conn, "hello\n")
		f(p, conn, rw)
	}
}

// echoLines sends every line back, through the buffer.
func echoLines(p *play, conn net.Conn, rw *bufio.ReadWriter) {
	for {
		line, err := rw.ReadString('\n')
		if err != nil {
			p.note("  rest %q %v", line, err)
			return
		}
		rw.WriteString(line)
		rw.Flush()
	}
}

func countBytes(p *play, conn net.Conn, rw *bufio.ReadWriter) {
	b, err := io.ReadAll(rw)
	p.note("  %s %v", plain(string(b)), err)
}

func hijacksLate(p *play, w http.ResponseWriter, r *http.Request) {
	p.reach("in")
	p.hold("hijack")
	hijacks(echoLines)(p, w, r)
}

func hijacksAfterBody(p *play, w http.ResponseWriter, r *http.Request) {
	p.noteBody(r)
	hijacks(countBytes)(p, w, r)
}

func hijacksAfterFlush(p *play, w http.ResponseWriter, r *http.Request) {
	flushes("flushed")(p, w, r)
	conn, _ := hijack(p, w)
	io.WriteString(conn, "by hand")
	conn.Close()
}

func hijacksAfterWrite(p *play, w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, "not flushed")
	conn, rw := hijack(p, w)
	rw.WriteString("by hand")
	rw.Flush()
	conn.Close()
}

func hijacksTwice(p *play, w http.ResponseWriter, r *http.Request) {
	conn, _ := hijack(p, w)
	defer conn.Close()
	_, _, err := http.NewResponseController(w).Hijack()
	p.note("  %v", errors.Is(err, http.ErrHijacked))
}

func writesHijacked(p *play, w http.ResponseWriter, r *http.Request) {
	conn, _ := hijack(p, w)
	defer conn.Close()
	for _, b := range [][]byte{nil, []byte("x")} {
		n, err := w.Write(b)
		p.note("  %d %v", n, err == http.ErrHijacked)
	}
	w.WriteHeader(404)
	w.Header().Set("A", "b")
}

func panicsHijacked(p *play, w http.ResponseWriter, r *http.Request) {
	conn, _ := hijack(p, w)
	io.WriteString(conn, "x")
	p.later(func() {
		p.reach("in")
		p.hold("close")
		conn.Close()
	})
	panic("hijacked")
}

func hijacksAndReturns(p *play, w http.ResponseWriter, r *http.Request) {
	conn, rw := hijack(p, w)
	p.later(func() {
		defer conn.Close()
		line, err := rw.ReadString('\n')
		fmt.Fprint(conn, line)
		p.note("  %v", err)
	})
	defer p.reach("returned")
}

// contextHijacked notes when the context of a hijacked request ends.
func contextHijacked(p *play, w http.ResponseWriter, r *http.Request) {
	conn, _ := hijack(p, w)
	p.note("  hijacked: %v", r.Context().Err())
	p.later(func() {
		<-r.Context().Done()
		p.note("  returned: %v", r.Context().Err())
		p.reach("ended")
		p.hold("close")
		conn.Close()
	})
}

func leavesHijacked(p *play, w http.ResponseWriter, r *http.Request) {
	conn, _ := hijack(p, w)
	defer conn.Close()
	p.reach("in")
	_, err := conn.Read(make([]byte, 1))
	p.note("  %v %v", err, context.Cause(r.Context()))
	p.reach("ended")
}

func deadlinesHijacked(p *play, w http.ResponseWriter, r *http.Request) {
	until := time.Now().Add(brief)
	rc := http.NewResponseController(w)
	rc.SetReadDeadline(until)
	rc.SetWriteDeadline(until)
	conn, rw := hijack(p, w)
	defer conn.Close()
	time.AfterFunc(time.Until(until), func() { p.reach("over") })
	echoLines(p, conn, rw)
}

func typeHijacked(p *play, w http.ResponseWriter, r *http.Request) {
	conn, rw := hijack(p, w)
	defer conn.Close()
	p.note("  %T, %d and %d bytes of buffer, %d bytes early", conn, rw.Reader.Size(), rw.Writer.Size(), rw.Reader.Buffered())
	p.note("  remote address %v", conn.RemoteAddr().String() == r.RemoteAddr)
}

func upgrades(p *play, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Upgrade", "echo")
	w.Header().Set("Connection", "Upgrade")
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, rw := hijack(p, w)
	defer conn.Close()
	echoLines(p, conn, rw)
}
