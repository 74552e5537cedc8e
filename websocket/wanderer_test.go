package websocket

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/deflate"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// Both ways each message comes once and in order, however the connection is lost: at any
// byte, by an end or in silence, and while callbacks run.
func TestNothingIsLostOrDoubledBetweenConnections(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		const clients, count = 8, 300
		opts := resuming
		opts.Compression = Compression{Enabled: true, ContextTakeover: true, Threshold: 50}
		st := n.serve(t, opts, func(s *Socket) error {
			next := 0
			s.OnMessage(func(m Message) {
				if number(m.Text()) != next {
					t.Errorf("the server got %.20q, want %d", m.Text(), next)
				}
				next++
				s.SendMessage(m)
			})
			return nil
		})
		var all sync.WaitGroup
		for i := range clients {
			all.Go(func() {
				w := &wanderer{t: t, st: st, r: rand.New(rand.NewPCG(uint64(i), 1)), deflate: i%2 == 0}
				w.walk(count)
			})
		}
		all.Wait()
		if t.Failed() {
			return
		}
		if got := st.srv.Stats(); got.TotalConnections != clients {
			t.Errorf("%d sessions, want %d; resumed %d times", got.TotalConnections, clients, got.Resumed)
		}
	})
}

// wanderer is a client whose connections do not last. It follows docs/protocol.md.
type wanderer struct {
	t       *testing.T
	st      *site
	r       *rand.Rand
	deflate bool

	token    string
	sent     int // messages made
	counted  int // by the server
	received int
}

func (w *wanderer) walk(count int) {
	for w.received < count && !w.t.Failed() {
		w.visit(count)
	}
}

// visit is one connection: it sends and receives until it is lost.
func (w *wanderer) visit(count int) {
	conn, err := w.st.conn()
	if err != nil {
		w.t.Error(err)
		return
	}
	if w.r.IntN(3) > 0 { // else it stays half open until the next has taken over
		defer conn.Close()
	} else {
		w.t.Cleanup(func() { conn.Close() })
	}
	c := &raw{t: w.t, conn: conn}
	c.reader = bufio.NewReader(conn)
	offer := speaking
	if w.token != "" {
		offer += fmt.Sprintf(", resume.%s.%d", w.token, w.received)
	}
	lines := []string{offer}
	if w.deflate {
		lines = append(lines, "Sec-WebSocket-Extensions: permessage-deflate")
	}
	c.ask(greeting(lines...))
	if w.token != "" && w.r.IntN(8) == 0 {
		return // without the hello
	}
	hello, err := readFrame(c.reader)
	if err != nil {
		return
	}
	var hi struct {
		Session string
		Resumed bool
		Got     int
	}
	json.Unmarshal(hello.payload, &hi)
	if w.token != "" && !hi.Resumed {
		w.t.Errorf("not resumed: %s", hello.payload)
		return
	}
	w.token, w.counted = hi.Session, hi.Got
	if w.sent < w.counted {
		w.t.Errorf("the server has %d messages of %d", w.counted, w.sent)
	}
	stop := make(chan struct{})
	var writing sync.WaitGroup
	from, upTo := w.counted, min(count, max(w.sent, w.counted+w.r.IntN(60)))
	w.sent = max(w.sent, upTo)
	torn := w.r.IntN(4) == 0
	size := w.r.IntN(200)
	writing.Go(func() { w.write(conn, stop, from, upTo, size, torn) })
	conn.SetReadDeadline(time.Now().Add(patience))
	target := min(upTo, w.received+w.r.IntN(60))
	if torn {
		target = min(target, upTo-1)
	}
	for w.received < target {
		f, err := readFrame(c.reader)
		if err != nil {
			break
		}
		w.take(f)
	}
	close(stop)
	if w.r.IntN(2) == 0 {
		conn.Close()
	}
	conn.SetWriteDeadline(time.Now())
	writing.Wait()
}

func (w *wanderer) write(conn net.Conn, stop chan struct{}, from, to, size int, torn bool) {
	for i := from; i < to; i++ {
		select {
		case <-stop:
			return
		default:
		}
		b := client("1 000 0001", numbered(i, size))
		if torn && i == to-1 {
			b = b[:len(b)/2]
		}
		if _, err := conn.Write(b); err != nil {
			return
		}
	}
}

// take checks that a message is the next.
func (w *wanderer) take(f frame) {
	text := string(f.payload)
	if f.Rsv1 {
		b, err := deflate.DecompressChecked(nil, f.payload, nil, 1<<20, nil)
		if err != nil {
			w.t.Error(err)
		}
		text = string(b)
	}
	if f.Op != wire.OpText || strings.HasPrefix(text, `{"type":`) {
		return
	}
	if got := number(text); got != w.received {
		w.t.Errorf("the client got %.20q, want %d", text, w.received)
	}
	w.received++
}
