// Package envelope is events and replies as messages: what they look like in text, and in
// binary for a peer that takes bytes. It knows no socket.
package envelope

import (
	"encoding/json"
	"fmt"
	"strconv"
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
	if env.Message != "" || env.Errors != nil {
		return JSON(env)
	}
	return env.appendTo(make([]byte, 0, len(env.Event)+len(env.ID)+len(env.Data)+100)), nil
}

// appendTo appends the JSON of an event or an ack. Its data has just been encoded, so there
// is no need to have json.Marshal read it once more: that takes longer than the rest.
func (env *Out) appendTo(b []byte) []byte {
	b = append(append(append(b, `{"type":"`...), env.Type...), '"')
	if env.Event != "" {
		b = appendString(append(b, `,"event":`...), env.Event)
	}
	if len(env.ID) > 0 {
		b = append(append(b, `,"id":`...), env.ID...)
	}
	b = append(append(b, `,"data":`...), env.Data...)
	if env.Timestamp != 0 {
		b = strconv.AppendInt(append(b, `,"timestamp":`...), env.Timestamp, 10)
	}
	return append(b, '}')
}

// appendString appends the JSON of a string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			text, _ := json.Marshal(s) // of a string, never fails
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
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
