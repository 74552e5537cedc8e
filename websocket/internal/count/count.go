// Package count keeps what a server tells in its statistics: of all its sockets together, and
// of upgrades.
package count

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/nextrush/nextrush/websocket/internal/conn"
)

// Counts are those of a server. The zero value has counted nothing. Its methods are safe
// from any goroutine.
type Counts struct {
	conn.Counters
	Total, Peak   atomic.Int64 // sockets
	Reconnections atomic.Int64
	Forced        atomic.Int64 // sockets cut at the deadline of a shutdown

	mu       sync.Mutex // guards the fields below
	rejected map[string]int64
	closed   map[Close]int64
}

// Close is how sockets have ended, and who began it: "us", "peer" or "network".
type Close struct {
	By   string
	Code uint16
}

// Reject counts an upgrade that was refused.
func (c *Counts) Reject(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rejected == nil {
		c.rejected = make(map[string]int64)
	}
	c.rejected[reason]++
}

// Ended counts a socket that has ended.
func (c *Counts) Ended(e conn.End) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed == nil {
		c.closed = make(map[Close]int64)
	}
	c.closed[Close{closer(e), e.Code}]++
}

func closer(e conn.End) string {
	switch {
	case e.Remote:
		return "peer"
	case e.Code == abnormal && !e.Cut:
		return "network"
	}
	return "us"
}

const abnormal = 1006 // RFC 6455 §7.4.1

// Rejected is the upgrades that were refused, by reason.
func (c *Counts) Rejected() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	rejected := maps.Clone(c.rejected)
	if rejected == nil {
		rejected = make(map[string]int64)
	}
	return rejected
}

// Closed is how many sockets have ended how.
func (c *Counts) Closed() map[Close]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.closed)
}

// Dropped counts dropped messages by what has decided so, and all but those that were lost
// with their socket.
func (c *Counts) Dropped() (by map[string]int64, dropped int64) {
	d := &c.Drops
	by = map[string]int64{
		"volatile":  d.Volatile.Load(),
		"coalesced": d.Coalesced.Load(),
		"newest":    d.Newest.Load(),
		"oldest":    d.Oldest.Load(),
		"unclaimed": d.Unclaimed.Load(),
	}
	for _, n := range by {
		dropped += n
	}
	by["closed"] = d.Closed.Load()
	return by, dropped
}
