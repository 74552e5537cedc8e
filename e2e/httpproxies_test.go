package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/freeport"
)

// proxies are what is run before a server; each keeps its connections.
var proxies = map[string]func(t *testing.T, server string) (addr string){
	"nginx":   func(t *testing.T, server string) string { return nginxBefore(t, server, "off") },
	"caddy":   caddyBefore,
	"haproxy": haproxyBefore,
	// It sends only whole requests on.
	"nginx-buffers": func(t *testing.T, server string) string { return nginxBefore(t, server, "on") },
}

func nginxBefore(t *testing.T, server, buffering string) (addr string) {
	addr = freeport.Address(t)
	runNginx(t, t.TempDir(), addr, `
	upstream app { server `+server+`; keepalive 8; }
	server {
		listen `+addr+`;
		client_max_body_size 0;
		location / {
			proxy_pass http://app;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_request_buffering `+buffering+`;
		}
	}`)
	return addr
}

func caddyBefore(t *testing.T, server string) (addr string) {
	addr = freeport.Address(t)
	_, port, _ := net.SplitHostPort(addr)
	runCaddy(t, t.TempDir(), addr, "{\n\tadmin off\n\tauto_https off\n}\n:"+port+" {\n\tbind 127.0.0.1\n\treverse_proxy "+server+"\n}\n")
	return addr
}

func haproxyBefore(t *testing.T, server string) (addr string) {
	addr, file := freeport.Address(t), filepath.Join(t.TempDir(), "haproxy.cfg")
	write(t, file, `
global
	maxconn 100
defaults
	mode http
	timeout connect 60s
	timeout client 60s
	timeout server 60s
	http-reuse always
	option abortonclose
listen app
	bind `+addr+`
	server app `+server+`
`)
	launch(t, addr, exec.Command("haproxy", "-db", "-f", file))
	return addr
}

func TestClientsOfProxies(t *testing.T) {
	for name, start := range proxies {
		t.Run(name, func(t *testing.T) {
			onBothServers(t, func(t *testing.T, e *echo) {
				addr := start(t, e.addr)
				e.answersCurl(t, addr)
				if name != "nginx-buffers" {
					e.answersScripts(t, addr)
				}
			})
		})
	}
}

// TestAmbiguousRequestsThroughProxies sends what proxies and servers may understand
// differently. However a proxy understands it, the server has to understand the same, or
// to refuse it.
func TestAmbiguousRequestsThroughProxies(t *testing.T) {
	for name, start := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said := make(map[nextrush.ServerKind]map[string][]string)
			for name, server := range servers {
				t.Run(name, func(t *testing.T) {
					e := newEcho(t, server)
					said[server] = e.agrees(t, start(t, e.addr))
				})
			}
			for c, want := range said[nextrush.ServerNetHTTP] {
				if got := said[nextrush.ServerLoop][c]; !slices.Equal(got, want) && (!isRefused(c) || len(got) > 0) {
					t.Errorf("%q: the loop says %q, net/http %q", c, got, want)
				}
			}
		})
	}
}

// isRefused reports whether the loop refuses a request that some proxies send on and
// net/http takes.
func isRefused(request string) bool {
	return strings.Contains(request, "\xe9") || strings.Contains(request, "HTTP/1.0") && strings.Contains(request, "Transfer-Encoding")
}

// agrees sends the requests to a proxy, each before one that is plain, and returns what
// handlers have said to each. They must have heard no other requests than those that the
// client gets answers to.
func (e *echo) agrees(t *testing.T, proxy string) (all map[string][]string) {
	all = make(map[string][]string)
	for i, c := range ambiguous() {
		said := append(sendRaw(t, proxy, c+last), sendRaw(t, proxy, last)...)
		var targets []string
		for _, s := range said {
			targets = append(targets, strings.Fields(s)[1])
		}
		if heard, _ := e.taken(); !slices.Equal(heard, targets) || len(targets) == 0 || i < 2 && len(targets) != 3 {
			t.Errorf("%q: the server hears %q, the client has answers to %q", c, heard, targets)
		}
		// Whether the proxy kept the connection of the client is its own affair.
		all[c] = slices.DeleteFunc(said, func(s string) bool { return strings.HasPrefix(s, "GET /last ") })
	}
	return all
}

// sendRaw returns what handlers have said in the answers to what is sent.
func sendRaw(t *testing.T, addr, sent string) (said []string) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	io.WriteString(conn, sent)
	method, _, _ := strings.Cut(sent, " ")
	for in := bufio.NewReader(conn); ; method = "GET" {
		res, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%q: no end after %q", sent, said)
			}
			return said
		}
		io.Copy(io.Discard, res.Body)
		if s := res.Header.Get("X-Said"); s != "" {
			said = append(said, s)
		}
	}
}

const (
	smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
	last     = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
)

// ambiguous returns requests with smuggled in their bodies.
func ambiguous() (all []string) {
	lines := func(method, lines, body string) {
		s := method + " HTTP/1.1\r\nHost: a\r\n"
		if lines != "" {
			s += strings.ReplaceAll(lines, "|", "\r\n") + "\r\n"
		}
		all = append(all, s+"\r\n"+body)
	}
	length := func(body string) string { return fmt.Sprintf("Content-Length: %d", len(body)) }
	size := fmt.Sprintf("%x", len(smuggled))
	chunks := size + "\r\n" + smuggled + "\r\n0\r\n\r\n"
	hidden := "0\r\n\r\n" + smuggled
	first := fmt.Sprintf("Content-Length: %d", len(size)+2)
	const chunked = "Transfer-Encoding: chunked"

	for _, method := range []string{"POST /case", "GET /case", "HEAD /case", "OPTIONS /case", "DELETE /case", "PUT /unread/case", "GET /unread/case"} {
		lines(method, length(smuggled), smuggled)
		lines(method, chunked, chunks)
	}
	lines("POST /case", first+"|"+chunked, chunks)
	lines("POST /case", chunked+"|"+first, chunks)
	for _, te := range []string{
		chunked, "Transfer-Encoding: xchunked", "Transfer-Encoding: identity", "Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity, chunked",
		"Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: \x0bchunked", "Transfer-Encoding: chunked\x0b", "Transfer-Encoding: \"chunked\"",
		"Transfer-Encoding: chunked;q=1", "Transfer-Encoding: CHUNKED", "Transfer-Encoding:", "Transfer-Encoding: chunked,", "Transfer-Encoding: ,chunked", "Transfer-Encoding:\tchunked", "Transfer-Encoding:chunked \t",
		"Transfer-Encoding : chunked", "Transfer-Encoding\t: chunked", "Transfer_Encoding: chunked", "Transfer-Encoding\x00: chunked", "Transfer-Encoding: chunked\x00",
		"Transfer-Encoding: chunked|Transfer-Encoding: chunked", "Transfer-Encoding: chunked|Transfer-Encoding: identity", "Transfer-Encoding: identity|Transfer-Encoding: chunked",
		"X: y\nTransfer-Encoding: chunked", "X: y\rTransfer-Encoding: chunked", "X: y| Transfer-Encoding: chunked", "Transfer-Encoding:| chunked", "Transfer-Encoding: chunked| , identity", "Connection: Transfer-Encoding|Transfer-Encoding: chunked",
	} {
		lines("POST /case", te, chunks)
		lines("POST /case", length(hidden)+"|"+te, hidden)
		lines("POST /case", te+"|"+length(hidden), hidden)
	}
	for _, cl := range []string{
		"Content-Length: %[1]d|Content-Length: %[1]d", "Content-Length: 0|Content-Length: %d", "Content-Length: %d|Content-Length: 0", "Content-Length: %[1]d, %[1]d", "Content-Length: 0, %d", "Content-Length: +%d", "Content-Length: 0%d",
		"Content-Length: %d ", "Content-Length: %d.0", "Content-Length: \x0b%d", "Content-Length : %d", "Content_Length: %d", "X: y\nContent-Length: %d", "X: y| Content-Length: %d", "Content-Length:| %d", "Content-Length: %d| 5", "Connection: Content-Length|Content-Length: %d",
		"Connection: close, Content-Length|Content-Length: %d", "Expect: 100-continue|Content-Length: %d", "Expect: x|Content-Length: %d", "Upgrade: h2c|Connection: Upgrade|Content-Length: %d", "X-Http-Method-Override: GET|Content-Length: %d",
	} {
		lines("POST /case", fmt.Sprintf(cl, len(smuggled)), smuggled)
		lines("GET /unread/case", fmt.Sprintf(cl, len(smuggled)), smuggled)
	}
	for _, ext := range []string{";x=y", ";x=\"y\"", ";x=\"\n\"", ";x=\"\r\n\"", ";\n", "\n", ";x\r", "\r", " ", " ;x", ";", ";;", ";\x00", "\t"} {
		lines("POST /case", chunked, size+ext+"\r\n"+smuggled+"\r\n0\r\n\r\n")
		lines("POST /case", chunked, size+"\r\n"+smuggled+"\r\n0"+ext+"\r\n\r\n")
	}
	for _, size := range []string{"0x" + size, "+" + size, "0" + size, "00000000000000000" + size, " " + size, size + "_", "100000000000000" + size} {
		lines("POST /case", chunked, size+"\r\n"+smuggled+"\r\n0\r\n\r\n")
	}
	for _, end := range []string{"\r\n0\r\nContent-Length: 5\r\n\r\n", "\r\n0\r\nX: y\n\r\n", "\r\n0\r\n\n", "\n0\r\n\r\n", "\r0\r\n\r\n", "xx0\r\n\r\n", "\r\n0\n\r\n", "\r\n0\r\n y\r\n\r\n", "\r\n0\r\n\rX"} {
		lines("POST /case", chunked, size+"\r\n"+smuggled+end)
	}
	for _, host := range []string{"Host: b", "Host: a", "Host : b", "hOST:", " Host: b", "X: y\nHost: b"} {
		lines("POST /case", host+"|"+length(smuggled), smuggled)
	}
	for _, target := range []string{"http://b/case", "//b/case", "/case?\xe9", "/case\t", "/case#b", "/case\x00", "/case HTTP/1.1 x", "/case%", "/case%00", "/case|", "/case\"", "/case\\"} {
		lines("POST "+target, length(smuggled), smuggled)
	}
	lf := strings.NewReplacer("\r\n", "\n")
	all = append(all, lf.Replace("POST /case HTTP/1.1\r\nHost: a\r\n"+length(smuggled)+"\r\n\r\n")+smuggled,
		"POST /case HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n"+chunked+"\r\n\r\n"+chunks,
		"POST /case HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n"+chunked+"\r\n"+length(hidden)+"\r\n\r\n"+hidden,
		"POST /case HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n"+length(smuggled)+"\r\n\r\n"+smuggled)
	return all
}
