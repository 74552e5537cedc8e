package metrics

import (
	"strconv"

	"github.com/nextrush/nextrush/websocket"
	"github.com/prometheus/client_golang/prometheus"
)

// Of the buckets that the engine has, every eighth one: a histogram for each route and
// event is many time series.
const firstBound, boundFactor, bounds = 1e-6, 4, 13 // 1 µs to 16.8 s

// vectors are metrics with several labels, whose values are set by the program: patterns
// of routes, and names of events that have a handler.
type vectors struct {
	closedBy, routeConnections, routeOpened, handedOver *prometheus.Desc
	runs, events, rtt                                   *prometheus.Desc
}

func newVectors(namespace string) vectors {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "websocket", name), help, labels, nil)
	}
	return vectors{
		closedBy:         desc("closes_by_total", "Sockets closed, by who began: us, peer or network.", "by", "code"),
		routeConnections: desc("route_connections", "Open sockets of a route.", "route"),
		routeOpened:      desc("route_connections_opened_total", "Sockets opened of a route.", "route"),
		handedOver:       desc("handed_over_total", "Inline runs so slow that another goroutine took over the polling.", "route"),
		runs:             desc("run_duration_seconds", "Time of runs: reading for a socket, and its callbacks; inline in the goroutine that polls, or in a worker.", "route", "where"),
		events:           desc("event_duration_seconds", "Time of an event's handlers, with Options.TimeEvents.", "route", "event"),
		rtt:              desc("round_trip_seconds", "Time between a ping and its pong."),
	}
}

func (v *vectors) describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{v.closedBy, v.routeConnections, v.routeOpened, v.handedOver, v.runs, v.events, v.rtt} {
		ch <- d
	}
}

func (v *vectors) collect(s websocket.Stats, ch chan<- prometheus.Metric) {
	for by, closes := range s.ClosedBy {
		for code, n := range closesByLabel(closes) {
			ch <- prometheus.MustNewConstMetric(v.closedBy, prometheus.CounterValue, float64(n), by, code)
		}
	}
	ch <- histogram(v.rtt, s.RTT)
	for route, r := range s.Routes {
		ch <- prometheus.MustNewConstMetric(v.routeConnections, prometheus.GaugeValue, float64(r.Connections), route)
		ch <- prometheus.MustNewConstMetric(v.routeOpened, prometheus.CounterValue, float64(r.TotalConnections), route)
		ch <- prometheus.MustNewConstMetric(v.handedOver, prometheus.CounterValue, float64(r.HandedOver), route)
		ch <- histogram(v.runs, r.Inline, route, "inline")
		ch <- histogram(v.runs, r.Workers, route, "worker")
		for event, t := range r.Events {
			ch <- histogram(v.events, t, route, event)
		}
	}
}

func histogram(d *prometheus.Desc, t websocket.Times, labels ...string) prometheus.Metric {
	buckets := make(map[float64]uint64, bounds)
	for i, le := 0, firstBound; i < bounds; i, le = i+1, le*boundFactor {
		n := uint64(0)
		for _, b := range t.Buckets {
			if b.LE < le*1.01 { // it ends there, but for rounding
				n += uint64(b.Count)
			}
		}
		bound, _ := strconv.ParseFloat(strconv.FormatFloat(le, 'g', 9, 64), 64)
		buckets[bound] = n
	}
	return prometheus.MustNewConstHistogram(d, uint64(t.Count), t.Sum, buckets, labels...)
}
