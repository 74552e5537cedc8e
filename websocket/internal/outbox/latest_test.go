package outbox

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// waiting is a message in the model of an outbox.
type waiting struct {
	key string
	n   uint32
}

// queueModel is what an outbox should hold, found without an index.
type queueModel struct {
	list []waiting
	next uint32
}

func (m *queueModel) put(key string) (n uint32, replaced bool) {
	m.next++
	at := slices.IndexFunc(m.list, func(w waiting) bool { return key != "" && w.key == key })
	switch {
	case at >= 0 && !slices.ContainsFunc(m.list[at:], func(w waiting) bool { return w.key == "" }):
		m.list[at].n = m.next
	case at >= 0:
		m.list = append(slices.Delete(m.list, at, at+1), waiting{key, m.next})
	default:
		m.list = append(m.list, waiting{key, m.next})
	}
	return m.next, at >= 0
}

func (m *queueModel) begin(messages int32) {
	for i := range messages {
		m.list[i].key = ""
	}
}

// check compares what the keys of an outbox say with the model.
func (m *queueModel) check(o *Outbox) error {
	keys, cost := 0, 0
	for _, w := range m.list {
		if w.key != "" {
			keys++
			cost += KeyCost + len(w.key)
		}
	}
	if o.Bytes != total(o.pieces)-o.off || o.latest.extra() != cost || int(o.Messages(0)) != len(m.list) {
		return fmt.Errorf("%d bytes of %d, keys take %d of %d, %d messages of %d",
			o.Bytes, total(o.pieces)-o.off, o.latest.extra(), cost, o.Messages(0), len(m.list))
	}
	empty := 0
	for _, p := range o.pieces {
		if p.b == nil {
			empty++
		}
	}
	if l := o.latest; l != nil && (len(l.at) != keys || len(l.keys) != keys || l.empty != empty) {
		return fmt.Errorf("%d and %d keys of %d, %d empty pieces of %d", len(l.at), len(l.keys), keys, l.empty, empty)
	}
	return nil
}

// Whatever is queued with and without keys, dropped, and written in whole or in part:
// what leaves is what the model says, in its order.
func TestOutboxCoalescesAsItsModel(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		o, m := Borrow(), new(queueModel)
		var sent, want []byte // the bytes; the numbers of messages
		payload := func(n uint32) []byte {
			return append(binary.BigEndian.AppendUint32(nil, n), make([]byte, int(n*7919%97))...)
		}
		keys := 1 + r.IntN(200)
		queue := func(writing bool) {
			key := ""
			switch r.IntN(8) {
			case 0:
				o.Control(wire.Header{Fin: true, Op: wire.OpPong, Length: 4}, make([]byte, 4), writing)
				return
			case 1, 2, 3, 4, 5:
				if writing {
					key = fmt.Sprint("key ", r.IntN(keys))
				}
			}
			n, replaced := m.put(key)
			body := payload(n)
			h := wire.Header{Fin: true, Op: wire.OpBinary, Length: int64(len(body))}
			frame := append(wire.AppendHeader(nil, h), body...)
			switch {
			case key != "":
				if held := o.Held(key); (held > 0) != replaced || o.Keyed(key, frame) != replaced {
					t.Fatalf("seed %d: %q: held %d, replaced %v", seed, key, held, replaced)
				}
			case r.IntN(2) == 0:
				o.Shared(frame, r.IntN(2) == 0, writing)
			default:
				o.Frame(h, body, r.IntN(4) > 0)
			}
		}
		check := func(when string) {
			if err := m.check(o); err != nil {
				t.Fatalf("seed %d, %s: %v", seed, when, err)
			}
		}
		for step := 0; step < 20 || len(o.pieces) > 0; step++ {
			more := max(0, 1-step/20)
			for range r.IntN(20) * more {
				queue(false)
			}
			if len(o.pieces) == 0 {
				continue
			}
			o.Gather()
			m.begin(o.Messages(0) - o.Messages(o.Busy))
			check("gathered")
			b := bytes.Join(o.Op.Pieces, nil)
			n := len(b)
			if r.IntN(3) == 0 {
				n = r.IntN(n + 1)
			}
			for range r.IntN(200) * more {
				queue(true)
			}
			check("queued")
			if r.IntN(4) == 0 {
				first := int(o.Messages(0) - o.Messages(o.begun()))
				dropped, _ := o.DropOldest(0, o.Bytes/2)
				m.list = slices.Delete(m.list, first, first+dropped)
				check("dropped")
			}
			sent = append(sent, b[:n]...)
			messages, _ := o.Wrote(n)
			for _, w := range m.list[:messages] {
				want = binary.BigEndian.AppendUint32(want, w.n)
			}
			m.list = m.list[messages:]
			check("wrote")
		}
		var got []byte
		for len(sent) > 0 {
			var h wire.Header
			n, _ := h.Parse(sent)
			if h.Op == wire.OpBinary {
				got = append(got, sent[n:n+4]...)
			}
			sent = sent[n+int(h.Length):]
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("seed %d: what has left is not what the model says", seed)
		}
		o.Release()
	}
}

// A key set that the peer chooses takes no more than the queue may.
func TestKeysCountTowardsTheQueue(t *testing.T) {
	const limit = 64 << 10
	o := Borrow()
	defer o.Release()
	n := 0
	for ; o.Fits(3+KeyCost+10, limit); n++ {
		o.Keyed(fmt.Sprintf("key %06d", n), []byte("\x82\x01x"))
	}
	if n > limit/KeyCost {
		t.Errorf("%d keys in a queue of %d bytes", n, limit)
	}
	for i := range 100 * n { // and replacing them takes nothing
		o.Keyed(fmt.Sprintf("key %06d", i%n), []byte("\x82\x01x"))
	}
	if len(o.pieces) != n {
		t.Errorf("%d pieces for %d keys", len(o.pieces), n)
	}
}

// A message that moves to the end leaves an empty piece; these do not pile up.
func TestMovedMessagesLeaveNothingBehind(t *testing.T) {
	o := Borrow()
	defer o.Release()
	o.Keyed("a", []byte("\x82\x01a"))
	for range 10_000 {
		o.Frame(wire.Header{Fin: true, Op: wire.OpBinary, Length: 1}, []byte("p"), true)
		o.Keyed("a", []byte("\x82\x01a"))
		o.DropOldest(0, o.latest.extra()+100)
		o.Keyed("a", []byte("\x82\x01a"))
	}
	if n := len(o.pieces); n > 2*maxWritePiece+2 {
		t.Errorf("%d pieces", n)
	}
}
