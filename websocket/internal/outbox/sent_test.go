package outbox

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// messagesIn are those in a run of whole frames. Control frames and asides are none.
func messagesIn(t *testing.T, frames []byte) (all []string) {
	t.Helper()
	var h wire.Header
	for len(frames) > 0 {
		n, err := h.Parse(frames)
		if n == 0 || err != nil {
			t.Fatalf("not a frame: %x", frames)
		}
		if text := string(frames[n : n+int(h.Length)]); !h.Op.IsControl() && text != "aside" {
			all = append(all, text)
		}
		frames = frames[n+int(h.Length):]
	}
	return all
}

// Whatever the sizes, wherever the connection is cut, and whatever the peer says that it
// has of that: it gets each message once and in order.
func TestWhatWasSentIsSentAgainFromWhereThePeerIs(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 3))
		o, s := Borrow(), new(Sent)
		made, got := 0, 0 // messages queued; that the peer has
		var want []string
		for range 30 { // connections
			o.Greet([]byte("HTTP/1.1 101\r\n\r\n"), wire.AppendFrame(nil, wire.OpText, false, []byte("aside")))
			var stream []byte // that has reached the peer, or may have
			for range r.IntN(6) {
				for range r.IntN(20) {
					text := fmt.Sprint(made, strings.Repeat("x", r.IntN(1<<uint(r.IntN(12)))))
					switch r.IntN(5) {
					case 0:
						o.Shared(wire.AppendFrame(nil, wire.OpText, false, []byte(text)), true, false)
					case 1:
						o.Aside(wire.AppendFrame(nil, wire.OpText, false, []byte("aside")))
						continue
					case 2:
						o.Control(wire.Header{Fin: true, Op: wire.OpPong, Length: 2}, []byte("ok"), false)
						continue
					default:
						o.Frame(wire.Header{Fin: true, Op: wire.OpText, Length: int64(len(text))}, []byte(text), true)
					}
					want = append(want, text)
					made++
				}
				if o.Empty() {
					continue
				}
				o.Gather()
				n := o.Gathered()
				if r.IntN(3) == 0 {
					n = r.IntN(n + 1)
				}
				for left, i := n, 0; left > 0; i++ {
					p := o.Op.Pieces[i]
					k := min(left, len(p))
					stream = append(stream, p[:k]...)
					left -= k
				}
				if r.IntN(8) == 0 {
					break // the write fails, and does not say how far it came
				}
				o.Keep(n, s)
				o.Wrote(n)
			}
			if i := len("HTTP/1.1 101\r\n\r\n"); len(stream) >= i {
				stream = stream[i:]
			} else {
				stream = nil
			}
			has := wholeMessages(stream)
			for _, text := range has {
				if want[got] != text {
					t.Fatalf("seed %d: the peer got %.20q, want %.20q", seed, text, want[got])
				}
				got++
			}
			if r.IntN(2) == 0 {
				s.Got(uint64(r.IntN(got + 1)))
			}
			o.Withdraw(s)
			if !s.Has(uint64(got)) {
				t.Fatalf("seed %d: %d messages of %d are not kept", seed, got, s.Count)
			}
			o.Again(uint64(got), s)
			waiting := 0
			for _, p := range o.pieces {
				waiting += len(messagesIn(t, p.b))
			}
			if got+waiting != made || o.Bytes != total(o.pieces) {
				t.Fatalf("seed %d: %d got and %d waiting of %d; %d bytes of %d", seed, got, waiting, made, o.Bytes, total(o.pieces))
			}
		}
	}
}

// wholeMessages are those that have arrived to their end.
func wholeMessages(stream []byte) (all []string) {
	var h wire.Header
	for {
		n, err := h.Parse(stream)
		if n == 0 || err != nil || len(stream) < n+int(h.Length) {
			return all
		}
		if text := string(stream[n : n+int(h.Length)]); !h.Op.IsControl() && text != "aside" {
			all = append(all, text)
		}
		stream = stream[n+int(h.Length):]
	}
}

// What is no message goes when a connection is lost; the rest keeps its order.
func TestAMessageWithAKeyOvertakesNoneOfTheNextConnection(t *testing.T) {
	o := Borrow()
	frame := func(text string) []byte { return wire.AppendFrame(nil, wire.OpText, false, []byte(text)) }
	o.Keyed("key", frame("1"))
	o.Shared(frame("2"), false, true)
	for range 3 {
		o.Aside(frame("aside"))
	}
	o.Withdraw(new(Sent))
	o.Keyed("key", frame("3"))
	var all []string
	for _, p := range o.pieces {
		all = append(all, messagesIn(t, p.b)...)
	}
	if want := []string{"2", "3"}; !slices.Equal(all, want) {
		t.Errorf("%q wait, want %q", all, want)
	}
}

func TestSentForgetsTheOldest(t *testing.T) {
	const limit = 1 << 10
	s := new(Sent)
	for range 100 {
		s.add(&piece{b: make([]byte, 100), messages: 2})
		s.Trim(limit)
	}
	if s.bytes > limit || s.Has(0) || !s.Has(200) || s.Has(201) || s.Count != 200 {
		t.Errorf("%d bytes kept; from %d on", s.bytes, s.first)
	}
	s.Got(500)
	if len(s.list) == 0 {
		t.Error("a count that cannot be was believed")
	}
	if s.Got(200); s.list != nil || s.bytes != 0 {
		t.Errorf("%d batches, %d bytes are left", len(s.list), s.bytes)
	}
}
