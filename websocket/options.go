package websocket

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// Options configures a Server. The zero value is safe and complete; each field
// says what its zero means. A negative duration turns that timer off.
type Options struct {
	MaxConnections      int // sockets at once, refused with 503; 0: no limit
	MaxConnectionsPerIP int // sockets at once from one address, or IPv6 network of 64 bits, refused with 429; 0: no limit

	// Of what is limited for each user, and for sockets that have none yet; see Socket.SetUser.
	MaxConnectionsPerUser int           // sockets at once of one user; 0: no limit
	MaxAnonymous          int           // sockets and upgrades at once without a user, refused with 503; 0: no limit
	AuthTimeout           time.Duration // time after the 101 to have a user, then 4401; 0: no limit

	MaxMessageSize    int64 // bytes of one message over all fragments, after decompression; 0: 1 MiB
	MaxRooms          int   // rooms that exist at once; 0: no limit
	MaxRoomsPerSocket int   // 0: 100

	PingInterval     time.Duration // quiet time before a ping, ±20 %; 0: 25 s
	PongTimeout      time.Duration // time for anything to arrive after a ping; 0: 10 s
	HandshakeTimeout time.Duration // time for the 101 to be written, and for Dial; 0: 5 s
	WriteTimeout     time.Duration // time a peer may take no bytes while some wait; 0: 10 s
	CloseTimeout     time.Duration // wait for the peer's half of the close handshake, and a client's for what came before a write failed; 0: 5 s
	// DrainWindow is the time over which Shutdown spreads its closes.
	// 0: 10 ms for each socket, at most 10 s.
	DrainWindow time.Duration

	// AllowOrigins lists the origins that browsers may connect from besides the
	// same origin: "https://a.example", "https://*.a.example", "*" for all. Empty:
	// the same origin alone. "*" does not include "null", which any page can be.
	AllowOrigins []string
	// TrustOrigin reports whether browsers may connect from an origin that is not listed,
	// as the domain of a tenant; it is not asked about "null"; nil: from none.
	TrustOrigin func(r *http.Request, origin string) bool
	// VerifyClient refuses an upgrade by returning an error: a *HandshakeError
	// with its own status, any other with 403; nil: none is refused.
	VerifyClient func(*http.Request) error
	Protocols    []string // subprotocols, in order of preference (RFC 6455 §1.9), after Protocol

	// Resume has the sessions of clients of nextrush.v1 outlive their connections. Zero: they
	// do not.
	Resume Resume

	// ReconnectRate is how many clients a second the server can take that all connect
	// again, after a crash or a deploy: those of nextrush.v1 spread over as long, between
	// 1 s and 60 s, and Retry-After of a refusal says it. 0: 500
	ReconnectRate int

	// Broker joins the server with others: rooms, and what is sent to them, span all servers
	// with a broker of the same engine. Shutdown or Close ends it. nil: there is one server.
	Broker Broker
	// OnGap is told of messages of other nodes that did not arrive, in a goroutine of its
	// own; nil: the log is. Stats counts them.
	OnGap func(NodeGap)

	Rooms Rooms // history of rooms; see RoomOptions
	// RingBytes is how many bytes all rooms of Rooms may take together, with their names,
	// their users, and what was compressed for replays. Over it, the room that was used least
	// lately loses that, and then its history. 0: 256 MiB
	RingBytes int64

	Compression Compression
	// SendQueue is how many bytes may wait in one socket's queue; 0: 1 MiB. A message that is
	// larger is taken if nothing waits, and does not count once its write has begun. If a
	// connection is not polled, nothing counts whose write has begun.
	SendQueue    int
	SlowConsumer SlowConsumer
	RateLimit    RateLimit
	// UserRateLimit bounds what all sockets of a user may send us together. The one that is
	// over it is closed with 1008. Zero: no limit.
	UserRateLimit RateLimit

	// DisablePolling has a goroutine wait in the Read of each connection. Otherwise, on
	// Linux, TCP and Unix sockets are polled, and have none while nothing arrives.
	DisablePolling bool

	OnConnection func(*Socket)                     // runs before the handler of each socket
	OnDisconnect func(*Socket, StatusCode, string) // runs when a socket has ended, after its OnClose
	OnError      func(*Socket, error)              // is told of failures, after the socket's OnError
	Logger       *slog.Logger                      // nil: slog.Default()
	// Debug logs connections, messages and errors, at level Info if the Logger does
	// not take level Debug, and overwrites borrowed buffers after use.
	Debug bool

	// TimeEvents takes the time of each event's handlers, for Stats. It costs two readings of
	// the clock for an event.
	TimeEvents bool

	// Validate checks the payload of a typed event; nil: no check.
	Validate func(v any) error
	// ClientIP gives the client's address behind trusted proxies; nil: the
	// host of the request's RemoteAddr.
	ClientIP func(*http.Request) string
	// SameOrigin gives the origin a request was sent to, "https://a.example";
	// nil: derived from the request's TLS state and Host.
	SameOrigin func(*http.Request) string
}

// Compression configures permessage-deflate (RFC 7692).
type Compression struct {
	Enabled         bool
	ContextTakeover bool // keep the window between messages: smaller messages, 10 to 50 times the memory
	Level           int  // 1 (fastest) to 9; 0: 1
	Threshold       int  // bytes; smaller messages are sent as they are; 0: 512
}

// SlowConsumer says what happens to a message that does not fit in the send
// queue of a socket.
type SlowConsumer uint8

const (
	CloseSlow  SlowConsumer = iota // close the socket with 1013 "slow consumer"
	DropNewest                     // drop the message
	// DropOldest drops the messages that have waited longest. With context
	// takeover it is DropNewest, for later messages may refer to earlier ones.
	DropOldest
)

// RateLimit bounds what one socket may send us, pings and pongs among it, as token
// buckets. A peer over it is closed with 1008.
type RateLimit struct {
	Messages int // a second; 0: no limit
	Bytes    int // of payload a second; 0: no limit
	Burst    int // messages at once; 0: one second's worth
}

func (l RateLimit) negative() bool { return l.Messages < 0 || l.Bytes < 0 || l.Burst < 0 }

const (
	defaultMaxMessage   = 1 << 20
	defaultRooms        = 100
	defaultPingInterval = 25 * time.Second
	defaultPongTimeout  = 10 * time.Second
	defaultHandshake    = 5 * time.Second
	defaultWrite        = 10 * time.Second
	defaultClose        = 5 * time.Second
	defaultThreshold    = 512
	defaultRingBytes    = 256 << 20
	defaultSendQueue    = 1 << 20
	defaultReconnect    = 500
	defaultParkBytes    = 256 << 10
)

// withDefaults fills zero fields and reports the first mistake.
func (o Options) withDefaults() (Options, error) {
	o.MaxMessageSize = cmp.Or(o.MaxMessageSize, defaultMaxMessage)
	o.MaxRoomsPerSocket = cmp.Or(o.MaxRoomsPerSocket, defaultRooms)
	o.SendQueue = cmp.Or(o.SendQueue, defaultSendQueue)
	o.RingBytes = cmp.Or(o.RingBytes, defaultRingBytes)
	o.ReconnectRate = cmp.Or(o.ReconnectRate, defaultReconnect)
	o.Resume.Bytes = cmp.Or(o.Resume.Bytes, defaultParkBytes)
	o.Compression.Level = cmp.Or(o.Compression.Level, 1)
	o.Compression.Threshold = cmp.Or(o.Compression.Threshold, defaultThreshold)
	o.PingInterval = cmp.Or(o.PingInterval, defaultPingInterval)
	o.PongTimeout = cmp.Or(o.PongTimeout, defaultPongTimeout)
	o.HandshakeTimeout = cmp.Or(o.HandshakeTimeout, defaultHandshake)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, defaultWrite)
	o.CloseTimeout = cmp.Or(o.CloseTimeout, defaultClose)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o, o.check()
}

func (o *Options) check() error {
	switch {
	case o.MaxMessageSize < 0 || o.SendQueue < 0 || o.MaxRoomsPerSocket < 0:
		return fmt.Errorf("websocket: MaxMessageSize, SendQueue and MaxRoomsPerSocket must not be negative")
	case o.RingBytes < 0:
		return fmt.Errorf("websocket: RingBytes must not be negative")
	case o.Resume.Bytes < 0:
		return fmt.Errorf("websocket: Resume.Bytes must not be negative")
	case o.ReconnectRate < 0:
		return fmt.Errorf("websocket: ReconnectRate is %d, use clients a second", o.ReconnectRate)
	case o.Compression.Level < 1 || o.Compression.Level > 9:
		return fmt.Errorf("websocket: Compression.Level is %d, use 1 to 9", o.Compression.Level)
	case o.SlowConsumer > DropOldest:
		return fmt.Errorf("websocket: SlowConsumer is %d, use CloseSlow, DropNewest or DropOldest", o.SlowConsumer)
	case o.RateLimit.negative() || o.UserRateLimit.negative():
		return fmt.Errorf("websocket: RateLimit and UserRateLimit must not be negative")
	case o.MaxConnectionsPerUser < 0 || o.MaxAnonymous < 0:
		return fmt.Errorf("websocket: MaxConnectionsPerUser and MaxAnonymous must not be negative")
	}
	return nil
}
