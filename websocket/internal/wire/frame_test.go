package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// wireBytes reads the RFC's notation: eight bits make a byte, spaces are free,
// "0x" starts a byte in hexadecimal.
func wireBytes(t testing.TB, notation string) []byte {
	t.Helper()
	var out []byte
	var bitsRead, b int
	for field := range strings.FieldsSeq(notation) {
		if strings.HasPrefix(field, "0x") {
			var v byte
			if _, err := fmt.Sscanf(field, "0x%x", &v); err != nil {
				t.Fatalf("%q: %v", field, err)
			}
			out = append(out, v)
			continue
		}
		for _, c := range field {
			b = b<<1 | int(c-'0')
			if bitsRead++; bitsRead == 8 {
				out = append(out, byte(b))
				bitsRead, b = 0, 0
			}
		}
	}
	if bitsRead != 0 {
		t.Fatalf("%q does not end on a byte", notation)
	}
	return out
}

func TestParseHeader(t *testing.T) {
	// FIN RSV1-3 opcode, MASK length, extended length, masking key.
	tests := []struct {
		name string
		wire string
		want Header
		n    int
	}{
		{"5.7 unmasked text Hello", "1 000 0001 0 0000101 0x48", Header{Fin: true, Op: OpText, Length: 5}, 2},
		{"5.7 masked text Hello", "1 000 0001 1 0000101 0x37 0xfa 0x21 0x3d 0x7f",
			Header{Fin: true, Op: OpText, Length: 5, Masked: true, Mask: [4]byte{0x37, 0xfa, 0x21, 0x3d}}, 6},
		{"5.7 first fragment", "0 000 0001 0 0000011", Header{Op: OpText, Length: 3}, 2},
		{"5.7 last fragment", "1 000 0000 0 0000010", Header{Fin: true, Op: OpContinuation, Length: 2}, 2},
		{"5.7 ping", "1 000 1001 0 0000101", Header{Fin: true, Op: OpPing, Length: 5}, 2},
		{"5.7 pong", "1 000 1010 0 0000101", Header{Fin: true, Op: OpPong, Length: 5}, 2},
		{"5.7 256 bytes binary", "1 000 0010 0 1111110 0x01 0x00", Header{Fin: true, Op: OpBinary, Length: 256}, 4},
		{"5.7 64 KiB binary", "1 000 0010 0 1111111 0x00 0x00 0x00 0x00 0x00 0x01 0x00 0x00",
			Header{Fin: true, Op: OpBinary, Length: 65536}, 10},
		{"5.2 empty payload", "1 000 0001 0 0000000", Header{Fin: true, Op: OpText}, 2},
		{"5.2 longest 7-bit length", "1 000 0010 0 1111101", Header{Fin: true, Op: OpBinary, Length: 125}, 2},
		{"5.2 shortest 16-bit length", "1 000 0010 0 1111110 0x00 0x7e", Header{Fin: true, Op: OpBinary, Length: 126}, 4},
		{"5.2 longest 16-bit length", "1 000 0010 0 1111110 0xff 0xff", Header{Fin: true, Op: OpBinary, Length: 65535}, 4},
		{"5.2 longest length", "1 000 0010 0 1111111 0x7f 0xff 0xff 0xff 0xff 0xff 0xff 0xff",
			Header{Fin: true, Op: OpBinary, Length: 1<<63 - 1}, 10},
		{"5.3 key after a 16-bit length", "1 000 0010 1 1111110 0x01 0x00 0x01 0x02 0x03 0x04",
			Header{Fin: true, Op: OpBinary, Length: 256, Masked: true, Mask: [4]byte{1, 2, 3, 4}}, 8},
		{"5.3 key after a 64-bit length", "1 000 0010 1 1111111 0x00 0x00 0x00 0x00 0x00 0x01 0x00 0x00 0x01 0x02 0x03 0x04",
			Header{Fin: true, Op: OpBinary, Length: 65536, Masked: true, Mask: [4]byte{1, 2, 3, 4}}, MaxHeaderSize},
		{"5.5 longest control frame", "1 000 1001 0 1111101", Header{Fin: true, Op: OpPing, Length: 125}, 2},
		{"5.5.1 close", "1 000 1000 0 0000010", Header{Fin: true, Op: OpClose, Length: 2}, 2},
		{"RFC 7692 7.2.3.1 compressed text", "1 100 0001 0 0000111", Header{Fin: true, Rsv1: true, Op: OpText, Length: 7}, 2},
		{"RFC 7692 7.2.3.1 compressed first fragment", "0 100 0010 0 0000011", Header{Rsv1: true, Op: OpBinary, Length: 3}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := wireBytes(t, tt.wire)
			h, n, err := ParseHeader(b)
			if h != tt.want || n != tt.n || err != nil {
				t.Fatalf("got %+v, %d, %v; want %+v, %d", h, n, err, tt.want, tt.n)
			}
			for i := range tt.n {
				if h, n, err := ParseHeader(b[:i]); h != (Header{}) || n != 0 || err != nil {
					t.Errorf("of %d bytes: got %+v, %d, %v; want more asked for", i, h, n, err)
				}
			}
			if got := AppendHeader(nil, tt.want); !bytes.Equal(got, b[:tt.n]) {
				t.Errorf("AppendHeader: % x, want % x", got, b[:tt.n])
			}
		})
	}
}

func TestParseHeaderRefusesAtTheFirstWrongByte(t *testing.T) {
	// Each ends with the byte at which it has to fail.
	tests := []struct {
		name string
		wire string
		want error
	}{
		{"5.2 reserved opcode 3", "1 000 0011", ErrReservedOpcode},
		{"5.2 reserved opcode 7", "1 000 0111", ErrReservedOpcode},
		{"5.2 reserved opcode B", "1 000 1011", ErrReservedOpcode},
		{"5.2 reserved opcode F", "0 000 1111", ErrReservedOpcode},
		{"5.2 RSV2", "1 010 0001", ErrReservedBits},
		{"5.2 RSV3", "1 001 0010", ErrReservedBits},
		{"5.2 RSV2 on a ping", "1 010 1001", ErrReservedBits},
		{"RFC 7692 6.1 RSV1 on a continuation", "1 100 0000", ErrReservedBits},
		{"RFC 7692 6.1 RSV1 on a close", "1 100 1000", ErrReservedBits},
		{"RFC 7692 6.1 RSV1 on a ping", "1 100 1001", ErrReservedBits},
		{"RFC 7692 6.1 RSV1 on a pong", "1 100 1010", ErrReservedBits},
		{"5.5 fragmented close", "0 000 1000", ErrFragmentedControl},
		{"5.5 fragmented ping", "0 000 1001", ErrFragmentedControl},
		{"5.5 fragmented pong", "0 000 1010", ErrFragmentedControl},
		{"5.5 close with a 16-bit length", "1 000 1000 0 1111110", ErrLongControl},
		{"5.5 ping with a 16-bit length", "1 000 1001 1 1111110", ErrLongControl},
		{"5.5 pong with a 64-bit length", "1 000 1010 0 1111111", ErrLongControl},
		{"5.2 125 in 16 bits", "1 000 0010 0 1111110 0x00 0x7d", ErrLengthNotMinimal},
		{"5.2 0 in 16 bits, masked", "1 000 0010 1 1111110 0x00 0x00", ErrLengthNotMinimal},
		{"5.2 below 65536 in 64 bits", "1 000 0010 0 1111111 0x00 0x00 0x00 0x00 0x00 0x00", ErrLengthNotMinimal},
		{"5.2 top bit of a 64-bit length", "1 000 0010 0 1111111 0x80", ErrLengthOverflow},
		{"5.2 all bits of a 64-bit length", "1 000 0010 1 1111111 0xff", ErrLengthOverflow},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := wireBytes(t, tt.wire)
			if _, n, err := ParseHeader(b[:len(b)-1]); n != 0 || err != nil {
				t.Errorf("before the last byte: %d, %v", n, err)
			}
			for _, rest := range []int{0, 1, 20} {
				h, n, err := ParseHeader(append(bytes.Clone(b), make([]byte, rest)...))
				if h != (Header{}) || n != 0 || !errors.Is(err, tt.want) {
					t.Errorf("with %d more bytes: got %+v, %d, %v; want %v", rest, h, n, err, tt.want)
				}
			}
			var e *Error
			if _, _, err := ParseHeader(b); !errors.As(err, &e) || e.Code != 1002 {
				t.Errorf("got %v, want an *Error with code 1002", err)
			}
		})
	}
}

func TestEveryFirstByteIsJudgedAsTheRFCsSay(t *testing.T) {
	for v := range 256 {
		b0 := byte(v)
		fin, rsv, op := b0>>7, b0>>4&7, b0&15
		message := op == 1 || op == 2
		control := op == 8 || op == 9 || op == 10
		legal := message && (rsv == 0 || rsv == 4) || op == 0 && rsv == 0 || control && rsv == 0 && fin == 1
		if _, _, err := ParseHeader([]byte{b0}); (err == nil) != legal {
			t.Errorf("%08b: %v, want legal to be %t", b0, err, legal)
		}
	}
}

func TestAppendHeaderWritesIllegalFramesToo(t *testing.T) {
	tests := []struct {
		name string
		h    Header
		want string
	}{
		{"compressed continuation", Header{Rsv1: true}, "0 100 0000 0 0000000"},
		{"fragmented ping", Header{Op: OpPing}, "0 000 1001 0 0000000"},
		{"long pong", Header{Fin: true, Op: OpPong, Length: 126}, "1 000 1010 0 1111110 0x00 0x7e"},
	}
	for _, tt := range tests {
		if got := AppendHeader(nil, tt.h); !bytes.Equal(got, wireBytes(t, tt.want)) {
			t.Errorf("%s: % x, want %s", tt.name, got, tt.want)
		}
	}
}

func TestAppendFrameIsAHeaderAndThePayload(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536} {
		for _, rsv1 := range []bool{false, true} {
			payload := bytes.Repeat([]byte{'x'}, size)
			b := AppendFrame([]byte("before"), OpText, rsv1, payload)
			h, n, err := ParseHeader(b[len("before"):])
			if want := (Header{Fin: true, Rsv1: rsv1, Op: OpText, Length: int64(size)}); h != want || err != nil {
				t.Fatalf("%d bytes: got %+v, %v; want %+v", size, h, err, want)
			}
			if !bytes.Equal(b[len("before")+n:], payload) || string(b[:6]) != "before" {
				t.Errorf("%d bytes: dst or payload damaged", size)
			}
		}
	}
}

func TestIsControl(t *testing.T) {
	for op, want := range map[Opcode]bool{OpContinuation: false, OpText: false, OpBinary: false, OpClose: true, OpPing: true, OpPong: true} {
		if op.IsControl() != want {
			t.Errorf("opcode %x: want %t", byte(op), want)
		}
	}
}

func TestErrorNamesReasonAndCode(t *testing.T) {
	if got, want := ErrCloseReason.Error(), "websocket: close reason is not UTF-8 (close code 1007)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestParseAndAppendHeaderDoNotAllocate(t *testing.T) {
	legal := wireBytes(t, "1 000 0010 1 1111110 0x01 0x00 0x01 0x02 0x03 0x04")
	illegal := wireBytes(t, "1 000 0011")
	buf := make([]byte, 0, 256)
	payload := make([]byte, 128)
	pinAllocs(t, "ParseHeader", func() {
		h, _, _ := ParseHeader(legal)
		buf = AppendHeader(buf[:0], h)
	})
	pinAllocs(t, "ParseHeader that fails", func() { _, _, _ = ParseHeader(illegal) })
	pinAllocs(t, "AppendFrame", func() { buf = AppendFrame(buf[:0], OpText, false, payload) })
}

// pinAllocs fails t if f allocates.
func pinAllocs(t *testing.T, name string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(100, f); n != 0 {
		t.Errorf("%s: %v allocations, want none", name, n)
	}
}

// FuzzParseHeader feeds a header whole and byte by byte: the verdict is the
// same, comes with the same byte, and what is legal survives the way back.
func FuzzParseHeader(f *testing.F) {
	for _, seed := range []string{
		"1 000 0001 1 0000101 0x37 0xfa 0x21 0x3d", "1 000 0010 0 1111110 0x01 0x00", "1 000 1001 0 1111110",
		"1 000 0010 1 1111111 0x00 0x00 0x00 0x00 0x00 0x01 0x00 0x00 0x01 0x02 0x03 0x04",
		"1 000 0010 0 1111111 0x80", "0 111 1111", "1 000 0010 0 1111111 0x00 0x00 0x00 0x00 0x00 0x00 0xff 0xff",
	} {
		f.Add(wireBytes(f, seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, n, err := ParseHeader(b)
		for i := range b {
			h, m, e := ParseHeader(b[:i])
			if m == 0 && e == nil {
				continue
			}
			if h != whole || m != n || e != err {
				t.Fatalf("of % x: %+v, %d, %v; of the first %d: %+v, %d, %v", b, whole, n, err, i, h, m, e)
			}
		}
		if n < 0 || n > MaxHeaderSize || n > len(b) || whole.Length < 0 || n > 0 && err != nil {
			t.Fatalf("of % x: %+v, %d, %v", b, whole, n, err)
		}
		if n > 0 && !bytes.Equal(AppendHeader(nil, whole), b[:n]) {
			t.Fatalf("% x came back as % x", b[:n], AppendHeader(nil, whole))
		}
	})
}

func TestParseLeavesTheHeaderAloneUntilItHasRead(t *testing.T) {
	before := Header{Fin: true, Rsv1: true, Op: OpBinary, Masked: true, Mask: [4]byte{1, 2, 3, 4}, Length: 7}
	for _, wire := range []string{"", "0 000 0001", "0 000 0001 1 0000101 0x37 0xfa", "0 000 0011", "0 000 0001 1 1111111 0x80"} {
		h := before
		if n, _ := h.Parse(wireBytes(t, wire)); n != 0 || h != before {
			t.Errorf("%q: %d, %+v", wire, n, h)
		}
	}
	h := before
	if n, err := h.Parse(wireBytes(t, "0 000 0001 0 0000101")); h != (Header{Op: OpText, Length: 5}) || n != 2 || err != nil {
		t.Errorf("got %+v, %d, %v", h, n, err)
	}
}

func BenchmarkParseHeader(b *testing.B) {
	for name, h := range map[string]Header{
		"masked/128":   {Fin: true, Op: OpText, Masked: true, Length: 128},
		"masked/100":   {Fin: true, Op: OpText, Masked: true, Length: 100},
		"masked/65536": {Fin: true, Op: OpText, Masked: true, Length: 65536},
		"unmasked/100": {Fin: true, Op: OpText, Length: 100},
	} {
		b.Run(name, func(b *testing.B) {
			in := AppendHeader(nil, h)
			var h Header
			for b.Loop() {
				if n, _ := h.Parse(in); n == 0 {
					b.Fatal("not parsed")
				}
			}
		})
	}
}

func BenchmarkAppendHeader(b *testing.B) {
	buf := make([]byte, 0, MaxHeaderSize)
	for b.Loop() {
		buf = AppendHeader(buf[:0], Header{Fin: true, Op: OpText, Masked: true, Length: 128})
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	payload := make([]byte, 128)
	buf := make([]byte, 0, 256)
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		buf = AppendFrame(buf[:0], OpText, false, payload)
	}
}
