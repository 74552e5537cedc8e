// Package protocol is nextrush.v1, the subprotocol of our clients, as values: offers,
// and what its messages look like. It knows no connection. docs/protocol.md explains
// it.
package protocol

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/history"
	"github.com/nextrush/nextrush/websocket/internal/roster"
)

// Name is the subprotocol.
const Name = "nextrush.v1"

// resume begins the entry of an offer that asks for a session.
const resume = "resume."

// Offered reports whether an offer has the subprotocol. It is preferred over all others:
// a client that offers it needs it.
func Offered(offer []string) bool { return slices.Contains(offer, Name) }

// Resumes finds the session that an offer asks for, and how many of its messages the
// client has. What cannot be read is no token.
func Resumes(offer []string) (token Token, got uint64, asked bool) {
	for _, p := range offer {
		rest, ok := strings.CutPrefix(p, resume)
		if !ok {
			continue
		}
		text, n, _ := strings.Cut(rest, ".")
		b, err := base64.RawURLEncoding.DecodeString(text)
		got, wrong := strconv.ParseUint(n, 10, 64)
		if err != nil || wrong != nil || len(b) != len(token.ID)+len(token.Secret) {
			return Token{}, 0, true
		}
		copy(token.Secret[:], b[copy(token.ID[:], b):])
		return token, got, true
	}
	return Token{}, 0, false
}

// Token is what a client resumes its session with.
type Token struct{ ID, Secret [16]byte }

func (t Token) String() string {
	return base64.RawURLEncoding.EncodeToString(append(t.ID[:], t.Secret[:]...))
}

// Kind is the type of a message from a client that is not an event or an answer to one.
type Kind uint8

const (
	None Kind = iota // not one of these
	Ping
	Pong
	Got
	Sync
	Join
	Leave
	Auth
	Presence
)

var kinds = map[string]Kind{
	"ping": Ping, "pong": Pong, "got": Got, "sync": Sync,
	"join": Join, "leave": Leave, "auth": Auth, "presence": Presence,
}

// KindOf finds the type of a text message. Where the type comes first, nothing else is
// looked at.
func KindOf(text []byte) Kind {
	text = bytes.TrimLeft(text, " \t\r\n")
	if len(text) == 0 || text[0] != '{' {
		return None
	}
	if name, ok := leadingType(text[1:]); ok {
		return kinds[string(name)]
	}
	if !bytes.Contains(text, []byte(`"type"`)) {
		return None
	}
	var m struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(text, &m) != nil {
		return None
	}
	return kinds[m.Type]
}

// leadingType takes "type":"name" off the beginning of an object.
func leadingType(text []byte) (name []byte, ok bool) {
	text = bytes.TrimLeft(text, " \t\r\n")
	if text, ok = bytes.CutPrefix(text, []byte(`"type"`)); !ok {
		return nil, false
	}
	text = bytes.TrimLeft(text, " \t\r\n")
	if text, ok = bytes.CutPrefix(text, []byte(`:`)); !ok {
		return nil, false
	}
	text = bytes.TrimLeft(text, " \t\r\n")
	if text, ok = bytes.CutPrefix(text, []byte(`"`)); !ok {
		return nil, false
	}
	end := bytes.IndexAny(text, `"\`)
	if end < 0 || text[end] != '"' {
		return nil, false
	}
	return text[:end], true
}

// Message is a message from a client.
type Message struct {
	T      json.RawMessage   `json:"t"`
	ID     json.RawMessage   `json:"id"`
	Room   string            `json:"room"`
	Since  *history.Position `json:"since"`
	Was    string            `json:"was"`
	Rooms  json.RawMessage   `json:"rooms"` // see Positions
	Token  string            `json:"token"`
	Ticket *string           `json:"ticket"` // nil: none
	N      uint64            `json:"n"`
	Data   json.RawMessage   `json:"data"`
}

// Positions reads the rooms of a sync, of which there may be most. It reports false if there
// are more.
func (m *Message) Positions(most int) (at map[string]history.Position, ok bool) {
	at = make(map[string]history.Position)
	d := json.NewDecoder(bytes.NewReader(m.Rooms))
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return at, true
	}
	for n := 0; d.More(); n++ {
		name, err := d.Token()
		if n == most {
			return nil, false
		}
		var p history.Position
		if err != nil || d.Decode(&p) != nil {
			break
		}
		at[name.(string)] = p
	}
	return at, true
}

// Parse reads a message whose kind is known. What cannot be read is left out, and told
// by the error; ID and T are there if they can be.
func Parse(text []byte) (m Message, err error) {
	if err = json.Unmarshal(text, &m); err == nil {
		return m, nil
	}
	var asked struct{ ID, T json.RawMessage }
	json.Unmarshal(text, &asked)
	return Message{ID: asked.ID, T: asked.T}, err
}

// Hello is the first message of a server.
type Hello struct {
	ID      string
	Session string        // the token; empty: the session ends with the connection
	Asked   bool          // a session was asked for
	Why     string        // that was not resumed; empty: it was
	Got     uint64        // messages of the client in the session that was resumed
	Beat    time.Duration // the server's longest silence; 0: no promise
	Spread  time.Duration // over which clients are to come back
	Max     int64         // bytes of a message
	Expires time.Time     // the credential; zero: never
	Can     []string
}

// Append appends the hello.
func (h *Hello) Append(b []byte) []byte {
	var m = struct {
		Type    string   `json:"type"`
		ID      string   `json:"id"`
		Session string   `json:"session,omitempty"`
		Resumed *bool    `json:"resumed,omitempty"`
		Why     string   `json:"why,omitempty"`
		Got     *uint64  `json:"got,omitempty"`
		Beat    int64    `json:"beat,omitempty"`
		Spread  int64    `json:"spread"`
		Max     int64    `json:"max"`
		Expires int64    `json:"expires,omitempty"`
		Can     []string `json:"can"`
	}{Type: "hello", ID: h.ID, Session: h.Session, Why: h.Why, Beat: h.Beat.Milliseconds(), Spread: h.Spread.Milliseconds(), Max: h.Max, Can: h.Can}
	if h.Asked {
		resumed := h.Why == ""
		m.Resumed = &resumed
		if resumed {
			m.Got = &h.Got
		}
	}
	if !h.Expires.IsZero() {
		m.Expires = h.Expires.UnixMilli()
	}
	if m.Can == nil {
		m.Can = []string{}
	}
	return appendJSON(b, m)
}

// Beat is the ping of a server that has been silent.
const Beat = `{"type":"ping"}`

// SpreadBeat is a ping with a new spread.
func SpreadBeat(spread time.Duration) []byte {
	return appendJSON(nil, struct {
		Type   string `json:"type"`
		Spread int64  `json:"spread"`
	}{"ping", spread.Milliseconds()})
}

// Count tells how many messages of the client have come.
func Count(n uint64) []byte {
	return append(strconv.AppendUint([]byte(`{"type":"got","n":`), n, 10), '}')
}

// PingOf asks for PongOf with the same t.
func PingOf(t string) []byte { return []byte(`{"type":"ping","t":` + t + `}`) }

// PongOf answers a ping.
func PongOf(t json.RawMessage) []byte { return []byte(`{"type":"pong","t":` + string(t) + `}`) }

type goaway struct {
	Type   string    `json:"type"`
	Retry  bool      `json:"retry"`
	After  *[2]int64 `json:"after,omitempty"`
	Reason string    `json:"reason"`
}

// Goaway tells that the server is about to close, and in which time, in milliseconds, to
// connect anew.
func Goaway(after time.Duration, reason string) []byte {
	return appendJSON(nil, goaway{"goaway", true, &[2]int64{0, after.Milliseconds()}, reason})
}

// Farewell tells that the server is about to close, and not to connect anew.
func Farewell(reason string) []byte { return appendJSON(nil, goaway{Type: "goaway", Reason: reason}) }

// RoomMessage is joined, left, or synced.
type RoomMessage struct {
	Type      string `json:"type"`
	Room      string `json:"room"`
	Recovered *bool  `json:"recovered,omitempty"`
	Epoch     string `json:"epoch,omitempty"`
	Offset    *int64 `json:"offset,omitempty"`
	Replayed  bool   `json:"replayed,omitempty"`
}

// Joined tells that the client is in a room, and where its history is; nil: it has none.
// replayed: a replay follows that the client has not asked for.
func Joined(room string, at *history.Position, replayed bool) []byte {
	m := roomMessage("joined", room, at, nil)
	m.Replayed = replayed
	return appendJSON(nil, m)
}

// Left tells that the client has been taken out of a room.
func Left(room string) []byte { return appendJSON(nil, roomMessage("left", room, nil, nil)) }

// Synced ends a replay, or says that there is none.
func Synced(room string, recovered bool, at history.Position) []byte {
	return appendJSON(nil, roomMessage("synced", room, &at, &recovered))
}

// Forgotten is Synced for a room without history.
func Forgotten(room string) []byte {
	return appendJSON(nil, roomMessage("synced", room, nil, new(bool)))
}

func roomMessage(kind, room string, at *history.Position, recovered *bool) RoomMessage {
	m := RoomMessage{Type: kind, Room: room, Recovered: recovered}
	if at != nil {
		m.Epoch, m.Offset = at.Epoch, &at.Offset
	}
	return m
}

type presenceMessage struct {
	Type  string                   `json:"type"`
	Room  string                   `json:"room"`
	Set   map[string]roster.Member `json:"set,omitempty"`
	Join  map[string]roster.Member `json:"join,omitempty"`
	Leave []string                 `json:"leave,omitempty"`
	Count *int                     `json:"count,omitempty"`
}

// PresenceWhole tells all who are in a room; nil: there is nothing to tell.
func PresenceWhole(room string, u *roster.Update) []byte {
	if u.Whole == nil {
		return nil
	}
	return appendJSON(nil, presenceMessage{Type: "presence", Room: room, Set: u.Whole})
}

// PresenceNews tells who has come and gone, or how many there are; nil: there is nothing
// to tell.
func PresenceNews(room string, u *roster.Update) []byte {
	m := presenceMessage{Type: "presence", Room: room, Join: u.Join, Leave: u.Leave}
	if u.Crowd {
		m.Count = &u.Count
	} else if len(u.Join) == 0 && len(u.Leave) == 0 {
		return nil
	}
	return appendJSON(nil, m)
}

// Place is the members of an event that tell its room, its offset there, and what it has
// in common with the same event to other rooms; empty: nothing.
func Place(room string, offset int64, mid string) string {
	b := appendJSON([]byte(`,"room":`), room)
	b = strconv.AppendInt(append(b, `,"offset":`...), offset, 10)
	if mid != "" {
		b = appendJSON(append(b, `,"mid":`...), mid)
	}
	return string(b)
}

// Extend adds members to an event; a binary one begins with the length of its envelope.
func Extend(isBinary bool, event []byte, more string) []byte {
	b := make([]byte, 0, len(event)+len(more))
	if !isBinary {
		b = append(append(b, event[:len(event)-1]...), more...)
		return append(b, '}')
	}
	n := int(binary.BigEndian.Uint16(event))
	b = binary.BigEndian.AppendUint16(b, uint16(n+len(more)))
	b = append(append(b, event[2:n+1]...), more...)
	return append(b, event[n+1:]...)
}

// Extends reports whether a binary event may be extended by n bytes, and then said to be a
// replay.
func Extends(event []byte, n int) bool {
	return int(binary.BigEndian.Uint16(event))+n+len(`,"replayed":true`) <= math.MaxUint16
}

// appendJSON appends what is known to have a JSON form.
func appendJSON(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return append(b, text...)
}

// RetryReason adds to the reason of a close when to come back. A reason that is too long
// for that is cut (RFC 6455 §5.5.1).
func RetryReason(reason string, from, to time.Duration) string {
	hint := " retry=" + ms(from) + "-" + ms(to)
	const most = 123 // bytes
	if over := len(reason) + len(hint) - most; over > 0 {
		reason = strings.ToValidUTF8(reason[:len(reason)-over], "")
	}
	return reason + hint
}

func ms(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
