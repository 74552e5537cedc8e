package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		name  string
		bytes string
		size  int
		want  string
		err   error
	}{
		{"waits for the second byte", "\x81", 0, "", nil},
		{"waits for the payload", "\x81\x05Hell", 0, "", nil},
		{"takes one frame of two", "\x81\x05Hello\x81\x05World", 7, "Hello", nil},
		{"takes an empty frame", "\x81\x00", 2, "", nil},
		{"waits for a 16-bit length", "\x81\x7e\x01", 0, "", nil},
		{"reads a 16-bit length", "\x81\x7e\x01\x2c" + long, 304, long, nil},
		{"reads a 64-bit length", "\x81\x7f\x00\x00\x00\x00\x00\x00\x01\x2c" + long, 310, long, nil},
		{"refuses a length beyond reason", "\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00", 0, "", errFrame},
		{"refuses a masked frame", "\x81\x85\x00\x00\x00\x00Hello", 0, "", errFrame},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, n, err := parse([]byte(c.bytes))
			if n != c.size || string(f.payload) != c.want || !errors.Is(err, c.err) {
				t.Errorf("got %d bytes, payload %q, error %v", n, f.payload, err)
			}
		})
	}
}

// Whatever the key is, the frame must unmask to the payload.
func TestClientFrameUnmasksToThePayload(t *testing.T) {
	for size, head := range map[int]int{0: 6, 125: 6, 126: 8, 1<<16 - 1: 8, 1 << 16: 14} {
		payload := bytes.Repeat([]byte("a"), size)
		b := clientFrame(fin|opText, payload)
		if len(b) != head+size {
			t.Fatalf("%d bytes of payload make a frame of %d, want %d", size, len(b), head+size)
		}
		key := b[head-4 : head]
		for i := range payload {
			if b[head+i]^key[i&3] != 'a' {
				t.Fatalf("byte %d of %d is masked wrongly", i, size)
			}
		}
	}
}

func TestMessageKnowsItsEcho(t *testing.T) {
	m, err := newMessage(config{size: 5})
	if err != nil {
		t.Fatal(err)
	}
	for first, want := range map[byte]bool{fin | opText: true, fin | opBinary: false, opText: false, fin | opClose: false} {
		if got := m.same(frame{first, m.text}); got != want {
			t.Errorf("first byte %#x taken as the echo: %v, want %v", first, got, want)
		}
	}
	if m.same(frame{fin | opText, []byte("other")}) {
		t.Error("another text is taken as the echo")
	}
}

func TestPackedTextInflates(t *testing.T) {
	text := []byte(strings.Repeat("chat ", 100))
	packed, err := pack(text)
	if err != nil {
		t.Fatal(err)
	}
	got, err := unpack(packed)
	if err != nil || !bytes.Equal(got, text) {
		t.Errorf("got %d bytes, error %v", len(got), err)
	}
}
