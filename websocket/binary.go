package websocket

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const (
	envelopeHello = "hello"
	envelopePing  = "ping"
	envelopePong  = "pong"
)

// takesBytes reports whether the peer takes binary events.
func (s *Socket) takesBytes() bool { return s.info.Value().protocol == Protocol }

// sendEnvelope sends an envelope with its arguments in the form that the peer takes.
func (s *Socket) sendEnvelope(env envelope, args []any) error {
	if _, ok := lastBytes(args); ok && s.takesBytes() {
		if data, ok, err := encodeBinary(env, args); ok || err != nil {
			return s.sendEncoded(wire.OpBinary, data, err)
		}
	}
	data, err := encodeText(env, args)
	return s.sendEncoded(wire.OpText, data, err)
}

func (s *Socket) sendEncoded(op wire.Opcode, data []byte, err error) error {
	if err != nil {
		return err
	}
	return s.conn.Send(op, data)
}

// prepareEvent encodes an event for any number of sockets, of which some may take bytes.
func prepareEvent(env envelope, args []any) (*Prepared, error) {
	text, err := encodeText(env, args)
	if err != nil {
		return nil, err
	}
	p := &Prepared{Type: Text}
	p.frame.Set(wire.OpText, text)
	if _, ok := lastBytes(args); ok {
		data, ok, err := encodeBinary(env, args)
		if err != nil {
			return nil, err
		}
		if ok {
			p.binary = new(conn.Frame)
			p.binary.Set(wire.OpBinary, data)
		}
	}
	return p, nil
}

// frameFor is the message in the form that the socket's peer takes.
func (p *Prepared) frameFor(s *Socket) *conn.Frame {
	if p.binary != nil && s.takesBytes() {
		return p.binary
	}
	return &p.frame
}

// lastBytes is the last argument if that is bytes.
func lastBytes(args []any) (b []byte, ok bool) {
	if len(args) > 0 {
		b, ok = args[len(args)-1].([]byte)
	}
	return b, ok
}

// encodeBinary encodes an envelope whose last argument is bytes. It reports false if the
// rest of it is too long for a binary event.
func encodeBinary(env envelope, args []any) (data []byte, ok bool, err error) {
	b, _ := lastBytes(args)
	head, err := encodeText(env, args[:len(args)-1])
	if err != nil || len(head) > math.MaxUint16 {
		return nil, false, err
	}
	data = binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(head)+len(b)), uint16(len(head)))
	return append(append(data, head...), b...), true, nil
}

// parse takes a message for an envelope, in one of the forms that the peer may use.
func (s *Socket) parse(m Message) (env incoming, ok bool) {
	if m.Type == Binary {
		if !s.takesBytes() {
			return env, false
		}
		return parseBinary(m.data)
	}
	return parseEnvelope(m)
}

// parseBinary reports false for a message that is not a binary event or reply.
func parseBinary(data []byte) (env incoming, ok bool) {
	if len(data) < 2 {
		return env, false
	}
	n := int(binary.BigEndian.Uint16(data))
	if len(data) < 2+n || !utf8.Valid(data[2:2+n]) { // what is said in text may be sent on as text
		return env, false
	}
	env, ok = parseEnvelope(Message{Text, data[2 : 2+n]})
	if !ok || !slices.Contains([]string{envelopeEvent, envelopeAck, envelopeError}, env.Type) {
		return incoming{}, false
	}
	env.bytes = append([]byte{}, data[2+n:]...)
	return env, true
}

// Event reads a message that no handler has taken, such as one from Receive, as an event:
// in text, or in the binary form of [Protocol]. ok is false for another message. The
// event owns its bytes; it has no Socket and wants no reply.
func (m Message) Event() (e *Event, ok bool) {
	env, ok := parseEnvelope(m)
	if m.Type == Binary {
		env, ok = parseBinary(m.data)
	}
	e = &Event{args: env.args, rare: env.rare()}
	if !ok || env.Type != envelopeEvent || json.Unmarshal(env.Event, &e.Name) != nil || e.Name == "" {
		return nil, false
	}
	return e, true
}

// Bytes are those that the peer has sent as the last argument of a binary event, or nil;
// Args does not have them. The event owns them. See [Protocol].
func (e *Event) Bytes() []byte {
	if e.rare == nil {
		return nil
	}
	return e.rare.bytes
}

// bindBytes gives the bytes of argument i.
func (e *Event) bindBytes(i int, v any) error {
	switch v := v.(type) {
	case *[]byte:
		*v = bytes.Clone(e.Bytes())
	case *any:
		*v = bytes.Clone(e.Bytes())
	default:
		return &EventError{Message: fmt.Sprintf("argument %d must not be binary", i)}
	}
	return nil
}

// probed answers a ping that scripts can send, of a peer that speaks Protocol. What
// it says beside is not for handlers.
func (s *Socket) probed(env *incoming) delivery {
	if !s.takesBytes() {
		return delivery{}
	}
	d := delivery{claimed: true}
	if t := env.T; env.Type == envelopePing && validID(t) {
		d.event = &Event{Socket: s}
		d.handlers = []handler{{f: func(*Event) error {
			return s.SendJSON(struct {
				Type string          `json:"type"`
				T    json.RawMessage `json:"t"`
			}{envelopePong, t})
		}}}
	}
	return d
}
