package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// answerRoom is the largest answer, in bytes.
const answerRoom = 8 << 10

// requests keeps one HTTP request in flight on every connection. All answers
// must have the status and the body of the first one.
func requests(c config) (result, error) {
	l, peers, first, err := openHTTP(c)
	if err != nil {
		return result{}, err
	}
	defer l.close()
	request := rawRequest(c)
	for i := range peers {
		if err := l.write(i, request); err != nil {
			return result{}, err
		}
	}
	var total meter
	r, err := measure(c, 1, &total, func(int) error {
		return l.wait(&total, c.limit(), func(i int) error {
			if err := l.read(i, peers[i]); err != nil {
				return err
			}
			n, err := peers[i].answered(first)
			if n == 0 || err != nil {
				return err
			}
			total.count.Add(1)
			return l.write(i, request)
		})
	}, func() {})
	r.Body = string(first)
	return r, err
}

// openHTTP opens the connections and returns the body that all answers must have.
func openHTTP(c config) (*loop, []*peer, []byte, error) {
	first, err := probe(c, rawRequest(c))
	if err != nil {
		return nil, nil, nil, err
	}
	peers, err := dialAll(c)
	if err != nil {
		return nil, nil, nil, err
	}
	l, err := newLoop(peers)
	return l, peers, first, err
}

func dialAll(c config) ([]*peer, error) {
	peers := make([]*peer, c.conns)
	for i := range peers {
		conn, err := dial(c, i)
		if err != nil {
			closeAll(peers)
			return nil, err
		}
		peers[i] = &peer{Conn: conn, buf: make([]byte, answerRoom)}
	}
	return peers, nil
}

func rawRequest(c config) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: load\r\nAccept: */*\r\n", c.method, c.path, c.addr)
	if c.origin != "" {
		fmt.Fprintf(&b, "Origin: %s\r\n", c.origin)
	}
	if c.body != "" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(c.body))
	}
	b.WriteString("\r\n" + c.body)
	return b.Bytes()
}

var (
	statusOK  = []byte("HTTP/1.1 200 OK\r\n")
	headerEnd = []byte("\r\n\r\n")
)

// answered removes an answer with that body from the buffer and returns 1, or 0 if it is
// not complete. Headers may have any length, as some servers count requests in them.
func (p *peer) answered(body []byte) (int, error) {
	got := p.buf[:p.have]
	head := bytes.Index(got, headerEnd)
	if head < 0 && p.have < len(p.buf) {
		return 0, nil
	}
	if !bytes.HasPrefix(got, statusOK) || head < 0 {
		return 0, fmt.Errorf("request answered with %.40q", got)
	}
	rest := got[head+len(headerEnd):]
	if len(rest) < len(body) && bytes.HasPrefix(body, rest) {
		return 0, nil
	}
	if !bytes.Equal(rest, body) {
		return 0, fmt.Errorf("request answered with body %.40q", rest)
	}
	p.have = 0
	return 1, nil
}

// probe sends one request and returns the body of the answer, which must have the wanted
// headers.
func probe(c config, request []byte) ([]byte, error) {
	conn, err := dial(c, 0)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK || res.ContentLength < 0 || len(b) > answerRoom/2 {
		return nil, fmt.Errorf("request answered with %s, length %d: %.1000s", res.Status, res.ContentLength, b)
	}
	for name := range strings.FieldsFuncSeq(c.want, func(r rune) bool { return r == ',' }) {
		if res.Header.Get(name) == "" {
			return nil, fmt.Errorf("answer has no header %s: %v", name, res.Header)
		}
	}
	return b, nil
}
