// Package envelope is events and replies as messages: what they look like in text, and in
// binary for a peer that takes bytes. It knows no socket.
package envelope

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
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
	if env.Message != "" || env.Errors != nil {
		if env.Data, err = Args(args); err != nil {
			return nil, err
		}
		return JSON(env)
	}
	return env.appendTo(make([]byte, 0, len(env.Event)+len(env.ID)+100+lengthOf(args)), args)
}

// lengthOf is about how long arguments get: the rest grows by itself.
func lengthOf(args []any) (n int) {
	for _, arg := range args {
		if s, ok := arg.(string); ok {
			n += len(s) + len(`"",`)
		}
	}
	return n
}

// appendTo appends the JSON of an event or an ack. json.Marshal would read once more what
// has just been encoded, which takes longer than the rest.
func (env *Out) appendTo(b []byte, args []any) (_ []byte, err error) {
	b = append(append(append(b, `{"type":"`...), env.Type...), '"')
	if env.Event != "" {
		b = appendString(append(b, `,"event":`...), env.Event)
	}
	if len(env.ID) > 0 {
		b = append(append(b, `,"id":`...), env.ID...)
	}
	if b, err = appendArgs(append(b, `,"data":`...), args); err != nil {
		return nil, err
	}
	if env.Timestamp != 0 {
		b = strconv.AppendInt(append(b, `,"timestamp":`...), env.Timestamp, 10)
	}
	return append(b, '}'), nil
}

// appendString appends the JSON of a string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if !plain[s[i]] {
			text, _ := json.Marshal(s) // of a string, never fails
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// plain are the bytes that json.Marshal leaves as they are.
var plain = func() (is [256]bool) {
	for c := ' '; c <= '~'; c++ {
		is[c] = !strings.ContainsRune(`"\<>&`, c)
	}
	return is
}()

// Args encodes arguments.
func Args(args []any) (json.RawMessage, error) { return appendArgs(nil, args) }

// appendArgs appends the JSON of a list, without reflection for what are strings.
func appendArgs(b []byte, args []any) ([]byte, error) {
	b = append(b, '[')
	for i, arg := range args {
		if i > 0 {
			b = append(b, ',')
		}
		if s, ok := arg.(string); ok {
			b = appendString(b, s)
			continue
		}
		data, err := JSON(arg)
		if err != nil {
			return nil, err
		}
		b = append(b, data...)
	}
	return append(b, ']'), nil
}

// JSON encodes a message.
func JSON(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("websocket: encode message: %w", err)
	}
	return data, nil
}
