package websocket

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/websocket/internal/handshake"
)

func TestDialPassesOverInformationalAnswers(t *testing.T) {
	s, peer, err := dialScript(t, DialOptions{}, func(r *http.Request) string {
		return "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + switching(r)
	})
	if err != nil {
		t.Fatal(err)
	}
	go peer.conn.Write(unmasked("1 000 0001", "hi"))
	if m, err := s.Receive(t.Context()); err != nil || m.Text() != "hi" {
		t.Errorf("received %q, %v", m.Text(), err)
	}
}

func TestDialBoundsTheHeadersOfAnAnswer(t *testing.T) {
	for name, head := range map[string]string{
		"of the answer":              "HTTP/1.1 101 Switching Protocols\r\n",
		"of one before":              "HTTP/1.1 103 Early Hints\r\n",
		"of a refusal":               "HTTP/1.1 403 Forbidden\r\n",
		"in a line that has no end":  "HTTP/1.1 101 Switching Protocols\r\nX: ",
		"in a status without an end": "HTTP/1.1 101 ",
	} {
		t.Run(name, func(t *testing.T) {
			sent := make(chan int, 1)
			ours, theirs := net.Pipe()
			go func() {
				http.ReadRequest(bufio.NewReader(theirs))
				io.WriteString(theirs, head)
				n, line := 0, strings.Repeat("x", 100)
				if strings.HasSuffix(head, "\n") {
					line = "X-Flood: " + line + "\r\n"
				}
				for {
					k, err := io.WriteString(theirs, line)
					n += k
					if err != nil {
						sent <- n
						return
					}
				}
			}()
			_, err := Dial(t.Context(), "ws://server.example/", &DialOptions{
				Options: Options{HandshakeTimeout: -1},
				NetDial: func(context.Context, string, string) (net.Conn, error) { return ours, nil },
			})
			if err == nil {
				t.Error("no error")
			}
			if n := wait(t, sent, "the end of the flood"); n > 2*handshake.MaxAnswerHeader {
				t.Errorf("%d bytes were read", n)
			}
		})
	}
}

func TestDialGoesThroughAProxy(t *testing.T) {
	client, _ := tlsConfigs()
	st := overTLS.serve(t, Options{}, echo)
	asked := make(chan *http.Request, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		secure, err := st.conn()
		if err != nil {
			t.Error(err)
			return
		}
		target := secure.(*tls.Conn).NetConn() // which has sent nothing yet
		defer target.Close()
		io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
		go io.Copy(target, conn)
		io.Copy(conn, target)
	}))
	defer proxy.Close()
	through := func(r *http.Request) (*url.URL, error) {
		if r.URL.Scheme != "https" || r.URL.Host != "example.com" {
			t.Errorf("asked for the proxy of %s", r.URL)
		}
		u, err := url.Parse(proxy.URL)
		u.User = url.UserPassword("user", "pw")
		return u, err
	}
	s, err := Dial(t.Context(), "wss://example.com/chat", &DialOptions{TLSConfig: client, Proxy: through})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(StatusNormalClosure, "")
	if r := <-asked; r.Method != http.MethodConnect || r.Host != "example.com:443" || r.Header.Get("Proxy-Authorization") != "Basic dXNlcjpwdw==" {
		t.Errorf("the proxy saw %s %s, %q", r.Method, r.Host, r.Header.Get("Proxy-Authorization"))
	}
	s.Send("through")
	if m, err := s.Receive(t.Context()); err != nil || m.Text() != "through" {
		t.Errorf("received %q, %v", m.Text(), err)
	}
}

// Goexit or a panic before the handler has returned is an error of Dial.
func TestDialEndsWhenACallbackDoesNotReturn(t *testing.T) {
	st := overTCP.serve(t, Options{}, nil)
	for name, opts := range map[string]DialOptions{
		"OnConnection": {Options: Options{Logger: quiet, OnConnection: func(*Socket) { runtime.Goexit() }}},
		"the handler":  {Handler: func(*Socket) error { runtime.Goexit(); return nil }, Options: Options{Logger: quiet}},
		"a panic":      {Handler: func(*Socket) error { panic("oh") }, Options: Options{Logger: quiet}},
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan error, 1)
			go func() {
				opts.NetDial = func(context.Context, string, string) (net.Conn, error) { return st.conn() }
				_, err := Dial(t.Context(), "ws://server.example/", &opts)
				done <- err
			}()
			if err := waitFor(t, done, soon, "the end of Dial"); err == nil {
				t.Error("no error")
			}
		})
	}
}
