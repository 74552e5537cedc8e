package websocket

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/envelope"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// MessageType tells text from binary (RFC 6455 §5.6).
type MessageType uint8

const (
	Text   MessageType = 1 // UTF-8
	Binary MessageType = 2 // any bytes
)

func (t MessageType) String() string {
	switch t {
	case Text:
		return "text"
	case Binary:
		return "binary"
	}
	return fmt.Sprintf("MessageType(%d)", uint8(t))
}

// Message is one whole message. In a callback its bytes are borrowed: they are
// valid until the callback returns, and Clone keeps them. A message from
// Receive owns its bytes.
type Message struct {
	Type MessageType
	data []byte
}

// NewMessage makes a message of data, which it does not copy.
func NewMessage(t MessageType, data []byte) Message { return Message{t, data} }

// Text returns the payload as a string of its own.
func (m Message) Text() string { return string(m.data) }

// Bytes returns the payload, borrowed in a callback.
func (m Message) Bytes() []byte { return m.data }

// JSON decodes the payload into v.
func (m Message) JSON(v any) error {
	if err := json.Unmarshal(m.data, v); err != nil {
		return fmt.Errorf("websocket: decode message: %w", err)
	}
	return nil
}

// Clone returns a message that owns its bytes.
func (m Message) Clone() Message {
	return Message{m.Type, append([]byte(nil), m.data...)}
}

func (t MessageType) check() error {
	if t != Text && t != Binary {
		return ErrMessageType
	}
	return nil
}

func (t MessageType) opcode() wire.Opcode { return wire.Opcode(t) }

// encode turns a value into a payload: string is text, []byte is binary,
// a Message is itself, anything else is JSON text.
func encode(v any) (MessageType, []byte, error) {
	switch v := v.(type) {
	case string:
		return Text, []byte(v), nil
	case []byte:
		return Binary, v, nil
	case Message:
		return v.Type, v.data, v.Type.check()
	case json.RawMessage:
		return Text, v, nil
	}
	data, err := envelope.JSON(v)
	return Text, data, err
}

func (m Message) envelope() (env envelope.In, ok bool) {
	switch m.Type {
	case Text:
		return envelope.Parse(m.data)
	case Binary:
		return envelope.ParseBinary(m.data)
	}
	return env, false
}

// Event reads a message that no handler has taken, such as one from Receive, as an event:
// in text, or in the binary form of [Protocol]. ok is false for another message. The
// event owns its bytes; it has no Socket and wants no reply.
func (m Message) Event() (e *Event, ok bool) {
	env, ok := m.envelope()
	e = newEvent(&env, nil)
	if e.Name = env.Name(); !ok || env.Type != envelope.Event || e.Name == "" {
		return nil, false
	}
	return e, true
}

// Prepared is a message encoded once for any number of sockets: framed once,
// and compressed at most once for each window size. It is safe from any
// goroutine and never changes.
type Prepared struct {
	Type   MessageType
	frame  conn.Frame
	binary *conn.Frame // of an event, for peers that take bytes; nil: none
}

// Prepare encodes v as Send does. Its error is that of encoding/json.
func Prepare(v any) (*Prepared, error) {
	if p, ok := v.(*Prepared); ok {
		return p, p.check()
	}
	t, data, err := encode(v)
	if err != nil {
		return nil, err
	}
	p := &Prepared{Type: t}
	p.frame.Set(t.opcode(), data)
	return p, nil
}

func (p *Prepared) check() error {
	if p == nil || !p.frame.IsSet() {
		return errors.New("websocket: message was not made by Prepare")
	}
	return nil
}

// prepareEvent encodes an event for any number of sockets, of which some may take bytes.
func prepareEvent(env envelope.Out, args []any) (*Prepared, error) {
	text, err := env.Text(args)
	if err != nil {
		return nil, err
	}
	p := &Prepared{Type: Text}
	p.frame.Set(wire.OpText, text)
	if _, ok := envelope.LastBytes(args); ok {
		data, ok, err := env.Binary(args)
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
