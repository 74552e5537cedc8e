package conn

import (
	"errors"
	"testing"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// filled is a writing with n messages of size bytes.
func filled(n, size int) *writing {
	w := new(writing)
	for range n {
		w.need().Frame(wire.Header{Fin: true, Op: wire.OpBinary, Length: int64(size)}, make([]byte, size), false)
	}
	return w
}

func TestWritingTellsWhenTheOwnerIsToldOfTheEnd(t *testing.T) {
	for _, c := range []struct {
		name           string
		drains, blocks bool
		want           bool
	}{
		{"nobody asks", false, true, false},
		{"the peer took it at once", true, false, false},
		{"the peer let it wait", true, true, true},
	} {
		w := filled(1, 10)
		w.drains = c.drains
		w.start()
		if c.blocks && !w.block(w.turn, 1) {
			t.Fatal("the write has ended")
		}
		if messages, _ := w.took(w.bytes()); messages != 1 || w.bytes() != 0 {
			t.Errorf("%s: %d messages, %d bytes wait", c.name, messages, w.bytes())
		}
		w.release()
		if got := w.emptied(); got != c.want || w.emptied() {
			t.Errorf("%s: told %v", c.name, got)
		}
	}
}

func TestWritingKnowsAWriteThatHasEnded(t *testing.T) {
	w := filled(2, 10)
	w.start()
	first := w.turn
	w.took(12)
	if w.block(first, 1) {
		t.Error("it blocks after its end")
	}
	w.start()
	if w.block(first, 1) || !w.block(w.turn, 1) {
		t.Error("it is taken for the next")
	}
}

func TestWritingOverflows(t *testing.T) {
	for _, c := range []struct {
		policy  Policy
		err     error
		dropped int
		left    int
	}{
		{DropNewest, ErrDropped, 1, 4 * 12},
		{DropOldest, nil, 2, 2 * 12},
		{CloseSlow, ErrSlow, 5, 0},
	} {
		w := filled(4, 10)
		if dropped, err := w.overflow(c.policy, 24, 48); !errors.Is(err, c.err) || dropped != c.dropped || w.bytes() != c.left {
			t.Errorf("policy %d: %v, %d dropped, %d bytes left", c.policy, err, dropped, w.bytes())
		}
	}
}

func TestWritingHoldsBackUntilItHasGrown(t *testing.T) {
	if w := filled(1, 10); !w.ready(false) || w.ready(true) {
		t.Error("a small message")
	}
	if w := filled(1, flushAt); !w.ready(true) {
		t.Error("a large one")
	}
}
