package websocket

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/internal/pace"
	"github.com/nextrush/nextrush/internal/tally"
	"github.com/nextrush/nextrush/websocket/internal/conn"
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
//
// Drops has the messages that were not sent because of "volatile" or "coalesced", ways
// of sending to slow sockets; of "newest" or "oldest", policies for a full queue; or of
// "closed": they waited when their socket ended. "unclaimed" were received, and nobody
// came to take them.
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
	Dropped         int64                `json:"dropped"`       // messages in Drops but those of "closed"
	Drops           map[string]int64     `json:"drops"`         // messages not sent or not taken; see below
	SlowConsumers   int64                `json:"slowConsumers"` // sockets closed with 1013
	QueuedBytes     int64                `json:"queuedBytes"`   // now
	Closes          map[StatusCode]int64 `json:"closes"`        // by code
	// ClosedBy has the closes by who began them, "us", "peer" or "network", and by code.
	ClosedBy map[string]map[StatusCode]int64 `json:"closedBy"`
	Forced   int64                           `json:"forced"` // sockets cut at the deadline of Shutdown

	RTT Times `json:"rtt"` // between a ping of the heartbeat and its pong
	// Routes have what is counted for each, by the pattern that it was registered with, never
	// by the path of a request: those of an App, or of http.ServeMux; "other" for other
	// routers.
	Routes map[string]RouteStats `json:"routes"`
}

// counters is what Stats is made of.
type counters struct {
	conn.Counters
	total, peak, reconnections, forced atomic.Int64

	mu       sync.Mutex // guards the fields below
	rejected map[string]int64
	closes   map[StatusCode]int64
	closedBy map[string]map[StatusCode]int64
}

func (c *counters) reject(reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rejected[reason]++
}

func (c *counters) closed(e conn.End) {
	c.mu.Lock()
	defer c.mu.Unlock()
	code, by := StatusCode(e.Code), closer(e)
	c.closes[code]++
	if c.closedBy[by] == nil {
		c.closedBy[by] = make(map[StatusCode]int64)
	}
	c.closedBy[by][code]++
}

func (c *counters) closedByLocked() map[string]map[StatusCode]int64 {
	all := maps.Clone(c.closedBy)
	for by, closes := range all {
		all[by] = maps.Clone(closes)
	}
	return all
}

// Stats returns a snapshot of the counters.
func (srv *Server) Stats() Stats {
	c := &srv.stats
	sockets := srv.everyone()
	sent, received := srv.spaces.Counted()
	var queued int64
	for _, s := range sockets {
		queued += int64(s.conn.Queued())
	}
	drops, dropped := c.drops()
	var rtt tally.Counts
	rtt.Add(&c.RTT)
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{
		Connections:      int64(len(sockets)),
		TotalConnections: c.total.Load(),
		MessagesSent:     sent + srv.main.conns.Messages.Sent.Load(),
		MessagesReceived: received + srv.main.conns.Messages.Received.Load(),
		Rooms:            srv.limits.Rooms(),
		Uptime:           Duration(time.Since(srv.started)),
		BytesReceived:    c.BytesReceived.Load(),
		BytesSent:        c.BytesSent.Load(),
		Errors:           c.Errors.Load(),
		Reconnections:    c.reconnections.Load(),
		PeakConnections:  c.peak.Load(),
		Rejected:         maps.Clone(c.rejected),
		Dropped:          dropped,
		Drops:            drops,
		SlowConsumers:    c.Slow.Load(),
		QueuedBytes:      queued,
		Closes:           maps.Clone(c.closes),
		ClosedBy:         c.closedByLocked(),
		RTT:              newTimes(rtt),
		Routes:           srv.routeStats(),
		Forced:           c.forced.Load(),
	}
}

// drops counts dropped messages by what has decided so, and all but those that were lost
// with their socket.
func (c *counters) drops() (by map[string]int64, dropped int64) {
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

// otherRoute has the sockets of routers that do not say which of their patterns matched.
const otherRoute = "other"

// RouteStats is what the sockets of one route count.
type RouteStats struct {
	Connections      int64 `json:"connections"` // now
	TotalConnections int64 `json:"totalConnections"`
	// Inline and Workers are runs: reading what has arrived for a socket, and its
	// callbacks for that. A run is inline in the goroutine that polls, where those of a
	// route are that have shown to be quick; the others are in workers.
	Inline  Times `json:"inline"`
	Workers Times `json:"workers"`
	// HandedOver counts inline runs so slow that another goroutine has taken over the
	// polling.
	HandedOver int64 `json:"handedOver"`
	// Events are the handlers of On, Once and Handle, by event: with Options.TimeEvents
	// those that have run. Those beyond 256 count as "other".
	Events map[string]Times `json:"events"`
}

// Times are how long things have taken.
type Times struct {
	Count   int64    `json:"count"`
	Sum     float64  `json:"sum"` // seconds
	P50     float64  `json:"p50"` // seconds that half of them have not exceeded: an estimate, as P99 is
	P99     float64  `json:"p99"`
	Buckets []Bucket `json:"buckets"` // those that have any, rising
}

// Bucket counts what took longer than the one before ends, and at most LE.
type Bucket struct {
	LE    float64 `json:"le"` // seconds: four steps from 1 to 2 µs, from 2 to 4 µs, and so on; the last, 21 s, has all that took longer, too
	Count int64   `json:"count"`
}

func newTimes(c tally.Counts) Times {
	t := Times{Count: c.Count(), Sum: c.Sum.Seconds(), P50: c.Quantile(0.5).Seconds(), P99: c.Quantile(0.99).Seconds(), Buckets: []Bucket{}}
	for i, n := range c.In {
		if n > 0 {
			t.Buckets = append(t.Buckets, Bucket{tally.Bound(i).Seconds(), n})
		}
	}
	return t
}

// routeStats are those of all routes that have had a socket, by name.
func (srv *Server) routeStats() map[string]RouteStats {
	stats := make(map[string]RouteStats)
	for name, c := range srv.paces.Counts() {
		stats[name] = newRouteStats(c)
	}
	return stats
}

func newRouteStats(c *pace.Counts) RouteStats {
	s := RouteStats{
		Connections: c.Connections, TotalConnections: c.Total, HandedOver: c.HandedOver,
		Inline: newTimes(c.Inline), Workers: newTimes(c.Workers), Events: make(map[string]Times, len(c.Events)),
	}
	for name, counts := range c.Events {
		s.Events[name] = newTimes(*counts)
	}
	return s
}

// paceOf is the pace of all handlers with the code of f on one pattern of net/http's.
func (srv *Server) paceOf(f func(*Socket) error, pattern string) *pace.Pace {
	return srv.paces.Of(reflect.ValueOf(f).Pointer(), cmp.Or(strings.TrimPrefix(pattern, "GET "), otherRoute))
}

// took takes the time of an event's handlers.
func (d *delivery) took(start time.Time) {
	if p := d.event.Socket.conn.Pace(); p != nil {
		p.Route.RanEvent(d.event.Name, time.Since(start))
	}
}

// closer tells who ended a socket: "us", "peer" or "network".
func closer(e conn.End) string {
	switch {
	case e.Remote:
		return "peer"
	case e.Code == uint16(StatusAbnormalClosure) && !e.Cut:
		return "network"
	}
	return "us"
}
