package websocket

import (
	"encoding/json"
	"fmt"

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
