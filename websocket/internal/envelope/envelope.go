// Package envelope is events and replies as messages: what they look like in text, and in
// binary for a peer that takes bytes. It knows no socket.
package envelope

import (
	"encoding/json"
	"fmt"
	"time"
)

// The types of an envelope.
const (
	Event = "event"
	Ack   = "ack"
	Error = "error"
	Hello = "hello"
	Ping  = "ping"
	Pong  = "pong"
)

// Internal is the message of an error that is not meant for the peer.
const Internal = "internal error"

// Out is an event or a reply to send.
type Out struct {
	Type      string          `json:"type"`
	Event     string          `json:"event,omitempty"`
	ID        json.RawMessage `json:"id,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"`
	Message   string          `json:"message,omitempty"`
	Errors    any             `json:"errors,omitempty"`
	Timestamp int64           `json:"timestamp,omitempty"` // Unix milliseconds
}

// NewEvent is an event of now; id is empty if it wants no reply.
func NewEvent(event string, id []byte) Out {
	return Out{Type: Event, Event: event, ID: id, Timestamp: time.Now().UnixMilli()}
}

// Text encodes an envelope with its arguments.
func (env Out) Text(args []any) (data []byte, err error) {
	if env.Data, err = Args(args); err != nil {
		return nil, err
	}
	return JSON(env)
}

// Args encodes arguments.
func Args(args []any) (json.RawMessage, error) {
	if len(args) == 0 {
		return json.RawMessage("[]"), nil
	}
	return JSON(args)
}

// JSON encodes a message.
func JSON(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("websocket: encode message: %w", err)
	}
	return data, nil
}
