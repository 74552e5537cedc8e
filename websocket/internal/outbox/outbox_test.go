package outbox

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// Whatever is queued before, between and in writes that take all, a part or
// nothing: messages leave in order, and so do pongs, of which some may be left out.
func TestOutboxKeepsOrder(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		o := Borrow()
		var sent []byte
		next := map[wire.Opcode]uint32{}
		queue := func(writing bool) {
			op := []wire.Opcode{wire.OpBinary, wire.OpPong}[r.IntN(2)]
			next[op]++
			payload := binary.BigEndian.AppendUint32(nil, next[op])
			if h := (wire.Header{Fin: true, Op: op, Length: 4}); op == wire.OpPong {
				o.Control(h, payload, writing)
			} else {
				o.Frame(h, payload, r.IntN(4) > 0)
			}
		}
		for step := 0; step < 20 || len(o.pieces) > 0; step++ {
			for range r.IntN(200) * max(0, 1-step/20) {
				queue(false)
			}
			if len(o.pieces) == 0 {
				continue
			}
			o.Gather()
			b := bytes.Join(o.Op.Pieces, nil)
			n := r.IntN(len(b) + 1)
			if r.IntN(2) == 0 {
				n = len(b)
			}
			for range r.IntN(200) * max(0, 1-step/20) {
				queue(true)
			}
			sent = append(sent, b[:n]...)
			o.Wrote(n)
		}
		got := map[wire.Opcode]uint32{}
		messages := uint32(0)
		for len(sent) > 0 {
			op, i := wire.Opcode(sent[0]&0x0F), binary.BigEndian.Uint32(sent[2:])
			if i <= got[op] {
				t.Fatalf("seed %d: %v %d after %d", seed, op, i, got[op])
			}
			if got[op] = i; op == wire.OpBinary {
				messages++
			}
			sent = sent[6:]
		}
		if messages != next[wire.OpBinary] || got[wire.OpPong] != next[wire.OpPong] {
			t.Fatalf("seed %d: %d of %d messages, the last pong %d of %d", seed, messages, next[wire.OpBinary], got[wire.OpPong], next[wire.OpPong])
		}
		o.Release()
	}
}
