package redial

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/history"
)

// Position is a place in the history of a room.
type Position = history.Position

// Options configures a Client. All are needed, but Token and Setup.
type Options struct {
	// Dial opens a connection, up to the 101. It is called in a goroutine of its own. An
	// answer that does not upgrade is a *Refused.
	Dial func(ctx context.Context, o *Offer) (Conn, error)
	// Token gives the credential of a try; ErrNoCredential: there is none, so that the
	// client closes. It is called in a goroutine of its own.
	Token func(ctx context.Context, why Why) (string, error)
	// Setup prepares a new session, before what waits is sent. It is called in a
	// goroutine of its own, and sends by first.
	Setup func(ctx context.Context, first Manner) error

	Base, Cap, First time.Duration // of the waits
	Stable           time.Duration // a connection that lasts as long was good
	ConnectTimeout   time.Duration // until the hello
	ProbeTimeout     time.Duration // to answer a ping
	RequestTimeout   time.Duration // from the call

	Messages, Bytes int // that wait
	Age             time.Duration

	Plain  bool // any WebSocket server: no hello, no resuming
	Clock  Clock
	Random func() float64 // from 0 to below 1
	App    App
}

// Clock is the time, and timers.
type Clock interface {
	Now() time.Time // of the wall: it jumps when the machine has slept
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// App is the program. Its methods are called in Work.
type App interface {
	State(State)
	Gap(Gap)
	Dropped(event string, why error)
	Failed(error)
	Message(Message)
	Event(*Event)
	Answer(*Event) (Body, *Refusal) // the server asks
	Presence(room string, c PresenceChange)
}

// Conn is a connection. Its methods never block, but for Receive.
type Conn interface {
	Protocol() string // agreed on
	Receive() (Message, *End)
	Send(Message)
	Buffered() int // bytes that wait to be written; if there are some, Offer.Drained follows
	Ping()         // asks for Offer.Alive
	Close(code int, reason string)
}

// Offer is what a connection begins with.
type Offer struct {
	Token   string // empty: none
	Resume  string // the entry of the offered subprotocols that asks for the session, or empty
	Alive   func() // tell that the server is alive, though it has sent no message
	Drained func() // tell that nothing waits any more
}

// Message is a message as it is on the wire.
type Message struct {
	Binary bool
	Data   []byte
}

// Body is the arguments of an event, encoded, and the bytes that follow them; nil: none.
type Body struct {
	Data  json.RawMessage
	Bytes []byte
}

// Event is an event from the server, or its reply.
type Event struct {
	Name     string
	Args     []json.RawMessage
	Bytes    []byte // of a binary one, after the arguments; nil: none
	Key      string
	At       time.Time // by the server's clock; zero: it has not said
	Room     string    // of its history; empty: none
	Offset   int64     // there
	Replayed bool
	Asks     bool // for an answer
}

// Gap tells that messages are missing: of a room, or, without one, of those to the
// session alone.
type Gap struct {
	Room     string
	From, To *Position // nil: unknown
	Why      string    // "expired", "overflow", "epoch" or "session"
}

// Manner is how something is sent.
type Manner struct {
	Volatile bool          // now or never
	Age      time.Duration // that it may wait; 0: Options.Age
	Timeout  time.Duration // of a request; 0: Options.RequestTimeout; negative: none
	Retry    bool          // a request is sent again when it is lost
	Key      string        // of a request; see docs/protocol.md
	setup    *session      // before all that waits, in that session alone
}
