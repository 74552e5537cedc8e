package envelope

import (
	"encoding/binary"
	"math"
	"slices"
	"unicode/utf8"
)

// LastBytes is the last argument if that is bytes.
func LastBytes(args []any) (b []byte, ok bool) {
	if len(args) > 0 {
		b, ok = args[len(args)-1].([]byte)
	}
	return b, ok
}

// Binary encodes an envelope whose last argument is bytes: the length of the rest in two
// bytes, the rest as in text, the bytes. It reports false if the rest is too long for that.
func (env Out) Binary(args []any) (data []byte, ok bool, err error) {
	b, _ := LastBytes(args)
	head, err := env.Text(args[:len(args)-1])
	if err != nil || len(head) > math.MaxUint16 {
		return nil, false, err
	}
	data = binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(head)+len(b)), uint16(len(head)))
	return append(append(data, head...), b...), true, nil
}

// ParseBinary reads a binary message. It reports false for one that is not an event or a
// reply.
func ParseBinary(data []byte) (env In, ok bool) {
	if len(data) < 2 {
		return env, false
	}
	n := int(binary.BigEndian.Uint16(data))
	if len(data) < 2+n || !utf8.Valid(data[2:2+n]) { // what is said in text may be sent on as text
		return env, false
	}
	env, ok = Parse(data[2 : 2+n])
	if !ok || !slices.Contains([]string{Event, Ack, Error}, env.Type) {
		return In{}, false
	}
	env.Bytes = append([]byte{}, data[2+n:]...)
	return env, true
}
