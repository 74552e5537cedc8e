package websocket

import (
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

// routeCounts sums up what the handlers of one route have counted.
type routeCounts struct {
	RouteStats
	inline, workers tally.Counts
	events          map[string]*tally.Counts
}

func (c *routeCounts) add(r *pace.Route) {
	c.Connections += r.Connections.Load()
	c.TotalConnections += r.Total.Load()
	c.HandedOver += r.HandedOver.Load()
	c.inline.Add(&r.Inline)
	c.workers.Add(&r.Workers)
	r.Events(func(name string, h *tally.Histogram) {
		if c.events[name] == nil {
			c.events[name] = new(tally.Counts)
		}
		c.events[name].Add(h)
	})
}

func (c *routeCounts) stats() RouteStats {
	s := c.RouteStats
	s.Inline, s.Workers, s.Events = newTimes(c.inline), newTimes(c.workers), make(map[string]Times, len(c.events))
	for name, counts := range c.events {
		s.Events[name] = newTimes(*counts)
	}
	return s
}

// routeStats are those of all routes that have had a socket, by name.
func (srv *Server) routeStats() map[string]RouteStats {
	counts := make(map[string]*routeCounts)
	srv.paces.Range(func(_, v any) bool {
		r := &v.(*pace.Pace).Route
		if counts[r.Name] == nil {
			counts[r.Name] = &routeCounts{events: make(map[string]*tally.Counts)}
		}
		counts[r.Name].add(r)
		return true
	})
	stats := make(map[string]RouteStats, len(counts))
	for name, c := range counts {
		stats[name] = c.stats()
	}
	return stats
}

// handlerOf is a handler on a route; closures share their code.
type handlerOf struct {
	code    uintptr
	pattern string
}

// paceOf is the pace of all handlers with the code of f on one pattern of net/http's.
func (srv *Server) paceOf(f func(*Socket) error, pattern string) *pace.Pace {
	key := handlerOf{reflect.ValueOf(f).Pointer(), pattern}
	p, ok := srv.paces.Load(key)
	if !ok {
		name := strings.TrimPrefix(pattern, "GET ")
		if name == "" {
			name = otherRoute
		}
		p, _ = srv.paces.LoadOrStore(key, pace.New(name))
	}
	return p.(*pace.Pace)
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
