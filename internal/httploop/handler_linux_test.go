package httploop

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nextrush/nextrush/internal/pace"
)

// Who still reads the body of a connection that is taken over learns it, and the context
// of the request goes on: it ends with the server's, and knows its address.
func TestARequestOutlivesItsConnection(t *testing.T) {
	for name, take := range takes {
		t.Run(name, func(t *testing.T) { outlives(t, take) })
	}
}

// takes are the ways to take a connection over.
var takes = map[string]func(http.ResponseWriter) (net.Conn, error){
	"Hijack": func(w http.ResponseWriter) (net.Conn, error) {
		conn, _, err := http.NewResponseController(w).Hijack()
		return conn, err
	},
	"Hold": func(w http.ResponseWriter) (net.Conn, error) {
		conn, _, err := w.(*exchange).Hold()
		return conn, err
	},
}

func outlives(t *testing.T, take func(http.ResponseWriter) (net.Conn, error)) {
	base, end := context.WithCancel(context.Background())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	read, taken, over := make(chan error, 1), make(chan bool), make(chan net.Addr, 1)
	var s *Server
	s = New(Config{
		Handler: plain{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			go func() {
				_, err := io.ReadAll(r.Body)
				read <- err
			}()
			for !is(s, func(c *conn) bool { return c.wakes != nil }) {
				time.Sleep(time.Millisecond)
			}
			client, err := take(w)
			if err != nil {
				t.Error(err)
				return
			}
			defer client.Close()
			close(taken)
			<-r.Context().Done()
			over <- r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		}), pace.New("test")},
		HTTP: &http.Server{}, Base: base, Stall: time.Minute,
	})
	defer serve(s, ln, true)()
	client, _ := dial(t, ln.Addr())
	io.WriteString(client, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
	<-taken
	late := time.After(time.Minute)
	select {
	case err := <-read:
		if err == nil {
			t.Error("the body has an end")
		}
	case <-late:
		t.Error("the body is still read")
	}
	end()
	s.EndRequests()
	select {
	case addr := <-over:
		if addr.String() != ln.Addr().String() {
			t.Error(addr)
		}
	case <-late:
		t.Error("the context does not end")
	}
}

// Handlers that leave goroutines behind, which go on with the writer, the body and the
// context, never reach the answer of another request.
func TestLateGoroutinesReachNoOtherRequest(t *testing.T) {
	const clients, turns = 16, 40
	var late sync.WaitGroup
	s, addr := tight(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/quick" {
			io.WriteString(w, "quick")
			return
		}
		id := r.URL.Query().Get("id") + ";"
		control := http.NewResponseController(w)
		for i := range 4 {
			late.Go(func() {
				for n := 0; n < 30 || r.Context().Err() == nil && n < 300; n++ {
					switch i {
					case 0:
						io.WriteString(w, strings.Repeat(id, 1+n*20))
						control.SetWriteDeadline(time.Now().Add(time.Minute))
					case 1:
						control.Flush()
						w.(interface{ CloseNotify() <-chan bool }).CloseNotify()
					case 2:
						r.Body.Read(make([]byte, 1+n*100))
						control.SetReadDeadline(time.Now().Add(time.Minute))
					case 3:
						w.WriteHeader(http.StatusAccepted)
						ctx, cancel := context.WithCancel(r.Context())
						ctx.Value(http.LocalAddrContextKey)
						cancel()
						w.(io.ReaderFrom).ReadFrom(strings.NewReader(id))
					}
				}
			})
		}
		switch r.URL.Path {
		case "/wait":
			io.Copy(io.Discard, r.Body)
		case "/panic":
			panic(http.ErrAbortHandler)
		}
	}), nil)
	s.config.HTTP.ErrorLog = log.New(io.Discard, "", 0)
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for n := range turns {
				client, err := net.Dial("tcp", addr.String())
				if err != nil {
					t.Error(err)
					return
				}
				client.SetDeadline(time.Now().Add(time.Minute))
				id := fmt.Sprint(i, "-", n)
				in := bufio.NewReader(client)
				path := []string{"/wait", "/return", "/panic"}[n%3]
				fmt.Fprintf(client, "POST %s?id=%s-1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n%s", path, id, strings.Repeat("x", 3000-n%2))
				if n%4 == 3 {
					client.(*net.TCPConn).SetLinger(0)
					client.Close()
					continue
				}
				io.WriteString(client, strings.Repeat("x", n%2)+"GET /quick HTTP/1.1\r\nHost: a\r\n\r\n")
				client.(*net.TCPConn).CloseWrite()
				for k := 1; ; k++ {
					res, err := http.ReadResponse(in, nil)
					if err != nil {
						break
					}
					b, _ := io.ReadAll(res.Body)
					want := "quick"
					if k == 1 {
						want = fmt.Sprint(id, "-1;")
					}
					if got := strings.ReplaceAll(string(b), want, ""); got != "" && !strings.HasPrefix(want, got) {
						t.Errorf("%s %d: %.100q", path, k, got)
					}
				}
				client.Close()
			}
		})
	}
	all.Wait()
	s.Shutdown(context.Background(), time.Second) // no handler leaves another behind
	late.Wait()
}

// What a handler has written before it panics is sent, however late the client reads.
func TestWhatWasWrittenBeforeAnAnswerIsCutOffIsSent(t *testing.T) {
	var s *Server
	written := make(chan int, 1)
	s, addr := tight(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := 0
		for !is(s, func(c *conn) bool { return c.out.pending() > 16<<10 }) {
			n += must(w.Write(make([]byte, 1000)))
			http.NewResponseController(w).Flush()
		}
		written <- n
		panic(http.ErrAbortHandler)
	}), func(c net.Conn) { c.Close() })
	client, in := dial(t, addr)
	io.WriteString(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	want := <-written
	await(t, s, func(c *conn) bool { return c.x == nil })
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, res.Body); n != int64(want) || err != io.ErrUnexpectedEOF {
		t.Errorf("%d bytes and %v have come, want %d and %v", n, err, want, io.ErrUnexpectedEOF)
	}
}

func must(n int, err error) int {
	if err != nil {
		panic(err)
	}
	return n
}

// A handler that has shown to be quick runs where polling is done, and then takes its
// connection, which was the only one, and waits.
func TestAHandlerThatKeepsItsConnectionHoldsUpNobody(t *testing.T) {
	for name, take := range takes {
		t.Run(name, func(t *testing.T) { holdsUpNobody(t, take) })
	}
}

func holdsUpNobody(t *testing.T, take func(http.ResponseWriter) (net.Conn, error)) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	taken, over := make(chan bool), make(chan bool)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(serve(newServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/take" {
			return
		}
		conn, err := take(w)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		close(taken)
		<-over
	}), time.Minute), ln, false))
	defer close(over)
	first, in := dial(t, ln.Addr())
	for range 100 {
		ask(t, first, in)
	}
	io.WriteString(first, "GET /take HTTP/1.1\r\nHost: a\r\n\r\n")
	<-taken
	for watched() {
		time.Sleep(time.Millisecond)
	}
	for range 3 {
		ask(dialed(t, ln.Addr()))
	}
}

// watched reports whether a monitor looks after those who poll, as it does while there are
// connections.
func watched() bool {
	stacks := make([]byte, 1<<20)
	return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("loop.(*Loop).monitor("))
}

func dialed(t *testing.T, addr net.Addr) (*testing.T, net.Conn, *bufio.Reader) {
	client, in := dial(t, addr)
	return t, client, in
}

// A log of the program's may look at the answer.
func TestNothingIsLoggedUnderALock(t *testing.T) {
	var answer atomic.Pointer[http.ResponseWriter]
	var lines atomic.Int32
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer.Store(&w)
		w.Header().Set("Content-Length", "x")
		w.WriteHeader(200)
		w.WriteHeader(200)
	}), time.Minute)
	s.config.HTTP.ErrorLog = log.New(writerFunc(func(p []byte) (int, error) {
		(*answer.Load()).Header()
		lines.Add(1)
		return len(p), nil
	}), "", 0)
	t.Cleanup(serve(s, ln, true))
	client, in := dial(t, ln.Addr())
	ask(t, client, in)
	if n := lines.Load(); n != 2 {
		t.Errorf("%d lines are logged, want 2", n)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// overfill writes until the system of a client that reads nothing takes no more.
func overfill(s *Server, w http.ResponseWriter) {
	for full := false; !full; {
		for !is(s, func(c *conn) bool { return c.out.pending() > 32<<10 }) {
			must(w.Write(make([]byte, 1000)))
			http.NewResponseController(w).Flush()
		}
		time.Sleep(100 * time.Millisecond) // what it takes has left then
		full = is(s, func(c *conn) bool { return c.out.waits })
	}
}

// A handler's deadline for writing counts no more when it has panicked.
func TestADeadlineEndsWithItsHandler(t *testing.T) {
	var s *Server
	s, addr := tightFor(t, 8*time.Second, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		overfill(s, w)
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Hour))
		panic(http.ErrAbortHandler)
	}), func(c net.Conn) { c.Close() })
	client, _ := dial(t, addr)
	io.WriteString(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	await(t, s, func(c *conn) bool { return c.x == nil && c.phase == lingering })
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := s.Shutdown(ctx, time.Second); err != nil {
		t.Error(err)
	}
}

// A deadline is for what leaves: Flush tells that it has not.
func TestFlushKeepsTheDeadline(t *testing.T) {
	var s *Server
	failed := make(chan error, 1)
	s, addr := tight(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		c := http.NewResponseController(w)
		overfill(s, w)
		c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		must(w.Write([]byte("x")))
		failed <- c.Flush()
	}), func(c net.Conn) { c.Close() })
	client, _ := dial(t, addr)
	io.WriteString(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Flush returns %v", err)
	}
}

// A context that is derived costs no goroutine, whatever is between.
func TestDerivedContextsNeedNoGoroutines(t *testing.T) {
	const many = 50
	type key struct{}
	counted := make(chan int, 1)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before := runtime.NumGoroutine()
		for range many {
			_, cancel := context.WithTimeout(context.WithValue(r.Context(), key{}, 1), time.Hour)
			defer cancel()
			defer context.AfterFunc(context.WithValue(r.Context(), key{}, 1), func() {})()
		}
		counted <- runtime.NumGoroutine() - before
	}), time.Minute)
	s.config.Base = t.Context()
	t.Cleanup(serve(s, ln, true))
	client, in := dial(t, ln.Addr())
	ask(t, client, in)
	if n := <-counted; n >= many {
		t.Errorf("%d contexts need %d goroutines", 2*many, n)
	}
}

func TestPacketsAreNotPolled(t *testing.T) {
	for network, can := range map[string]bool{"unix": true, "unixpacket": false} {
		ln, err := net.Listen(network, t.TempDir()+"/socket")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		if CanServe(ln) != can {
			t.Errorf("%s: %t", network, !can)
		}
	}
}

// tired is a listener that has no descriptors each other time.
type tired struct {
	net.Listener
	calls int
}

func (l *tired) Accept() (net.Conn, error) {
	if l.calls++; l.calls%2 == 1 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

// After a connection that could be accepted, the next failure is the first again.
func TestTheWaitForDescriptorsBeginsAnew(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var lines atomic.Int32
	s := newServer(http.NotFoundHandler(), time.Minute)
	s.config.Eject = func(c net.Conn) { c.Close() }
	s.config.HTTP.ErrorLog = log.New(writerFunc(func(p []byte) (int, error) {
		if !bytes.Contains(p, []byte("retrying in 5ms")) {
			t.Errorf("%s", p)
		}
		lines.Add(1)
		return len(p), nil
	}), "", 0)
	t.Cleanup(serve(s, &tired{Listener: ln}, false))
	for range 5 {
		client, in := dial(t, ln.Addr())
		ask(t, client, in)
	}
	if n := lines.Load(); n < 5 {
		t.Errorf("%d failures are logged", n)
	}
}
