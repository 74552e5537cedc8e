package websocket

import (
	"cmp"
	"reflect"
	"strings"
	"time"

	"github.com/nextrush/nextrush/internal/pace"
	"github.com/nextrush/nextrush/internal/tally"
	"github.com/nextrush/nextrush/websocket/internal/conn"
)

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
