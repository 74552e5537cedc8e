package envelope

import (
	"bytes"
	"encoding/json"
)

// MaxID is how many bytes an id or a key may have that a peer chose.
const MaxID = 128

// In is an envelope from the peer.
type In struct {
	Type    string          `json:"type"`
	Event   json.RawMessage `json:"event"`
	ID      json.RawMessage `json:"id"`
	Key     json.RawMessage `json:"key"`
	Data    json.RawMessage `json:"data"`
	Message json.RawMessage `json:"message"`
	Errors  json.RawMessage `json:"errors"`

	T json.RawMessage `json:"t"`

	Args  []json.RawMessage `json:"-"` // of Data
	Bytes []byte            `json:"-"` // of a binary event; nil: none
}

// Parse reads a text message. It reports false for one that is not an envelope.
func Parse(text []byte) (env In, ok bool) {
	text = bytes.TrimLeft(text, " \t\r\n")
	if len(text) == 0 || text[0] != '{' {
		return env, false
	}
	if json.Unmarshal(text, &env) != nil {
		return env, false
	}
	env.Args = splitArgs(env.Data)
	return env, true
}

// Name is that of an event, or empty.
func (env *In) Name() (name string) {
	if json.Unmarshal(env.Event, &name) != nil {
		return ""
	}
	return name
}

// RequestKey is the key of a request that may be repeated, as long as an id at most, or
// empty.
func (env *In) RequestKey() (key string) {
	if len(env.Key) <= MaxID && len(env.Key) > 0 && env.Key[0] == '"' {
		json.Unmarshal(env.Key, &key)
	}
	return key
}

// Failure is the error that an envelope carries.
func (env *In) Failure() (message string, details any) {
	if json.Unmarshal(env.Message, &message) != nil {
		message = Internal
	}
	if len(env.Errors) > 0 {
		details = env.Errors
	}
	return message, details
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

// ValidID takes strings and numbers of a reasonable length for an id.
func ValidID(id json.RawMessage) bool {
	return len(id) > 0 && len(id) <= MaxID && (id[0] == '"' || id[0] == '-' || id[0] >= '0' && id[0] <= '9')
}
