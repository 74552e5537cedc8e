package cluster

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// raw is a client of one room that is kept, which costs next to nothing: it reads frames, and
// looks into them for their place. Nothing but events is published there, so that
// the number of each is its offset.
type raw struct {
	all  *raws
	room string

	mu     sync.Mutex // guards the fields below
	conn   net.Conn
	epoch  string
	offset int // of the last event
	hello  time.Time
	at     time.Time // of the event that was waited for
}

// raws is many of them.
type raws struct {
	list   []*raw
	target atomic.Int64 // the offset that all wait for
	behind atomic.Int64 // how many have not got it
	wg     sync.WaitGroup
	twice  atomic.Int64
	told   atomic.Int64 // that something is missing

	mu       sync.Mutex // guards the field below
	problems []string
}

func (rs *raws) problem(format string, args ...any) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if len(rs.problems) < 10 {
		rs.problems = append(rs.problems, fmt.Sprintf(format, args...))
	}
}

// expect has all wait for an offset.
func (rs *raws) expect(offset int) {
	rs.behind.Store(int64(len(rs.list)))
	rs.target.Store(int64(offset))
}

// connect connects all, each to the node that addr tells, at most so many at a time.
func (rs *raws) connect(addr func(i int) string, atOnce int) {
	slots := make(chan struct{}, atOnce)
	for i, r := range rs.list {
		slots <- struct{}{}
		rs.wg.Go(func() {
			err := r.open(addr(i))
			<-slots
			if err == nil {
				err = r.read()
			}
			if err != nil {
				rs.problem("client %d: %v", i, err)
			}
		})
	}
}

// cut ends all connections, without a word.
func (rs *raws) cut() {
	for _, r := range rs.list {
		r.mu.Lock()
		if c, ok := r.conn.(*net.TCPConn); ok {
			c.SetLinger(0)
			c.Close()
		}
		r.mu.Unlock()
	}
	rs.wg.Wait()
}

func (r *raw) open(addr string) error {
	dialer := net.Dialer{Timeout: patience, KeepAlive: -1} // which takes calls of the system
	c, err := dialer.Dial("tcp", addr)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.conn = c
	r.mu.Unlock()
	_, err = fmt.Fprintf(c, "GET /?%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: nextrush.v1\r\n\r\n", url.Values{"room": {r.room}}.Encode(), addr)
	return err
}

// read reads until the connection ends.
func (r *raw) read() error {
	in := bufio.NewReaderSize(r.conn, 4096)
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil || first && !bytes.HasPrefix(line, []byte("HTTP/1.1 101 ")) {
			return fmt.Errorf("answer %q: %w", line, err)
		}
		if len(line) == 2 {
			break
		}
	}
	for {
		text, err := frame(in)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		r.take(text)
	}
}

// frame reads the payload of a frame that fits into the buffer, and is valid until the next.
func frame(in *bufio.Reader) ([]byte, error) {
	head, err := in.Peek(2)
	if err != nil {
		return nil, err
	}
	size, skip := int(head[1]), 2
	if size == 126 {
		if head, err = in.Peek(4); err != nil {
			return nil, err
		}
		size, skip = int(binary.BigEndian.Uint16(head[2:])), 4
	}
	all, err := in.Peek(skip + size)
	if err != nil {
		return nil, err
	}
	if all[0]&15 == 8 {
		return nil, fmt.Errorf("closed: %q: %w", all[skip:], io.ErrUnexpectedEOF)
	}
	in.Discard(skip + size)
	return all[skip:], nil
}

// take acts on a message.
func (r *raw) take(text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kind, _, _ := strings.Cut(string(text[min(len(text), len(`{"type":"`)):min(len(text), 20)]), `"`)
	switch kind {
	case "hello":
		if r.hello = time.Now(); r.epoch != "" {
			r.send(fmt.Sprintf(`{"type":"sync","rooms":{%q:[%q,%d]}}`, r.room, r.epoch, r.offset))
		}
	case "ping":
		r.send(`{"type":"pong"}`)
	case "joined":
		if r.epoch == "" {
			r.epoch, r.offset = string(field(text, `"epoch":"`, '"')), number(text, `"offset":`)
		}
	case "synced":
		if !bytes.Contains(text, []byte(`"recovered":true`)) {
			r.all.told.Add(1)
			was, target := r.offset, int(r.all.target.Load())
			r.epoch, r.offset = string(field(text, `"epoch":"`, '"')), number(text, `"offset":`)
			if was < target && r.offset >= target {
				r.at = time.Now()
				r.all.behind.Add(-1)
			}
		}
	case "event":
		r.event(number(text, `"offset":`), number(text, `"data":["`+r.room+`",`))
	}
}

// event notes an event, which is to be the next.
func (r *raw) event(offset, n int) {
	switch {
	case offset <= r.offset:
		r.all.twice.Add(1)
	case offset != r.offset+1 || n != offset:
		r.all.problem("%s: %d at %d comes after %d", r.room, n, offset, r.offset)
	}
	if r.offset = offset; offset == int(r.all.target.Load()) {
		r.at = time.Now()
		r.all.behind.Add(-1)
	}
}

// field is what stands between a mark and an end.
func field(text []byte, mark string, end byte) []byte {
	_, after, _ := bytes.Cut(text, []byte(mark))
	value, _, _ := bytes.Cut(after, []byte{end})
	return value
}

// number is that after a mark; -1: there is none.
func number(text []byte, mark string) int {
	_, after, _ := bytes.Cut(text, []byte(mark))
	i := 0
	for i < len(after) && after[i] >= '0' && after[i] <= '9' {
		i++
	}
	n, err := strconv.Atoi(string(after[:i]))
	if err != nil {
		return -1
	}
	return n
}

// send sends a short text. A mask of zeros is one, too.
func (r *raw) send(text string) {
	b := append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...)
	r.conn.Write(b) // who reads will notice
}
