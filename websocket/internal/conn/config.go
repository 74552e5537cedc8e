package conn

import (
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/internal/tally"
	"github.com/nextrush/nextrush/websocket/internal/limit"
	"github.com/nextrush/nextrush/websocket/internal/pulse"
)

// Config is what connections of a server have in common. A duration that is
// negative means: never, or not at all.
type Config struct {
	Loop     *loop.Loop
	Wheel    *loop.Wheel[*Conn]
	Counters *Counters
	Messages *Messages
	Client   bool // we are the client
	Poll     bool // descriptors, where that is possible

	MaxMessage int64 // bytes, after decompression
	SendQueue  int   // bytes
	Slow       Policy
	Limit      limit.Rate

	PingInterval, PongTimeout time.Duration
	HandshakeTimeout          time.Duration // for the 101 to be written
	WriteTimeout              time.Duration
	CloseTimeout              time.Duration

	// Beat returns what Conn.Speak tells a peer, and what has been told then. It is called
	// under the connection's lock.
	Beat func(told uint8) (*Frame, uint8)
	// Retry is added to the reason of a close for sending too much, after Conn.Speak.
	Retry func() string

	Park      time.Duration                // for which Conn.Keep keeps a lost connection
	ParkBytes int                          // of messages that wait meanwhile, and of those that are kept besides
	Got       func(received uint64) []byte // the frame that tells the peer what has come, after Conn.Keep

	Level     int // of compression
	Threshold int // bytes of the smallest message that is compressed
}

// Messages counts messages, for those connections of a server that share it.
type Messages struct{ Sent, Received atomic.Int64 }

// Counters count for all connections of a server.
type Counters struct {
	BytesSent, BytesReceived atomic.Int64
	Errors, Slow             atomic.Int64
	Parked, Resumed          atomic.Int64 // now; in all
	Drops                    Drops
	RTT                      tally.Histogram
}

// Drops count messages that were not sent, or not taken, by what has decided so.
type Drops struct {
	Newest, Oldest      atomic.Int64 // policies for a full queue
	Volatile, Coalesced atomic.Int64 // manners of sending
	Closed              atomic.Int64 // messages that waited when the connection ended
	Unclaimed           atomic.Int64 // received, and there was no room to wait for a consumer
}

// by is the count of a policy.
func (d *Drops) by(p Policy) *atomic.Int64 {
	switch p {
	case DropNewest:
		return &d.Newest
	case DropOldest:
		return &d.Oldest
	}
	return &d.Closed
}

const never = pulse.Never

// pingEvery is the ping interval of a connection: ±20 %, fixed by its jitter.
func (cfg *Config) pingEvery(jitter byte) int64 {
	d := int64(cfg.PingInterval)
	if d < 0 {
		return 0
	}
	return d*4/5 + d*2/5*int64(jitter)/255
}
