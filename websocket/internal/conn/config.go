package conn

import (
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/internal/loop"
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
	Limit      Limit

	PingInterval, PongTimeout time.Duration
	HandshakeTimeout          time.Duration // for the 101 to be written
	WriteTimeout              time.Duration
	CloseTimeout              time.Duration

	Level     int // of compression
	Threshold int // bytes of the smallest message that is compressed
}

// Messages counts messages, for those connections of a server that share it.
type Messages struct{ Sent, Received atomic.Int64 }

// Counters count for all connections of a server.
type Counters struct {
	BytesSent, BytesReceived atomic.Int64
	Errors, Dropped, Slow    atomic.Int64
}
