package servertest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

const many = 1 << 20 // bytes, more than a buffer or a drained body

// leaveCases are about clients that go, or do not go on, at bad moments.
var leaveCases = []testCase{
	{name: "38 unread body that is never sent", handler: ignores, script: steps(send(request("POST / HTTP/1.1", "Content-Length: 9007199254740990")), answer, halfClose, eof)},
	{name: "38 unread body that is never sent, answered with a flush", handler: flushes("ok"), script: steps(send(request("POST / HTTP/1.1", "Content-Length: 9007199254740990")), until("0\r\n\r\n"), halfClose, eof)},
	{name: "40 client leaves in the body", handler: readsToError, script: steps(send(request("POST / HTTP/1.1", "Content-Length: 9")+"hello"), await("in"), leave, await("failed"))},
	{name: "40 client leaves in a chunk", handler: readsToError, script: steps(send(chunked("9\r\nhello")), await("in"), leave, await("failed"))},
	{name: "40 client resets in the body", tcp: true, handler: readsToError, script: steps(send(request("POST / HTTP/1.1", "Content-Length: 9")+"hello"), await("in"), reset, await("failed"))},
	{name: "40 client leaves before a body that it was to go on with", handler: readsToError, script: steps(send(expects), await("in"), until("100 Continue\r\n\r\n"), leave, await("failed"))},
	{name: "47 write deadline in the future, and a client that does not read", handler: writesUntilDeadline, script: steps(send(get("/")), await("failed"), leave)},
	{name: "47 read deadline in the future, and no body", handler: readsUntilDeadline, script: steps(send(request("POST / HTTP/1.1", "Content-Length: 5")+"hel"), await("failed"), eof)},
	{name: "47 deadline of one read, then another", handler: readsAgain, script: steps(send(request("POST / HTTP/1.1", "Content-Length: 5")+"hel"), await("failed"), eof)},
	{name: "48 a great many bytes that come while the handler runs", handler: hijacksMany, script: steps(send(get("/")), await("in"), sendRepeated(strings.Repeat("x", 1<<10), many>>10), let("hijack"), gracefully)},
	{name: "48 a long body that is taken over", handler: hijacksMany, script: steps(send(request("POST / HTTP/1.1", "Content-Length: 1048576")), await("in"), sendRepeated(strings.Repeat("x", 1<<10), many>>10), let("hijack"), gracefully)},
	{name: "50 client leaves behind an answer that is under way", handler: leavesAfterFlush, script: steps(send(get("/")), until("ok\r\n"), leave, await("ended"))},
	{name: "54 Shutdown while a body comes", handler: readsLate, script: steps(send(request("POST / HTTP/1.1", "Content-Length: 5")), await("in"), beginShutdown, let("read"), send("hello"), gracefully, await("down"))},
	{name: "54 Shutdown with a request behind one", handler: holdsTarget, script: steps(send(get("/1")+get("/2")), await("in"), beginShutdown, let("out"), let("out"), eof, await("down"))},
}

func readsToError(p *play, w http.ResponseWriter, r *http.Request) {
	p.reach("in")
	b, err := io.ReadAll(r.Body)
	p.note("  %q, fails %v", b, err != nil)
	<-r.Context().Done()
	p.note("  ended")
	p.reach("failed")
}

func writesUntilDeadline(p *play, w http.ResponseWriter, r *http.Request) {
	p.note("  %v", http.NewResponseController(w).SetWriteDeadline(time.Now().Add(20*time.Millisecond)))
	var err error
	for chunk := make([]byte, 64<<10); err == nil; {
		_, err = w.Write(chunk)
	}
	p.note("  deadline exceeded: %v", errors.Is(err, os.ErrDeadlineExceeded))
	<-r.Context().Done()
	p.note("  ended")
	p.reach("failed")
}

func readsUntilDeadline(p *play, w http.ResponseWriter, r *http.Request) {
	timesOut(p, w, r)
	p.reach("failed")
}

// readsAgain finds that a body is broken for good, though the deadline is another.
func readsAgain(p *play, w http.ResponseWriter, r *http.Request) {
	timesOut(p, w, r)
	err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_, readErr := r.Body.Read(make([]byte, 1))
	p.note("  again: %v, %v", err, readErr != nil)
	p.reach("failed")
}

func hijacksMany(p *play, w http.ResponseWriter, r *http.Request) {
	p.reach("in")
	p.hold("hijack")
	hijacks(func(p *play, conn net.Conn, rw *bufio.ReadWriter) {
		n, err := io.CopyN(io.Discard, rw, many)
		p.note("  %d %v", n, err)
	})(p, w, r)
}

func leavesAfterFlush(p *play, w http.ResponseWriter, r *http.Request) {
	flushes("ok")(p, w, r)
	<-r.Context().Done()
	p.note("  %v", r.Context().Err())
	p.reach("ended")
}

// TestCloseWhileClientsConnect says that Close ends, whatever connections are about to be.
func TestCloseWhileClientsConnect(t *testing.T) {
	for _, kind := range servers {
		for _, network := range networks {
			t.Run(kind.name+"/"+network, func(t *testing.T) {
				for range 20 {
					closeAmid(t, kind, network)
				}
			})
		}
	}
}

func closeAmid(t *testing.T, kind serverKind, network string) {
	p := testCase{handler: countsOnly}.begin(t, kind, network)
	var wg sync.WaitGroup
	begun := make(chan struct{}, 8)
	for range cap(begun) {
		wg.Go(func() {
			for {
				conn, err := net.Dial(network, p.ln.Addr().String())
				select {
				case begun <- struct{}{}:
				default:
				}
				if err != nil {
					return
				}
				conn.SetDeadline(time.Now().Add(patience))
				io.WriteString(conn, get("/"))
				_, err = conn.Read(make([]byte, 1))
				conn.Close()
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("a connection was left open")
				}
				if err != nil {
					return
				}
			}
		})
	}
	<-begun
	p.server.Close()
	wg.Wait()
	close(p.done)
	p.wait()
}

// TestShutdownGivesNewConnectionsTime says that a connection that has sent nothing yet is
// closed by Shutdown, though not at once: its request may be under way.
func TestShutdownGivesNewConnectionsTime(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 5 seconds")
	}
	for _, kind := range servers {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			p := testCase{}.begin(t, kind, "tcp")
			defer p.end()
			p.dial("")
			on("other", send(get("/")), answer, leave)(p) // so that the first one is accepted
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := p.server.Shutdown(ctx); err != nil {
				t.Error(err)
			}
			eof(p)
		})
	}
}
