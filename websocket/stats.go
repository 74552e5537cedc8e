package websocket

import (
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Duration is a time.Duration whose JSON form is whole seconds: "62s".
type Duration time.Duration

// MarshalJSON writes whole seconds: "62s".
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads what time.ParseDuration reads.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	v, err := time.ParseDuration(text)
	*d = Duration(v)
	return err
}

func (d Duration) String() string {
	return fmt.Sprintf("%ds", int64(math.Floor(time.Duration(d).Seconds())))
}

// Stats is a snapshot of a server's counters. Counts are since the server was
// made, unless they say "now".
type Stats struct {
	Connections      int64    `json:"connections"` // now
	TotalConnections int64    `json:"totalConnections"`
	MessagesSent     int64    `json:"messagesSent"` // wholly handed to the system
	MessagesReceived int64    `json:"messagesReceived"`
	Rooms            int64    `json:"rooms"` // now
	Uptime           Duration `json:"uptime"`
	BytesReceived    int64    `json:"bytesReceived"` // on the wire, frames included, handshakes not
	BytesSent        int64    `json:"bytesSent"`     // on the wire, frames included
	Errors           int64    `json:"errors"`
	// Reconnections counts upgrades that say they are not the client's first:
	// a "reconnect" parameter in the URL, other than "0".
	Reconnections int64 `json:"reconnections"`

	PeakConnections int64                `json:"peakConnections"`
	Rejected        map[string]int64     `json:"rejected"`      // upgrades refused, by reason
	Dropped         int64                `json:"dropped"`       // messages not sent: queue full or volatile, or unclaimed
	SlowConsumers   int64                `json:"slowConsumers"` // sockets closed with 1013
	QueuedBytes     int64                `json:"queuedBytes"`   // now
	Closes          map[StatusCode]int64 `json:"closes"`        // by code
	Forced          int64                `json:"forced"`        // sockets cut at the deadline of Shutdown
}

// counters is what Stats is made of.
type counters struct {
	total, peak, sent, received          atomic.Int64
	bytesReceived, bytesSent             atomic.Int64
	errors, reconnections, dropped, slow atomic.Int64
	forced                               atomic.Int64

	mu       sync.Mutex // guards the fields below
	rejected map[string]int64
	closes   map[StatusCode]int64
}

func (c *counters) reject(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rejected == nil {
		c.rejected = make(map[string]int64)
	}
	c.rejected[reason]++
}

func (c *counters) closed(code StatusCode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closes == nil {
		c.closes = make(map[StatusCode]int64)
	}
	c.closes[code]++
}

func clone[K comparable](m map[K]int64) map[K]int64 {
	out := make(map[K]int64, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// Stats returns a snapshot of the counters.
func (srv *Server) Stats() Stats {
	c := &srv.stats
	sockets := srv.Sockets()
	var queued int64
	for _, s := range sockets {
		s.mu.Lock()
		queued += int64(s.bufferedLocked())
		s.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{
		Connections:      int64(len(sockets)),
		TotalConnections: c.total.Load(),
		MessagesSent:     c.sent.Load(),
		MessagesReceived: c.received.Load(),
		Rooms:            srv.hub.Count(),
		Uptime:           Duration(time.Since(srv.started)),
		BytesReceived:    c.bytesReceived.Load(),
		BytesSent:        c.bytesSent.Load(),
		Errors:           c.errors.Load(),
		Reconnections:    c.reconnections.Load(),
		PeakConnections:  c.peak.Load(),
		Rejected:         clone(c.rejected),
		Dropped:          c.dropped.Load(),
		SlowConsumers:    c.slow.Load(),
		QueuedBytes:      queued,
		Closes:           clone(c.closes),
		Forced:           c.forced.Load(),
	}
}
