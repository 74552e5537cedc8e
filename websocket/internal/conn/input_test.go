package conn

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/websocket/internal/deflate"
	"github.com/nextrush/nextrush/websocket/internal/limit"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// masked is a frame as a client sends it, with first as its first byte.
func masked(first byte, payload string) []byte {
	h := wire.Header{Fin: first&0x80 != 0, Rsv1: first&0x40 != 0, Op: wire.Opcode(first & 0x0F), Masked: true, Mask: [4]byte{9, 8, 7, 6}, Length: int64(len(payload))}
	b := wire.AppendHeader(nil, h)
	body := len(b)
	b = append(b, payload...)
	wire.Mask(h.Mask, 0, b[body:])
	return b
}

// units is what an input makes of bytes that arrive size at a time.
func units(cfg *Config, k *codec, b []byte, size int) (got []string, err error) {
	var in input
	for part := range slices.Chunk(slices.Clone(b), size) {
		for len(part) > 0 {
			var u unit
			if part, err = in.next(cfg, k, part, &u); err != nil {
				return got, err
			}
			if u.whole() {
				got = append(got, fmt.Sprintf("%v %s", u.op, u.data))
			}
			u.release()
		}
	}
	if in.open() {
		got = append(got, "open")
	}
	return got, nil
}

// What arrives is the same in whatever parts it comes.
func TestInputAssembles(t *testing.T) {
	deflated := string(deflate.Compress(nil, []byte(strings.Repeat("squeeze ", 8)), 1, 15))
	for _, c := range []struct {
		name   string
		frames [][]byte
		want   []string
		err    error
	}{
		{"a message", [][]byte{masked(0x81, "text")}, []string{"1 text"}, nil},
		{"an empty message", [][]byte{masked(0x82, ""), masked(0x82, "x")}, []string{"2 ", "2 x"}, nil},
		{"fragments", [][]byte{masked(0x01, "a"), masked(0x00, ""), masked(0x80, "b")}, []string{"1 ab"}, nil},
		{"a ping between fragments", [][]byte{masked(0x02, "a"), masked(0x89, "p"), masked(0x80, "b")}, []string{"9 p", "2 ab"}, nil},
		{"a character in two fragments", [][]byte{masked(0x01, "\xc3"), masked(0x80, "\xa4")}, []string{"1 ä"}, nil},
		{"half a character", [][]byte{masked(0x01, "a"), masked(0x80, "\xc3")}, nil, errText},
		{"no end", [][]byte{masked(0x81, "a"), masked(0x01, "b")}, []string{"1 a", "open"}, nil},
		{"compressed", [][]byte{masked(0xC1, deflated)}, []string{"1 " + strings.Repeat("squeeze ", 8)}, nil},
		{"compressed and cut", [][]byte{masked(0xC1, deflated[:4])}, nil, errInflate},
		{"a continuation of nothing", [][]byte{masked(0x81, "a"), masked(0x80, "b")}, []string{"1 a"}, errNoMessage},
		{"a message inside another", [][]byte{masked(0x01, "a"), masked(0x81, "b")}, nil, errInterleaved},
		{"too long", [][]byte{masked(0x82, strings.Repeat("x", 101))}, nil, errTooBig},
		{"too long in fragments", [][]byte{masked(0x02, strings.Repeat("x", 60)), masked(0x80, strings.Repeat("x", 41))}, nil, errTooBig},
		{"not masked", [][]byte{{0x81, 0x01, 'a'}}, nil, errUnmasked},
		{"too many empty fragments", append([][]byte{masked(0x01, "")}, slices.Repeat([][]byte{masked(0x00, "")}, MaxEmptyFragments)...), nil, errFragments},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := slices.Concat(c.frames...)
			for _, size := range []int{1, 2, 3, 7, len(b)} {
				got, err := units(&Config{MaxMessage: 100}, new(codec), b, size)
				if !slices.Equal(got, c.want) || !errors.Is(err, c.err) {
					t.Errorf("%d at a time: %q, %v; want %q, %v", size, got, err, c.want, c.err)
				}
			}
		})
	}
}

// A long payload is read to where it belongs.
func TestInputMakesRoom(t *testing.T) {
	const size = 64 << 10
	cfg, buf := &Config{MaxMessage: size}, make([]byte, directSize)
	rest := masked(0x82, strings.Repeat("x", size))
	var in input
	var u unit
	direct := 0
	for len(rest) > 0 {
		into := in.room(buf)
		if &into[0] != &buf[0] {
			direct++
		}
		n := copy(into, rest)
		rest = rest[n:]
		if _, err := in.next(cfg, nil, into[:n], &u); err != nil {
			t.Fatal(err)
		}
	}
	if string(u.data) != strings.Repeat("x", size) || direct == 0 {
		t.Fatalf("%d bytes, %d reads to their place", len(u.data), direct)
	}
}

func TestInputLimitsTheRate(t *testing.T) {
	cfg := &Config{Loop: &loop.Loop{Clock: loop.Clock{}}, Limit: limit.Rate{Messages: 1, Burst: 3}}
	var in input
	var err error
	for range 3 {
		if err = in.allow(cfg, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err = in.allow(cfg, 1); err != errRate {
		t.Fatalf("a fourth at once: %v", err)
	}
}
