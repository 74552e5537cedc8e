package websocket

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/nextrush/nextrush/internal/pace"
	"github.com/nextrush/nextrush/internal/tally"
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

	Parked  int64 `json:"parked"`  // sockets that wait for their client to come back, now; Connections has them
	Resumed int64 `json:"resumed"` // times that one has

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

	Cluster *ClusterStats `json:"cluster,omitempty"` // nil: there is no Broker
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
	drops, dropped := c.Dropped()
	closes, closedBy := srv.closes()
	var rtt tally.Counts
	rtt.Add(&c.RTT)
	return Stats{
		Connections:      int64(len(sockets)),
		TotalConnections: c.Total.Load(),
		MessagesSent:     sent + srv.main.conns.Messages.Sent.Load(),
		MessagesReceived: received + srv.main.conns.Messages.Received.Load(),
		Rooms:            srv.limits.Rooms(),
		Uptime:           Duration(time.Since(srv.started)),
		BytesReceived:    c.BytesReceived.Load(),
		BytesSent:        c.BytesSent.Load(),
		Errors:           c.Errors.Load(),
		Reconnections:    c.Reconnections.Load(),
		Parked:           c.Parked.Load(),
		Resumed:          c.Resumed.Load(),
		PeakConnections:  c.Peak.Load(),
		Rejected:         c.Rejected(),
		Dropped:          dropped,
		Drops:            drops,
		SlowConsumers:    c.Slow.Load(),
		QueuedBytes:      queued,
		Closes:           closes,
		ClosedBy:         closedBy,
		RTT:              newTimes(rtt),
		Routes:           srv.routeStats(),
		Forced:           c.Forced.Load(),
		Cluster:          srv.clusterStats(),
	}
}

// closes are those of all sockets by code, and by who began them and by code.
func (srv *Server) closes() (byCode map[StatusCode]int64, by map[string]map[StatusCode]int64) {
	byCode, by = make(map[StatusCode]int64), make(map[string]map[StatusCode]int64)
	for c, n := range srv.stats.Closed() {
		code := StatusCode(c.Code)
		byCode[code] += n
		if by[c.By] == nil {
			by[c.By] = make(map[StatusCode]int64)
		}
		by[c.By][code] = n
	}
	return byCode, by
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
