package httploop

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nextrush/nextrush/internal/pace"
)

// tight serves a listener whose connections keep few bytes for a client.
func tight(t *testing.T, h http.Handler, eject func(net.Conn)) (*Server, net.Addr) {
	t.Helper()
	return tightFor(t, time.Minute, h, eject)
}

func tightFor(t *testing.T, stall time.Duration, h http.Handler, eject func(net.Conn)) (*Server, net.Addr) {
	t.Helper()
	limit := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		fail := raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 8<<10) })
		if fail != nil {
			return fail
		}
		return err
	}}
	ln, err := limit.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Config{
		Handler: plain{h, pace.New("test")},
		HTTP:    &http.Server{ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute},
		Base:    context.Background(), Stall: stall, Eject: eject,
	})
	t.Cleanup(serve(s, ln, true))
	return s, ln.Addr()
}

// await waits until a connection of the server is as wanted.
func await(t *testing.T, s *Server, wanted func(*conn) bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(s, wanted); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the connection never is as it should be")
		}
	}
}

func is(s *Server, wanted func(*conn) bool) bool {
	for _, c := range s.list() {
		c.mu.Lock()
		is := wanted(c)
		c.mu.Unlock()
		if is {
			return true
		}
	}
	return false
}

// A client that sends request after request and reads nothing has few answers made.
func TestRequestsWaitForAClientThatReadsNothing(t *testing.T) {
	const many = 200
	s, addr := tight(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%-2000s", r.URL.Path)
	}), func(c net.Conn) { c.Close() })
	client, in := dial(t, addr)
	var requests strings.Builder
	for i := range many {
		fmt.Fprintf(&requests, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i)
	}
	go io.WriteString(client, requests.String())
	most := 0
	await(t, s, func(c *conn) bool {
		most = max(most, c.out.pending())
		return c.out.waits && !c.busy
	})
	if most > 2*mostWaiting {
		t.Errorf("%d bytes of answers wait", most)
	}
	for i := range many {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(i, err)
		}
		b, _ := io.ReadAll(res.Body)
		if got := strings.TrimSpace(string(b)); got != fmt.Sprint("/", i) {
			t.Fatalf("%d: %q", i, got)
		}
	}
}

// An answer that never ends to a client that is always a little behind takes no more and
// more memory.
func TestOutputThatIsNeverEmptyStaysSmall(t *testing.T) {
	var o output
	piece := bytes.Repeat([]byte("x"), 1<<10)
	o.append(piece)
	for range 1000 {
		o.append(piece)
		o.took(len(piece))
	}
	if o.pending() != len(piece) || cap(o.b) > keptBuffer {
		t.Errorf("%d bytes wait in %d", o.pending(), cap(o.b))
	}
}

// What has been answered before a request that is for net/http arrives before its answer.
func TestAnswersLeaveBeforeTheConnectionDoes(t *testing.T) {
	var ejected atomic.Bool
	written := 0
	waits := func(c *conn) bool { return c.out.waits }
	var s *Server
	s, addr := tight(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for !is(s, waits) || written%(32<<10) != 0 {
			n, _ := w.Write(make([]byte, 4<<10))
			written += n
		}
	}), func(c net.Conn) {
		ejected.Store(true)
		go func() {
			defer c.Close()
			io.WriteString(c, "HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n")
		}()
	})
	client, in := dial(t, addr)
	client.(*net.TCPConn).SetReadBuffer(4 << 10)
	fmt.Fprintf(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\nCONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n")
	for !ejected.Load() && !is(s, func(c *conn) bool { return c.out.waits && !c.busy }) {
		time.Sleep(time.Millisecond)
	}
	for _, want := range []int{200, 405} {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		if err != nil || res.StatusCode != want || want == 200 && int(n) != written {
			t.Fatal(res.Status, n, written, err)
		}
	}
}

// A handler may answer while another goroutine of it reads a body that is too long.
func TestABodyTurnsOutTooLongWhileTheAnswerBegins(t *testing.T) {
	s, addr := tight(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(interface{ LimitBody(int64) }).LimitBody(10)
		read := make(chan bool)
		go func() {
			defer close(read)
			io.Copy(io.Discard, r.Body)
		}()
		for i := range 100 {
			w.Header().Set("X-Count", fmt.Sprint(i))
		}
		w.Write(make([]byte, 3000))
		<-read
	}), nil)
	for range 100 {
		client, in := dial(t, addr)
		fmt.Fprintf(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n12345")
		await(t, s, func(c *conn) bool { return c.wakes != nil }) // one of the two waits
		fmt.Fprintf(client, "%095d", 0)
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, res.Body); n != 3000 || err != nil {
			t.Fatal(n, err)
		}
	}
}

// A client that is still sending a body when the connection ends can read the answer: what
// it sends is read for a while.
func TestTheEndWaitsForAClientThatStillSends(t *testing.T) {
	for name, request := range map[string]string{
		"limited": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("x", 10),
		"refused": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: none\r\n\r\n",
	} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := newServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.(interface{ LimitBody(int64) }).LimitBody(9)
			io.ReadFull(r.Body, make([]byte, 10))
		}), time.Minute)
		stop := serve(s, ln, true)
		defer stop()
		waited := false
		for range 20 {
			client, in := dial(t, ln.Addr())
			io.WriteString(client, request)
			if _, err := io.ReadAll(in); err != nil {
				t.Fatal(name, err)
			}
			waited = waited || len(s.list()) > 0
			client.Close()
		}
		if !waited {
			t.Errorf("%s: the connection ends at once", name)
		}
	}
}

// A connection that waits for another request keeps nothing of the last one.
func TestAConnectionThatWaitsHasNoBuffer(t *testing.T) {
	s, addr := tight(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }), nil)
	client, in := dial(t, addr)
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 500<<10) + "\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + "5\r\n12345\r\n0\r\n\r\n",
	} {
		io.WriteString(client, request)
		if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != 200 {
			t.Fatal(res, err)
		}
		size := 0
		await(t, s, func(c *conn) bool { size = cap(c.in); return c.phase == idle && !c.busy })
		if size > 0 {
			t.Errorf("it keeps %d bytes", size)
		}
	}
}

// A client may leave behind any byte, in any way: its connection ends.
func TestClientsLeaveBehindEveryByte(t *testing.T) {
	s, addr := tight(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hijack":
			if client, rw, err := http.NewResponseController(w).Hijack(); err == nil {
				defer client.Close()
				rw.ReadByte()
			}
		case "/wait":
			<-r.Context().Done()
		case "/flush":
			w.(http.Flusher).Flush()
			fallthrough
		default:
			io.Copy(io.Discard, r.Body)
			fmt.Fprintf(w, "%100000d", 0)
		}
	}), func(c net.Conn) { c.Close() })
	for _, script := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /wait HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /flush HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello\r\nPOST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n",
		"POST /ignore HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhelloGET /hijack HTTP/1.1\r\nHost: a\r\nUpgrade: b\r\n\r\nearly",
		"GET / HTTP/1.1\r\nHost: a\r\n\r\nCONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.0\r\n\r\nGET / HTTP/1.1\r\nHost a\r\n\r\n",
	} {
		for n := range len(script) + 1 {
			for _, leave := range []func(*net.TCPConn){
				func(c *net.TCPConn) { c.Close() },
				func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
				func(c *net.TCPConn) { c.CloseWrite(); io.Copy(io.Discard, c); c.Close() },
				func(c *net.TCPConn) { c.CloseRead(); c.CloseWrite(); c.Read(make([]byte, 9)); c.Close() },
			} {
				client, _ := dial(t, addr)
				io.WriteString(client, script[:n])
				leave(client.(*net.TCPConn))
			}
		}
	}
	for end := time.Now().Add(time.Minute); len(s.list()) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections are left", len(s.list()))
		}
	}
}

// The end of an answer does not wait for the answer to the request behind it.
func TestAnAnswerEndsBeforeTheNextOne(t *testing.T) {
	got := make(chan bool)
	var s *Server
	s, addr := tight(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/2" {
			<-got
			return
		}
		io.WriteString(w, "ok")
		w.(http.Flusher).Flush()
		for s.loop.Batching() { // from then on nothing is held back
			time.Sleep(time.Millisecond)
		}
	}), nil)
	client, in := dial(t, addr)
	fmt.Fprintf(client, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(res.Body); string(b) != "ok" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	close(got)
}

func ask(t *testing.T, client net.Conn, in *bufio.Reader) {
	t.Helper()
	client.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, res.Body)
}

// bare gives connections away without their descriptors.
type bare struct{ net.Listener }

func (b bare) Accept() (net.Conn, error) {
	c, err := b.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return struct{ net.Conn }{c}, nil
}

// A connection that cannot be polled, for there is no descriptor left, say, is net/http's.
func TestWhatCannotBePolledIsGivenToNetHTTP(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(http.NotFoundHandler(), time.Minute)
	s.config.Eject = func(c net.Conn) {
		io.WriteString(c, "ejected")
		c.Close()
	}
	t.Cleanup(serve(s, bare{ln}, false))
	_, in := dial(t, ln.Addr())
	if b, err := io.ReadAll(in); string(b) != "ejected" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

// The time for the head of the first request begins with the connection, and that for the
// head of a later one with its first byte.
func TestTheFirstHeadHasItsTimeOnce(t *testing.T) {
	s, addr := tight(t, http.NotFoundHandler(), func(c net.Conn) { c.Close() })
	client, in := dial(t, addr)
	var due int64
	await(t, s, func(c *conn) bool { due = c.due; return due > 0 })
	io.WriteString(client, "G")
	await(t, s, func(c *conn) bool {
		if c.phase == inHead && c.due != due {
			t.Error("it begins anew with the first byte")
		}
		return c.phase == inHead
	})
	io.WriteString(client, "ET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != 404 {
		t.Fatal(res, err)
	}
	io.WriteString(client, "GET /")
	await(t, s, func(c *conn) bool { return c.phase == inHead && c.due > due })
}
