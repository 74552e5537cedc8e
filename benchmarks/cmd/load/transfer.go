package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// kept has HTTP connections that have made one request.
func kept(c config) (result, error) {
	request := rawRequest(c)
	first, err := probe(c, request)
	if err != nil {
		return result{}, err
	}
	return staying(c, func(i int) (*peer, error) {
		conn, err := dial(c, i)
		if err != nil {
			return nil, err
		}
		conn.SetDeadline(time.Now().Add(patience))
		body, err := exchange(conn, bufio.NewReaderSize(conn, 1024), request)
		if err == nil && !bytes.Equal(body, first) {
			err = fmt.Errorf("request answered with %.40q", body)
		}
		return &peer{Conn: conn}, err
	})
}

// exchange sends a request and returns the body of the answer.
func exchange(conn net.Conn, in *bufio.Reader, request []byte) ([]byte, error) {
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("request answered with %s", res.Status)
	}
	return io.ReadAll(res.Body)
}

// uploads sends bodies, one after the other on each connection. The answer is their length.
func uploads(c config) (result, error) {
	c.method = "POST"
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", c.path, c.addrs[0], c.size)
	request = append(request, bytes.Repeat([]byte("u"), c.size)...)
	want := fmt.Append(nil, c.size)
	return transfers(c, request, func(body []byte) bool { return bytes.Equal(body, want) })
}

// downloads gets bodies, which have the size.
func downloads(c config) (result, error) {
	return transfers(c, rawRequest(c), func(body []byte) bool { return len(body) == c.size })
}

func transfers(c config, request []byte, right func(body []byte) bool) (result, error) {
	var total meter
	return measure(c, c.conns, &total, func(i int) error {
		conn, err := dial(c, i)
		if err != nil {
			return err
		}
		defer conn.Close()
		conn.SetDeadline(c.limit())
		in := bufio.NewReaderSize(conn, 64<<10)
		for !total.over.Load() {
			body, err := exchange(conn, in, request)
			if err != nil {
				return err
			}
			if !right(body) {
				return fmt.Errorf("answered with %d bytes: %.40q", len(body), body)
			}
			total.count.Add(1)
		}
		return nil
	}, func() {})
}

// events counts server-sent events: one more connection asks for an event, which all
// others get, and asks again when they have it.
func events(c config) (result, error) {
	peers, err := listeners(c)
	if err != nil {
		return result{}, err
	}
	l, err := newLoop(peers)
	if err != nil {
		return result{}, err
	}
	defer l.close()
	event := []byte("data: " + strings.Repeat("x", c.size) + "\n\n")
	publisher := len(peers) - 1
	request := fmt.Appendf(nil, "GET /publish HTTP/1.1\r\nHost: %s\r\n\r\n", c.addrs[0])
	if err := l.write(publisher, request); err != nil {
		return result{}, err
	}
	var total meter
	waiting := c.conns + 1 // answers until the next event
	return measure(c, 1, &total, func(int) error {
		return l.wait(&total, c.limit(), func(i int) error {
			if err := l.read(i, peers[i]); err != nil {
				return err
			}
			n := peers[i].events(event)
			total.count.Add(int64(n))
			if i == publisher && peers[i].have > 0 {
				peers[i].have, n = 0, 1 // its answer is small
			}
			if waiting -= n; waiting > 0 {
				return nil
			}
			waiting = c.conns + 1
			return l.write(publisher, request)
		})
	}, func() {})
}

// events removes the events from the buffer and counts them. They may be in chunks.
func (p *peer) events(event []byte) (n int) {
	rest := p.buf[:p.have]
	for {
		_, after, ok := bytes.Cut(rest, event)
		if !ok {
			break
		}
		rest = after
		n++
	}
	p.have = copy(p.buf, rest)
	return n
}

// listeners opens the streams of events, and one connection more.
func listeners(c config) ([]*peer, error) {
	request := rawRequest(c)
	c.conns++
	peers, err := dialAll(c)
	if err != nil {
		return nil, err
	}
	for _, p := range peers[:c.conns-1] {
		if err := p.listen(request); err != nil {
			closeAll(peers)
			return nil, err
		}
	}
	return peers, nil
}

// listen asks for a stream of events, and waits until it has begun.
func (p *peer) listen(request []byte) error {
	p.SetDeadline(time.Now().Add(patience))
	if _, err := p.Write(request); err != nil {
		return err
	}
	for !bytes.Contains(p.buf[:p.have], headerEnd) {
		if p.have == len(p.buf) {
			return errors.New("no end of a header")
		}
		n, err := p.Read(p.buf[p.have:])
		p.have += n
		if err != nil {
			return err
		}
	}
	if !bytes.HasPrefix(p.buf, statusOK) {
		return fmt.Errorf("stream answered with %.40q", p.buf[:p.have])
	}
	p.have = 0
	return nil
}
