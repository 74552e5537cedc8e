package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"time"
)

// requests keeps one HTTP request in flight on every connection. The first
// answer is read in full; those that follow must be as long and have its status.
func requests(c config) (result, error) {
	request := rawRequest(c)
	first, size, err := probe(c, request)
	if err != nil {
		return result{}, err
	}
	peers := make([]*peer, c.conns)
	for i := range peers {
		conn, err := dial(c.addr, i)
		if err != nil {
			closeAll(peers)
			return result{}, err
		}
		peers[i] = &peer{Conn: conn, buf: make([]byte, size)}
	}
	l, err := newLoop(peers)
	if err != nil {
		return result{}, err
	}
	defer l.close()
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
			done, err := peers[i].answered()
			if !done || err != nil {
				return err
			}
			total.count.Add(1)
			return l.write(i, request)
		})
	}, func() {})
	r.Body = first
	return r, err
}

func rawRequest(c config) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: load\r\nAccept: */*\r\n", c.method, c.path, c.addr)
	if c.body != "" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(c.body))
	}
	b.WriteString("\r\n" + c.body)
	return b.Bytes()
}

var statusOK = []byte("HTTP/1.1 200 OK\r\n")

// answered tells whether the buffer, as long as an answer, is full; it empties
// it then.
func (p *peer) answered() (bool, error) {
	if p.have < len(p.buf) {
		return false, nil
	}
	p.have = 0
	if !bytes.HasPrefix(p.buf, statusOK) {
		return false, fmt.Errorf("request answered with %.40q", p.buf)
	}
	return true, nil
}

// probe makes one request and returns the body of the answer and the length of
// all of it in bytes.
func probe(c config, request []byte) (body string, size int, err error) {
	conn, err := dial(c.addr, 0)
	if err != nil {
		return "", 0, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(request); err != nil {
		return "", 0, err
	}
	var raw bytes.Buffer
	res, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &raw)), nil)
	if err != nil {
		return "", 0, err
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return "", 0, err
	}
	if res.StatusCode != http.StatusOK || res.ContentLength < 0 {
		return "", 0, fmt.Errorf("request answered with %s, length %d: %s", res.Status, res.ContentLength, b)
	}
	return string(b), raw.Len(), nil
}
