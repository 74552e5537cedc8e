package broker

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Codec writes envelopes as bytes, and reads them. Its methods are safe from any
// goroutine.
//
// The form has a version, flags, From, Seq, then what the flags say that there is of To
// and Keep, the length of Room and Room; Body is the rest. Of an envelope with Control the
// last 16 bytes are an HMAC-SHA256 of all others, if there is a Secret. Numbers are as in
// encoding/binary's Uvarint.
type Codec struct {
	// Secret is known to the nodes of the cluster alone. nil: whoever can publish can have
	// nodes disconnect sockets.
	Secret []byte
}

const (
	version = 1
	macSize = 16
	maxRoom = 1 << 10 // bytes of a room's name, with that of its namespace
	maxHead = 128     // bytes of an envelope besides its room and body
)

const (
	flagVolatile = 1 << iota
	flagControl
	flagTo
	flagKeep
	flagsKnown = 1<<iota - 1
)

// Errors of Decode.
var (
	ErrVersion  = errors.New("broker: an envelope of another version")
	ErrEnvelope = errors.New("broker: not an envelope")
	ErrForged   = errors.New("broker: an envelope that is not signed with the secret of this cluster")
)

// Append appends an envelope's bytes.
func (c *Codec) Append(b []byte, e *Envelope) []byte {
	start := len(b)
	b = slices.Grow(b, maxHead+len(e.Room)+len(e.Body))
	b = append(b, version, e.flags())
	b = append(b, e.From[:]...)
	b = binary.AppendUvarint(b, e.Seq)
	if e.To != (NodeID{}) {
		b = append(b, e.To[:]...)
	}
	if e.Keep != (Retention{}) {
		for _, n := range []int64{int64(e.Keep.Messages), int64(e.Keep.Bytes), int64(e.Keep.Age)} {
			b = binary.AppendUvarint(b, uint64(n))
		}
	}
	b = binary.AppendUvarint(b, uint64(len(e.Room)))
	b = append(b, e.Room...)
	b = append(b, e.Body...)
	if c.signs(e.Control) {
		b = append(b, c.mac(b[start:])...)
	}
	return b
}

func (e *Envelope) flags() (f byte) {
	for i, set := range []bool{e.Volatile, e.Control, e.To != NodeID{}, e.Keep != Retention{}} {
		if set {
			f |= 1 << i
		}
	}
	return f
}

func (c *Codec) signs(control bool) bool { return control && len(c.Secret) > 0 }

func (c *Codec) mac(b []byte) []byte {
	h := hmac.New(sha256.New, c.Secret)
	h.Write(b)
	return h.Sum(nil)[:macSize]
}

// Decode reads an envelope, whose Body is a part of b. Its errors are ErrVersion,
// ErrEnvelope and ErrForged; nothing of such bytes is to be believed.
func (c *Codec) Decode(b []byte) (e Envelope, err error) {
	if len(b) < 2 {
		return e, fmt.Errorf("%w: %d bytes", ErrEnvelope, len(b))
	}
	if b[0] != version {
		return e, fmt.Errorf("%w: %d, this node speaks %d", ErrVersion, b[0], version)
	}
	flags := b[1]
	if flags&^flagsKnown != 0 {
		return e, fmt.Errorf("%w: flags %#x", ErrEnvelope, flags)
	}
	e.Volatile, e.Control = flags&flagVolatile != 0, flags&flagControl != 0
	if c.signs(e.Control) {
		if b, err = c.verified(b); err != nil {
			return e, err
		}
	}
	r := reader{b: b[2:]}
	r.fields(&e, flags)
	if r.failed {
		return Envelope{}, fmt.Errorf("%w: it is cut off, or a number is too large", ErrEnvelope)
	}
	e.Body = r.b
	return e, nil
}

// verified is b without its signature.
func (c *Codec) verified(b []byte) ([]byte, error) {
	n := len(b) - macSize
	if n < 2 || !hmac.Equal(b[n:], c.mac(b[:n])) {
		return nil, ErrForged
	}
	return b[:n], nil
}

// reader takes fields from bytes. Once it has failed it yields zeros.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) fields(e *Envelope, flags byte) {
	copy(e.From[:], r.take(uint64(len(e.From))))
	e.Seq = r.number(math.MaxUint64)
	if flags&flagTo != 0 {
		copy(e.To[:], r.take(uint64(len(e.To))))
	}
	if flags&flagKeep != 0 {
		e.Keep.Messages = int(r.number(math.MaxInt32))
		e.Keep.Bytes = int(r.number(math.MaxInt32))
		e.Keep.Age = time.Duration(r.number(math.MaxInt64))
	}
	e.Room = string(r.take(r.number(maxRoom)))
}

func (r *reader) take(n uint64) (b []byte) {
	if r.failed || n > uint64(len(r.b)) {
		r.failed = true
		return nil
	}
	b, r.b = r.b[:n], r.b[n:]
	return b
}

func (r *reader) number(most uint64) uint64 {
	n, size := binary.Uvarint(r.b)
	if r.failed || size <= 0 || n > most {
		r.failed = true
		return 0
	}
	r.b = r.b[size:]
	return n
}
