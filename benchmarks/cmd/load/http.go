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

// requests keeps HTTP requests in flight on every connection, as many as one read has
// answered in one write. All answers must have the status and the body of the first one.
func requests(c config) (result, error) {
	l, peers, first, err := openHTTP(c)
	if err != nil {
		return result{}, err
	}
	defer l.close()
	request := rawRequest(c)
	batch := bytes.Repeat(request, c.inflight)
	for i := range peers {
		if err := l.write(i, batch); err != nil {
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
			total.count.Add(int64(n))
			return l.write(i, batch[:n*len(request)])
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
		peers[i] = &peer{Conn: conn, buf: make([]byte, max(answerRoom, 512*c.inflight))}
	}
	return peers, nil
}

// browserFields are what a browser sends besides Host.
const browserFields = "Connection: keep-alive\r\n" +
	"sec-ch-ua: \"Chromium\";v=\"142\", \"Google Chrome\";v=\"142\", \"Not_A Brand\";v=\"99\"\r\n" +
	"sec-ch-ua-mobile: ?0\r\n" +
	"sec-ch-ua-platform: \"Linux\"\r\n" +
	"Upgrade-Insecure-Requests: 1\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8\r\n" +
	"Sec-Fetch-Site: none\r\n" +
	"Sec-Fetch-Mode: navigate\r\n" +
	"Sec-Fetch-User: ?1\r\n" +
	"Sec-Fetch-Dest: document\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-GB,en;q=0.9\r\n"

func rawRequest(c config) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", c.method, c.path, c.addrs[0])
	if c.browser {
		b.WriteString(browserFields)
	} else {
		b.WriteString("User-Agent: load\r\nAccept: */*\r\n")
	}
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

// answered removes the complete answers from the buffer and counts them. All must have
// that body. Headers may have any length, as some servers count requests in them.
func (p *peer) answered(body []byte) (n int, err error) {
	rest := p.buf[:p.have]
	for {
		_, after, ok := bytes.Cut(rest, headerEnd)
		begin := rest[:min(len(rest), len(statusOK))]
		if !bytes.HasPrefix(statusOK, begin) || !ok && len(rest) == len(p.buf) {
			return 0, fmt.Errorf("request answered with %.40q", rest)
		}
		if !ok {
			break
		}
		if len(after) < len(body) && bytes.HasPrefix(body, after) {
			break
		}
		if !bytes.HasPrefix(after, body) {
			return 0, fmt.Errorf("request answered with body %.40q", after)
		}
		rest = after[len(body):]
		n++
	}
	p.have = copy(p.buf, rest)
	return n, nil
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
