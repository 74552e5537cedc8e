package httploop

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush/internal/h1"
	"github.com/nextrush/nextrush/internal/leak"
	"github.com/nextrush/nextrush/internal/pace"
)

// plain serves any handler of net/http at one pace.
type plain struct {
	h http.Handler
	p *pace.Pace
}

type plainJob struct {
	plain
	w http.ResponseWriter
	r *http.Request
}

func (p plain) Prepare(w http.ResponseWriter, r *http.Request, fields *h1.Fields) Job {
	r.Header = fields.Header()
	return &plainJob{p, w, r}
}

func (j *plainJob) Pace() *pace.Pace { return j.p }
func (j *plainJob) Serve()           { j.h.ServeHTTP(j.w, j.r) }

func TestMain(m *testing.M) { leak.Main(m) }

func start(t *testing.T, h http.Handler) net.Addr { return startWith(t, h, 30*time.Second) }

func startWith(t *testing.T, h http.Handler, stall time.Duration) net.Addr {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(serve(newServer(h, stall), ln, true))
	return ln.Addr()
}

func newServer(h http.Handler, stall time.Duration) *Server {
	return New(Config{
		Handler: plain{h, pace.New("test")},
		HTTP:    &http.Server{ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute},
		Base:    context.Background(), Stall: stall,
		Eject: func(c net.Conn) { c.Close() },
	})
}

// serve serves a listener until stop is called.
func serve(s *Server, ln net.Listener, own bool) (stop func()) {
	done := make(chan error)
	go func() { done <- s.Serve(ln, own) }()
	return func() {
		s.Shutdown(context.Background(), time.Second)
		<-done
	}
}

// They arrive in pieces, with bodies, and many at once.
func TestRequestsOfAConnectionAreAnsweredInOrder(t *testing.T) {
	addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %d %v", r.Method, r.URL, len(b), err)
	}))
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	for i := range 100 {
		fmt.Fprintf(conn, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(i, err)
		}
		b, _ := io.ReadAll(res.Body)
		if want := fmt.Sprintf("GET /%d 0 <nil>", i); string(b) != want {
			t.Fatalf("%q, want %q", b, want)
		}
	}
	for i := range 10 {
		body := strings.Repeat("x", i*10000)
		fmt.Fprintf(conn, "POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", i, len(body), body)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(i, err)
		}
		b, _ := io.ReadAll(res.Body)
		if want := fmt.Sprintf("POST /%d %d <nil>", i, i*10000); string(b) != want {
			t.Errorf("%q, want %q", b, want)
		}
	}
	var in strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&in, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i)
	}
	go io.WriteString(conn, in.String())
	for i := range 1000 {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(i, err)
		}
		b, _ := io.ReadAll(res.Body)
		if want := fmt.Sprintf("GET /%d 0 <nil>", i); string(b) != want {
			t.Fatalf("%q, want %q", b, want)
		}
	}
}

// get asks for a path on a connection, and returns the answer.
func get(conn net.Conn, r *bufio.Reader, path string) (string, error) {
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(res.Body)
	return string(b), err
}

func dial(t *testing.T, addr net.Addr) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	return conn, bufio.NewReader(conn)
}

// Handlers that block where polling is done, all at once, hold up nobody for good.
func TestHandlersThatBlockHoldUpNobody(t *testing.T) {
	const many = 2000
	release, blocked := make(chan struct{}), make(chan struct{}, many)
	addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/block" {
			blocked <- struct{}{}
			<-release
		}
		io.WriteString(w, r.URL.Path)
	}))
	quick, in := dial(t, addr)
	for range 100 { // from now on the handler runs inline
		if _, err := get(quick, in, "/"); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for range many {
		conn, in := dial(t, addr)
		all.Go(func() {
			if got, err := get(conn, in, "/block"); got != "/block" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	for range many {
		<-blocked
	}
	if got, err := get(quick, in, "/quick"); got != "/quick" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	close(release)
	all.Wait()
}

// A handler that runs where polling is done may wait for another request of its own server,
// and several may wait for each other.
func TestHandlersThatWaitForTheirServer(t *testing.T) {
	var addr net.Addr
	var mu sync.Mutex
	addr = start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/self":
			if err := askOnce(addr); err != nil {
				t.Error(err)
			}
		case "/mutex":
			mu.Lock()
			defer mu.Unlock()
			time.Sleep(time.Millisecond)
		}
		io.WriteString(w, r.URL.Path)
	}))
	conn, in := dial(t, addr)
	for range 100 { // from now on the handler runs inline
		if _, err := get(conn, in, "/"); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for i := range 200 {
		conn, in := dial(t, addr)
		all.Go(func() {
			for n := range 5 {
				path := []string{"/self", "/mutex", "/"}[(i+n)%3]
				if got, err := get(conn, in, path); got != path || err != nil {
					t.Errorf("%q, %v", got, err)
				}
			}
		})
	}
	all.Wait()
}

// A handler that panics or ends its goroutine, wherever it runs, ends its connection alone.
func TestHandlersThatDoNotReturn(t *testing.T) {
	addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			panic(http.ErrAbortHandler)
		case "/exit":
			runtime.Goexit()
		}
		io.WriteString(w, "ok")
	}))
	for range 50 {
		conn, in := dial(t, addr)
		for range 40 {
			if got, err := get(conn, in, "/"); got != "ok" || err != nil {
				t.Fatalf("%q, %v", got, err)
			}
		}
		for _, path := range []string{"/panic", "/exit"} {
			conn, in := dial(t, addr)
			if _, err := get(conn, in, path); err == nil {
				t.Errorf("%s was answered", path)
			}
		}
	}
}

// The context of a request ends when its client leaves, also that of one that runs inline.
func TestTheContextEndsWhenTheClientLeaves(t *testing.T) {
	left := make(chan error)
	addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
			defer cancel()
			<-ctx.Done()
			left <- r.Context().Err()
		}
	}))
	conn, in := dial(t, addr)
	for range 100 {
		get(conn, in, "/")
	}
	fmt.Fprintf(conn, "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
	conn.Close()
	if err := <-left; err != context.Canceled {
		t.Error(err)
	}
}

// The last answer of a connection waits for a client that reads late, and then the
// connection ends.
func TestALastAnswerIsReadLate(t *testing.T) {
	const size = 8 << 20
	answered := make(chan error, 1)
	addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(size))
		for range size / 1024 {
			w.Write(make([]byte, 1024))
		}
		answered <- nil
	}))
	for range 20 {
		conn, in := dial(t, addr)
		fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n")
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, io.LimitReader(res.Body, size-100_000)); err != nil || n != size-100_000 {
			t.Fatal(n, err)
		}
		<-answered // the rest waits where no goroutine does
		if n, err := io.Copy(io.Discard, res.Body); err != nil || n != 100_000 {
			t.Error(n, err)
		}
		if _, err := in.ReadByte(); err != io.EOF {
			t.Error(err)
		}
	}
}

// A file that is larger than what the system keeps for a client goes on when the client
// reads.
func TestAFileIsReadLate(t *testing.T) {
	const size = 32 << 20
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) }))
	for range 5 {
		conn, in := dial(t, addr)
		got, err := get(conn, in, "/")
		if err != nil || len(got) != size {
			t.Fatal(len(got), err)
		}
	}
}

// What does not fit into the client's buffers is tried again when there is room, and the
// client is cut when there has been none for too long.
func TestAClientThatReadsNothingIsCut(t *testing.T) {
	failed := make(chan error)
	addr := startWith(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(32<<20))
		_, err := w.Write(make([]byte, 32<<20))
		failed <- err
	}), 300*time.Millisecond)
	conn, _ := dial(t, addr)
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	select {
	case err := <-failed:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the handler waits for a client that reads nothing")
	}
}

// Processes that share a listener, as with systemd, follow each other without a connection
// lost: what one has accepted while it shuts down it answers.
func TestWhatHasBeenAcceptedIsAnswered(t *testing.T) {
	for _, own := range []bool{true, false} {
		t.Run(fmt.Sprint("own ", own), func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			file, err := ln.(*net.TCPListener).File()
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			var clients sync.WaitGroup
			over := make(chan bool)
			for range 4 {
				clients.Go(func() {
					for {
						select {
						case <-over:
							return
						default:
						}
						if err := askOnce(ln.Addr()); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			for range 200 {
				shared, err := net.FileListener(file)
				if err != nil {
					t.Fatal(err)
				}
				stop := serve(newServer(http.NotFoundHandler(), time.Minute), shared, own)
				time.Sleep(time.Millisecond)
				stop()
			}
			stop := serve(newServer(http.NotFoundHandler(), time.Minute), ln, own)
			defer stop()
			close(over)
			clients.Wait()
		})
	}
}

// askOnce has a request answered by a connection of its own.
func askOnce(addr net.Addr) error {
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	_, err = io.ReadAll(conn)
	return err
}

// Who is reset while it sends may never look at what has come, so a server that has no use
// for the rest of a request ends its own side first (RFC 9112 §9.6). It waits half a second
// for the client, which a busy machine may take for once.
func TestClientsThatStillSendAreNotReset(t *testing.T) {
	addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/some" {
			io.CopyN(io.Discard, r.Body, 1000)
			w.Header().Set("Connection", "close")
		}
	}))
	some := strings.Repeat("x", 1000)
	for _, part := range []string{
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
		"POST /some HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + some,
		"POST /some HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + some,
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\nTransfer-Encoding: chunked\r\n\r\n",
	} {
		err := errors.New("")
		for tries := 0; tries < 10 && err != nil; tries++ {
			err = sendsOn(t, addr, part)
		}
		if err != nil {
			t.Errorf("%.100q: %v", part, err)
		}
	}
}

// sendsOn sends a part of a request, and more after the end of the answer.
func sendsOn(t *testing.T, addr net.Addr, part string) error {
	conn, in := dial(t, addr)
	io.WriteString(conn, part)
	if _, err := http.ReadResponse(in, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	for range 3 {
		if _, err := io.WriteString(conn, "more"); err != nil {
			return err
		}
	}
	return nil
}
