package redial

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// frame is a message of the protocol from the server.
type frame struct {
	Type string `json:"type"`

	// Events and replies.
	Event     string          `json:"event"`
	ID        json.RawMessage `json:"id"`
	Key       string          `json:"key"`
	Data      json.RawMessage `json:"data"`
	Text      json.RawMessage `json:"message"`
	Errors    json.RawMessage `json:"errors"`
	Timestamp float64         `json:"timestamp"`
	Room      string          `json:"room"`
	Offset    *int64          `json:"offset"`
	Mid       string          `json:"mid"`
	Replayed  bool            `json:"replayed"`

	// Of rooms.
	Epoch     string             `json:"epoch"`
	Recovered bool               `json:"recovered"`
	Set       map[string]*Member `json:"set"`
	Join      map[string]*Member `json:"join"`
	Leave     []string           `json:"leave"`
	Count     *int               `json:"count"`

	// Of the connection.
	Session string          `json:"session"`
	Resumed bool            `json:"resumed"`
	Got     uint64          `json:"got"`
	Beat    float64         `json:"beat"`
	Spread  float64         `json:"spread"`
	Max     float64         `json:"max"`
	Expires float64         `json:"expires"`
	Can     []string        `json:"can"`
	T       json.RawMessage `json:"t"`
	N       uint64          `json:"n"`
	Retry   bool            `json:"retry"`
	After   [2]float64      `json:"after"`
	Reason  string          `json:"reason"`

	bytes []byte // of a binary event
}

// parse reads a message; nil: it is the app's own.
func parse(m Message) *frame {
	f, text := new(frame), m.Data
	if m.Binary {
		var ok bool
		if text, f.bytes, ok = splitBinary(m.Data); !ok {
			return nil
		}
	}
	if head := bytes.TrimLeft(text, " \t\r\n"); len(head) == 0 || head[0] != '{' {
		return nil
	}
	if json.Unmarshal(text, f) != nil || f.Type == "" {
		return nil
	}
	if m.Binary && !slices.Contains([]string{"event", "ack", "error"}, f.Type) {
		return nil
	}
	return f
}

// splitBinary takes a binary event apart: the length of its envelope in two bytes, the
// envelope, the bytes.
func splitBinary(data []byte) (envelope, rest []byte, ok bool) {
	if len(data) < 2 {
		return nil, nil, false
	}
	n := 2 + int(binary.BigEndian.Uint16(data))
	if len(data) < n || !utf8.Valid(data[2:n]) {
		return nil, nil, false
	}
	return data[2:n], data[n:len(data):len(data)], true
}

// number is the id of one of our requests; 0: it is not one.
func (f *frame) number() uint64 {
	n, _ := strconv.ParseUint(string(bytes.Trim(f.ID, `"`)), 10, 64)
	return n
}

// name is an id that is a text, or empty.
func (f *frame) name() (id string) {
	json.Unmarshal(f.ID, &id)
	return id
}

const maxID = 128 // bytes of an id that we repeat

// answerable reports whether something with this id, a string or a number, is to be answered.
func answerable(id json.RawMessage) bool {
	return len(id) > 0 && len(id) <= maxID && (id[0] == '"' || id[0] == '-' || id[0] >= '0' && id[0] <= '9')
}

func (f *frame) failure() (message string, details any) {
	if json.Unmarshal(f.Text, &message) != nil {
		message = "internal error"
	}
	if len(f.Errors) > 0 {
		details = f.Errors
	}
	return message, details
}

// event is the frame as the program gets it.
func (f *frame) event() *Event {
	e := &Event{Name: f.Event, Args: argsOf(f.Data), Bytes: f.bytes, Key: f.Key, Replayed: f.Replayed}
	if f.Timestamp > 0 {
		e.At = at(f.Timestamp)
	}
	if f.Offset != nil {
		e.Room, e.Offset = f.Room, *f.Offset
	}
	return e
}

// argsOf takes an array apart; anything else is one argument.
func argsOf(data json.RawMessage) []json.RawMessage {
	if len(data) == 0 || string(data) == "null" {
		return nil
	}
	var args []json.RawMessage
	if json.Unmarshal(data, &args) == nil {
		return args
	}
	return []json.RawMessage{data}
}

// position is where a room is; nil: the frame does not say.
func (f *frame) position() *Position {
	if f.Epoch == "" || f.Offset == nil || *f.Offset < 0 {
		return nil
	}
	return &Position{Epoch: f.Epoch, Offset: *f.Offset}
}

const longest = 365 * 24 * time.Hour // that a server may have us wait

// ms is a duration that was said in milliseconds.
func ms(n float64) time.Duration {
	return time.Duration(min(max(n, 0), float64(longest/time.Millisecond)) * float64(time.Millisecond))
}

const lastYear = 1 << 53 // milliseconds of the last time that JavaScript has a number for

// at is a time that was said in Unix milliseconds.
func at(n float64) time.Time { return time.UnixMilli(int64(min(n, lastYear))) }

// out is a message of the protocol to the server.
type out struct {
	Type    string              `json:"type"`
	Event   string              `json:"event,omitempty"`
	ID      json.RawMessage     `json:"id,omitempty"`
	Key     string              `json:"key,omitempty"`
	Data    json.RawMessage     `json:"data,omitempty"`
	Message string              `json:"message,omitempty"`
	Errors  any                 `json:"errors,omitempty"`
	Room    string              `json:"room,omitempty"`
	Since   *Position           `json:"since,omitempty"`
	Was     string              `json:"was,omitempty"`
	Rooms   map[string]Position `json:"rooms,omitempty"`
	Token   string              `json:"token,omitempty"`
}

// entry encodes o, with the bytes of a binary event behind it.
func (o out) entry(bytes []byte) *entry {
	e := &entry{event: o.Event}
	text, err := json.Marshal(o)
	if bytes == nil {
		e.Data, e.tooLong = text, err != nil
		return e
	}
	e.Binary, e.tooLong = true, err != nil || len(text) > math.MaxUint16
	e.Data = binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(text)+len(bytes)), uint16(len(text)))
	e.Data = append(append(e.Data, text...), bytes...)
	return e
}

func number(id uint64) json.RawMessage { return strconv.AppendUint(nil, id, 10) }
