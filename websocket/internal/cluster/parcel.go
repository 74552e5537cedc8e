package cluster

import (
	"encoding/binary"
	"errors"
	"strings"

	"github.com/nextrush/nextrush/websocket/broker"
)

// Kind says what a parcel is for.
type Kind uint8

const (
	Message  Kind = 1 + iota // sent to sockets
	Join                     // puts sockets into rooms
	Leave                    // takes them out
	Close                    // closes them
	Presence                 // says who is in a room
	Moved                    // ends sessions whose clients have begun anew elsewhere
	Call                     // asks nodes for something
	Answer                   // answers a Call
	Announce                 // says that a node is there
	Goodbye                  // says that it goes
	Recall                   // asks a node for what it has announced
	kinds
)

// control reports whether a parcel of this kind makes a node do more than send.
func (k Kind) control() bool { return k != Message }

// numbered reports whether one of this kind that is lost is counted. The next Announce or
// Recall is as good as one that is.
func (k Kind) numbered() bool { return k != Announce && k != Recall }

// Parcel is what one node says to others: which sockets it is about, and what is to be
// done with them.
type Parcel struct {
	Kind Kind
	From broker.NodeID // when it has arrived

	// The sockets: those in Room or Targets, or with these IDs, or of these users, or all.
	Namespace   string
	Every       bool     // in all namespaces
	Room        string   // to the nodes that have somebody in it
	Targets     []string // to all nodes
	IDs         [][16]byte
	Users       []string
	Except      [][16]byte
	ExceptRooms []string

	// Of a Message.
	Text     []byte   // the payload; or
	Bytes    []byte   // that of a binary message; both: an event, for peers that take bytes and others
	Key      string   // of Coalesce
	Mid      string   // of an event to several rooms that keep it
	Before   []string // those that come before Room: who has no positions gets their copy
	Volatile bool     // of the envelope

	// Of a Message to a room that keeps it.
	Keep broker.Retention
	At   broker.Position // when it has arrived, with
	Came *broker.Envelope

	// Of Join, Leave and Close.
	Rooms  []string
	Code   uint16
	Reason string

	// Of Call, Answer, Presence and Moved.
	Call uint64 // which call
	Op   string // what is asked for
	Data []byte // of Moved: the SHA-256 of the secret of the session
	Last bool   // no more answers will come of this node

	Going bool // From has said goodbye; of Presence that has arrived

	// Of Announce.
	Sockets  int64
	Tops     []Top
	Begun    uint64 // the last generation of a stream; 0: it is not known
	Clock    uint64 // when it was made, in milliseconds by the clock of From, at least 1
	Previous uint64 // the Clock of the one before

	// Of Recall.
	Since uint64 // the Clock of the last announcement that has come before some were lost
}

// Top is the last number in a stream that has become quiet.
type Top struct{ Stream, Seq uint64 }

// The fields of a parcel, each of which is a number, the length of its value, and the
// value. Those that a node does not know it leaves out.
const (
	fieldNamespace = 1 + iota
	fieldEvery
	fieldID
	fieldUser
	fieldExcept
	fieldExceptRoom
	fieldText
	fieldBytes
	fieldKey
	fieldRoom
	fieldCode
	fieldReason
	fieldCall
	fieldOp
	fieldData
	fieldLast
	fieldSockets
	fieldTop
	fieldTarget
	fieldMid
	fieldBefore
	fieldBegun
	fieldClock
	fieldPrevious
	fieldSince
)

// Append appends the parcel as the body of an envelope.
func (p *Parcel) Append(b []byte) []byte {
	w := writer{append(b, byte(p.Kind))}
	if p.Room == "" {
		w.text(fieldNamespace, p.Namespace)
		w.flag(fieldEvery, p.Every)
	}
	w.texts(fieldTarget, p.Targets)
	w.ids(fieldID, p.IDs)
	w.texts(fieldUser, p.Users)
	w.ids(fieldExcept, p.Except)
	w.texts(fieldExceptRoom, p.ExceptRooms)
	w.payload(fieldText, p.Text)
	w.payload(fieldBytes, p.Bytes)
	w.text(fieldKey, p.Key)
	w.text(fieldMid, p.Mid)
	w.texts(fieldBefore, p.Before)
	w.texts(fieldRoom, p.Rooms)
	w.number(fieldCode, uint64(p.Code))
	w.text(fieldReason, p.Reason)
	w.number(fieldCall, p.Call)
	w.text(fieldOp, p.Op)
	w.payload(fieldData, p.Data)
	w.flag(fieldLast, p.Last)
	w.number(fieldSockets, uint64(p.Sockets))
	w.number(fieldBegun, p.Begun)
	w.number(fieldClock, p.Clock)
	w.number(fieldPrevious, p.Previous)
	w.number(fieldSince, p.Since)
	for _, t := range p.Tops {
		w.b = binary.AppendUvarint(append(w.b, fieldTop), 16)
		w.b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(w.b, t.Stream), t.Seq)
	}
	return w.b
}

// size is about how many bytes the parcel takes, and not less than Append appends.
func (p *Parcel) size() int {
	n := 128 + len(p.Namespace) + len(p.Room) + len(p.Text) + len(p.Bytes) + len(p.Key) + len(p.Mid) + len(p.Reason) + len(p.Op) + len(p.Data)
	n += 18 * (len(p.IDs) + len(p.Except) + len(p.Tops))
	for _, list := range [][]string{p.Users, p.Targets, p.Before, p.ExceptRooms, p.Rooms} {
		for _, s := range list {
			n += len(s) + 4
		}
	}
	return n
}

type writer struct{ b []byte }

// payload writes bytes that are there, which may be none.
func (w *writer) payload(field byte, v []byte) {
	if v != nil {
		w.b = binary.AppendUvarint(append(w.b, field), uint64(len(v)))
		w.b = append(w.b, v...)
	}
}

func (w *writer) text(field byte, v string) {
	if v != "" {
		w.b = binary.AppendUvarint(append(w.b, field), uint64(len(v)))
		w.b = append(w.b, v...)
	}
}

func (w *writer) texts(field byte, list []string) {
	for _, v := range list {
		w.text(field, v)
	}
}

func (w *writer) ids(field byte, list [][16]byte) {
	for _, id := range list {
		w.payload(field, id[:])
	}
}

func (w *writer) flag(field byte, v bool) {
	if v {
		w.b = append(w.b, field, 0)
	}
}

func (w *writer) number(field byte, v uint64) {
	if v != 0 {
		w.payload(field, binary.AppendUvarint(nil, v))
	}
}

var errParcel = errors.New("cluster: not a parcel")

// Parse reads a body. The parcel's bytes are parts of b.
func Parse(b []byte) (p Parcel, err error) {
	if len(b) == 0 || b[0] == 0 || Kind(b[0]) >= kinds {
		return p, errParcel
	}
	p.Kind = Kind(b[0])
	for b = b[1:]; len(b) > 0; {
		field, n := binary.Uvarint(b)
		if n <= 0 {
			return p, errParcel
		}
		size, m := binary.Uvarint(b[n:])
		if m <= 0 || size > uint64(len(b)-n-m) {
			return p, errParcel
		}
		v := b[n+m:][:size:size]
		if !p.set(field, v) {
			return p, errParcel
		}
		b = b[n+m+len(v):]
	}
	return p, nil
}

// set reports false for a value that the field cannot have.
func (p *Parcel) set(field uint64, v []byte) (ok bool) {
	ok = true
	switch field {
	case fieldNamespace:
		p.Namespace = string(v)
	case fieldEvery:
		p.Every = true
	case fieldID:
		p.IDs, ok = appendID(p.IDs, v)
	case fieldUser:
		p.Users = append(p.Users, string(v))
	case fieldExcept:
		p.Except, ok = appendID(p.Except, v)
	case fieldExceptRoom:
		p.ExceptRooms = append(p.ExceptRooms, string(v))
	case fieldText:
		p.Text = v
	case fieldBytes:
		p.Bytes = v
	case fieldKey:
		p.Key = string(v)
	default:
		return p.setMore(field, v)
	}
	return ok
}

func (p *Parcel) setMore(field uint64, v []byte) (ok bool) {
	ok = true
	switch field {
	case fieldMid:
		p.Mid = string(v)
	case fieldBefore:
		p.Before = append(p.Before, string(v))
	case fieldTarget:
		p.Targets = append(p.Targets, string(v))
	case fieldRoom:
		p.Rooms = append(p.Rooms, string(v))
	case fieldCode:
		var code uint64
		code, ok = number(v)
		p.Code = uint16(code)
	case fieldReason:
		p.Reason = string(v)
	case fieldCall:
		p.Call, ok = number(v)
	case fieldOp:
		p.Op = string(v)
	case fieldData:
		p.Data = v
	case fieldLast:
		p.Last = true
	case fieldSockets:
		var sockets uint64
		sockets, ok = number(v)
		p.Sockets = int64(sockets)
	case fieldBegun:
		p.Begun, ok = number(v)
	case fieldClock:
		p.Clock, ok = number(v)
	case fieldPrevious:
		p.Previous, ok = number(v)
	case fieldSince:
		p.Since, ok = number(v)
	case fieldTop:
		if ok = len(v) == 16; ok {
			p.Tops = append(p.Tops, Top{binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:])})
		}
	}
	return ok
}

func appendID(list [][16]byte, v []byte) ([][16]byte, bool) {
	if len(v) != 16 {
		return list, false
	}
	return append(list, [16]byte(v)), true
}

func number(v []byte) (uint64, bool) {
	n, size := binary.Uvarint(v)
	return n, size == len(v) && size > 0
}

// RoomKey is the name that a room of a namespace has among nodes.
func RoomKey(namespace, room string) string {
	if len(namespace) < 0x80 { // one byte, as it mostly is
		return string(rune(len(namespace))) + namespace + room
	}
	return string(binary.AppendUvarint(nil, uint64(len(namespace)))) + namespace + room
}

// splitKey is the opposite of RoomKey.
func splitKey(key string) (namespace, room string, ok bool) {
	n, size := binary.Uvarint([]byte(key[:min(len(key), binary.MaxVarintLen64)]))
	if size <= 0 || n > uint64(len(key)-size) {
		return "", "", false
	}
	return strings.Clone(key[size:][:n]), strings.Clone(key[size+int(n):]), true
}
