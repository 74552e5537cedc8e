package websocket

import (
	"bytes"
	"encoding/json"
	"time"
)

const (
	maxEventID    = 128 // bytes of an id that a peer chose
	internalError = "internal error"
	envelopeEvent = "event"
	envelopeAck   = "ack"
	envelopeError = "error"
)

// envelope is an event on the wire.
type envelope struct {
	Type      string          `json:"type"`
	Event     string          `json:"event,omitempty"`
	ID        json.RawMessage `json:"id,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"`
	Message   string          `json:"message,omitempty"`
	Errors    any             `json:"errors,omitempty"`
	Timestamp int64           `json:"timestamp,omitempty"` // Unix milliseconds
}

func newEvent(event string, id []byte) envelope {
	return envelope{Type: envelopeEvent, Event: event, ID: id, Timestamp: time.Now().UnixMilli()}
}

func encodeText(env envelope, args []any) (data []byte, err error) {
	if env.Data, err = encodeArgs(args); err != nil {
		return nil, err
	}
	return encodeJSON(env)
}

func encodeArgs(args []any) (json.RawMessage, error) {
	if len(args) == 0 {
		return json.RawMessage("[]"), nil
	}
	return encodeJSON(args)
}

// incoming is an envelope from the peer.
type incoming struct {
	Type    string          `json:"type"`
	Event   json.RawMessage `json:"event"`
	ID      json.RawMessage `json:"id"`
	Key     json.RawMessage `json:"key"`
	Data    json.RawMessage `json:"data"`
	Message json.RawMessage `json:"message"`
	Errors  json.RawMessage `json:"errors"`

	T json.RawMessage `json:"t"`

	args  []json.RawMessage // of Data
	bytes []byte            // of a binary event; nil: none
}

// parseEnvelope reports false for a message that is not an envelope.
func parseEnvelope(m Message) (env incoming, ok bool) {
	text := bytes.TrimLeft(m.data, " \t\r\n")
	if m.Type != Text || len(text) == 0 || text[0] != '{' {
		return env, false
	}
	if json.Unmarshal(text, &env) != nil {
		return env, false
	}
	env.args = splitArgs(env.Data)
	return env, true
}

// rare is what few events have; nil: nothing. A key is as long as an id at most.
func (env *incoming) rare() *rareEvent {
	r := rareEvent{bytes: env.bytes}
	if len(env.Key) <= maxEventID && len(env.Key) > 0 && env.Key[0] == '"' {
		json.Unmarshal(env.Key, &r.key)
	}
	if r.bytes == nil && r.key == "" {
		return nil
	}
	return &r
}

// eventError is the error that an envelope carries.
func (env *incoming) eventError() *EventError {
	e := &EventError{}
	if json.Unmarshal(env.Message, &e.Message) != nil {
		e.Message = internalError
	}
	if len(env.Errors) > 0 {
		e.Errors = env.Errors
	}
	return e
}

// splitArgs takes an array apart; anything else is one argument.
func splitArgs(data json.RawMessage) []json.RawMessage {
	if len(data) == 0 || string(data) == "null" {
		return nil
	}
	var args []json.RawMessage
	if json.Unmarshal(data, &args) == nil {
		return args
	}
	return []json.RawMessage{data}
}

// validID takes strings and numbers of a reasonable length for an id.
func validID(id json.RawMessage) bool {
	return len(id) > 0 && len(id) <= maxEventID && (id[0] == '"' || id[0] == '-' || id[0] >= '0' && id[0] <= '9')
}
