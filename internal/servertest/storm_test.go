package servertest

import (
	"bufio"
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestStorm has many clients send all kinds of requests at once, in pieces, and leave in
// the middle. All bodies differ, and every answer says which body it is for.
func TestStorm(t *testing.T) {
	clients, turns := 40, 60
	if testing.Short() {
		clients = 10
	}
	for _, kind := range servers {
		for _, network := range networks {
			t.Run(kind.name+"/"+network, func(t *testing.T) {
				p := testCase{handler: stormHandler}.begin(t, kind, network)
				defer p.end()
				var wg sync.WaitGroup
				for i := range clients {
					wg.Go(func() {
						c := &stormClient{play: p, rand: rand.New(rand.NewPCG(uint64(i), 1)), id: i}
						defer c.hangUp()
						for n := 0; n < turns && !t.Failed(); n++ {
							c.turn(n)
						}
					})
				}
				wg.Wait()
			})
		}
	}
}

// stormHandler answers with the target and the checksum of the body, and does what the
// path says besides.
func stormHandler(p *play, w http.ResponseWriter, r *http.Request) {
	countsOnly(p, w, r)
	switch r.URL.Path {
	case "/ignore":
		io.WriteString(w, r.RequestURI)
		return
	case "/abort":
		panic(http.ErrAbortHandler)
	case "/wait": // until the client has left
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		return
	case "/hijack":
		conn, rw := hijack(p, w)
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		line, _ := rw.ReadString('\n')
		io.WriteString(conn, line)
		return
	}
	sum := crc32.NewIEEE()
	n, err := io.Copy(sum, r.Body)
	if r.URL.Path == "/flush" {
		w.(http.Flusher).Flush()
	}
	fmt.Fprintf(w, "%s %d %08x %s", r.RequestURI, n, sum.Sum32(), errText(err))
}

// stormClient is one of many, with one connection at a time.
type stormClient struct {
	*play
	rand *rand.Rand
	id   int
	conn net.Conn
	in   *bufio.Reader
}

func (c *stormClient) hangUp() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// write sends bytes in some pieces.
func (c *stormClient) write(s string) {
	if c.conn == nil {
		conn, err := net.DialTimeout(c.ln.Addr().Network(), c.ln.Addr().String(), patience)
		if err != nil {
			c.Error(err)
			return
		}
		conn.SetDeadline(time.Now().Add(2 * patience))
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	for len(s) > 0 {
		n := len(s)
		if c.rand.IntN(2) == 0 {
			n = 1 + c.rand.IntN(n)
		}
		if _, err := io.WriteString(c.conn, s[:n]); err != nil {
			return
		}
		s = s[n:]
	}
}

// want reads an answer, whose body must be that.
func (c *stormClient) want(method, body string) {
	if c.conn == nil || c.Failed() {
		return
	}
	res, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		c.Errorf("client %d, waiting for %.100q: %v", c.id, body, err)
		return
	}
	got, err := io.ReadAll(res.Body)
	if err != nil || string(got) != body && method != "HEAD" {
		c.Errorf("client %d: %.100q %v, want %.100q", c.id, got, err, body)
	}
	if res.Close {
		c.hangUp()
	}
}

// turn does one of the things that clients do.
func (c *stormClient) turn(n int) {
	target := fmt.Sprintf("?%d-%d", c.id, n)
	switch c.rand.IntN(10) {
	case 0: // pipelined
		sent, wants := "", []string{}
		for i := range 2 + c.rand.IntN(4) {
			r, want := c.request("/"+target+fmt.Sprint(i), 200)
			sent, wants = sent+r, append(wants, want)
		}
		c.write(sent)
		for _, want := range wants {
			c.want("POST", want)
		}
	case 1:
		c.write(request("HEAD /" + target + " HTTP/1.1"))
		c.want("HEAD", "")
	case 2: // a body that is drained
		r, _ := c.request("/ignore"+target, 10_000)
		c.write(r)
		c.want("POST", "/ignore"+target)
	case 3: // leaves in the middle
		r, _ := c.request("/"+target, 10_000)
		c.write(r[:c.rand.IntN(len(r))])
		c.hangUp()
	case 4: // leaves a handler that waits for it
		r, _ := c.request("/wait"+target, 1000)
		c.write(r)
		c.hangUp()
	case 5:
		c.write(get("/abort" + target))
		if b, err := io.ReadAll(c.in); len(b) > 0 || err != nil {
			c.Errorf("after an abort: %q %v", b, err)
		}
		c.hangUp()
	case 6:
		c.write(get("/hijack"+target) + "early " + target + "\n")
		if b, err := io.ReadAll(c.in); !bytes.HasSuffix(b, []byte("early "+target+"\n")) {
			c.Errorf("hijacked: %q %v", b, err)
		}
		c.hangUp()
	case 7:
		r, want := c.request("/flush"+target, 1000)
		c.write(r)
		c.want("POST", want)
	default:
		r, want := c.request("/"+target, 100_000)
		c.write(r)
		c.want("POST", want)
	}
}

// request is a POST whose body is random, as long as that at most, and what stormHandler
// answers.
func (c *stormClient) request(target string, longest int) (sent, want string) {
	body := make([]byte, c.rand.IntN(longest+1))
	for i := range body {
		body[i] = byte(c.rand.Uint32())
	}
	want = fmt.Sprintf("%s %d %08x EOF", target, len(body), crc32.ChecksumIEEE(body))
	if c.rand.IntN(2) == 0 {
		return strings.Replace(post(string(body)), " / ", " "+target+" ", 1), want
	}
	var b strings.Builder
	for rest := body; len(rest) > 0; {
		n := 1 + c.rand.IntN(len(rest))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, rest[:n])
		rest = rest[n:]
	}
	return strings.Replace(chunked(b.String()+"0\r\n\r\n"), " / ", " "+target+" ", 1), want
}
