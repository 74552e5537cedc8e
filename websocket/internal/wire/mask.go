package wire

import (
	"encoding/binary"
	"math/bits"
)

// Mask XORs b in place with key, RFC 6455 section 5.3; doing it twice undoes it.
// pos is the offset of b[0] in the frame's payload, of which only the remainder
// by 4 counts.
func Mask(key [4]byte, pos int, b []byte) {
	le := binary.LittleEndian
	k32 := bits.RotateLeft32(le.Uint32(key[:]), -8*(pos&3))
	k := uint64(k32)<<32 | uint64(k32)
	for len(b) >= 64 {
		le.PutUint64(b[0:8], le.Uint64(b[0:8])^k)
		le.PutUint64(b[8:16], le.Uint64(b[8:16])^k)
		le.PutUint64(b[16:24], le.Uint64(b[16:24])^k)
		le.PutUint64(b[24:32], le.Uint64(b[24:32])^k)
		le.PutUint64(b[32:40], le.Uint64(b[32:40])^k)
		le.PutUint64(b[40:48], le.Uint64(b[40:48])^k)
		le.PutUint64(b[48:56], le.Uint64(b[48:56])^k)
		le.PutUint64(b[56:64], le.Uint64(b[56:64])^k)
		b = b[64:]
	}
	for len(b) >= 8 {
		le.PutUint64(b, le.Uint64(b)^k)
		b = b[8:]
	}
	if len(b) >= 4 {
		le.PutUint32(b, le.Uint32(b)^k32)
		b = b[4:]
	}
	for i := range b {
		b[i] ^= byte(k32)
		k32 >>= 8
	}
}
