package metrics

import (
	"strconv"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/websocket"
	"github.com/prometheus/client_golang/prometheus"
)

// families are the metrics of the WebSocket engine with one label or none, one for each
// field of websocket.Stats that vectors do not have.
var families = []family{
	gauge("connections", "Open sockets.", func(s websocket.Stats) int64 { return s.Connections }),
	gauge("connections_peak", "Most sockets that were open at once.", func(s websocket.Stats) int64 { return s.PeakConnections }),
	counter("connections_opened_total", "Sockets opened.", func(s websocket.Stats) int64 { return s.TotalConnections }),
	counter("reconnections_total", "Sockets opened by clients that reconnect.", func(s websocket.Stats) int64 { return s.Reconnections }),
	gauge("parked", "Sockets that wait for their client to come back.", func(s websocket.Stats) int64 { return s.Parked }),
	counter("resumed_total", "Sessions that have gone on with another connection.", func(s websocket.Stats) int64 { return s.Resumed }),
	counter("messages_sent_total", "Messages handed to the system.", func(s websocket.Stats) int64 { return s.MessagesSent }),
	counter("messages_received_total", "Messages received.", func(s websocket.Stats) int64 { return s.MessagesReceived }),
	counter("messages_dropped_total", "Messages not sent or not taken while their socket was open.", func(s websocket.Stats) int64 { return s.Dropped }),
	counter("sent_bytes_total", "Bytes sent, frames included.", func(s websocket.Stats) int64 { return s.BytesSent }),
	counter("received_bytes_total", "Bytes received, frames included.", func(s websocket.Stats) int64 { return s.BytesReceived }),
	gauge("queued_bytes", "Bytes that wait to be sent.", func(s websocket.Stats) int64 { return s.QueuedBytes }),
	gauge("rooms", "Rooms with at least one socket.", func(s websocket.Stats) int64 { return s.Rooms }),
	counter("errors_total", "Failures of sockets.", func(s websocket.Stats) int64 { return s.Errors }),
	counter("slow_consumers_total", "Sockets closed with 1013 for not taking their messages.", func(s websocket.Stats) int64 { return s.SlowConsumers }),
	counter("forced_closes_total", "Sockets cut at the deadline of a shutdown.", func(s websocket.Stats) int64 { return s.Forced }),
	gauge("uptime_seconds", "Age of the socket server.", func(s websocket.Stats) int64 { return int64(time.Duration(s.Uptime).Seconds()) }),
	{"drops_total", "Messages not sent or not taken, by what has decided so.", prometheus.CounterValue, "by", func(s websocket.Stats) map[string]int64 { return s.Drops }},
	{"rejected_total", "Upgrades refused.", prometheus.CounterValue, "reason", func(s websocket.Stats) map[string]int64 { return s.Rejected }},
	{"closes_total", "Sockets closed, by the code of the close frame.", prometheus.CounterValue, "code", closesByCode},

	cluster("up", prometheus.GaugeValue, "Whether the broker can be reached.", func(c *websocket.ClusterStats) int64 { return int64(map[bool]int{true: 1}[c.Up]) }),
	cluster("nodes", prometheus.GaugeValue, "Nodes that are there.", func(c *websocket.ClusterStats) int64 { return int64(c.Nodes) }),
	cluster("rooms", prometheus.GaugeValue, "Rooms that this node receives.", func(c *websocket.ClusterStats) int64 { return int64(c.Rooms) }),
	cluster("queued_bytes", prometheus.GaugeValue, "Bytes that wait to be published.", func(c *websocket.ClusterStats) int64 { return c.Queued }),
	cluster("published_total", prometheus.CounterValue, "Messages of this node for others.", func(c *websocket.ClusterStats) int64 { return c.Published }),
	cluster("received_total", prometheus.CounterValue, "Messages of other nodes.", func(c *websocket.ClusterStats) int64 { return c.Received }),
	cluster("dropped_total", prometheus.CounterValue, "Messages of this node that others never got.", func(c *websocket.ClusterStats) int64 { return c.Dropped }),
	cluster("lost_total", prometheus.CounterValue, "Messages of other nodes that did not arrive.", func(c *websocket.ClusterStats) int64 { return c.Lost }),
	cluster("duplicates_total", prometheus.CounterValue, "Messages of other nodes that arrived again.", func(c *websocket.ClusterStats) int64 { return c.Duplicates }),
	cluster("invalid_total", prometheus.CounterValue, "Messages that no node has written.", func(c *websocket.ClusterStats) int64 { return c.Invalid }),
}

// cluster is a family that there is for a server with a Broker.
func cluster(name string, kind prometheus.ValueType, help string, value func(*websocket.ClusterStats) int64) family {
	return family{"cluster_" + name, help, kind, "", func(s websocket.Stats) map[string]int64 {
		if s.Cluster == nil {
			return nil
		}
		return map[string]int64{"": value(s.Cluster)}
	}}
}

// family is a metric with one value, or one for each value of its label.
type family struct {
	name, help string
	kind       prometheus.ValueType
	label      string // empty: none
	values     func(websocket.Stats) map[string]int64
}

func counter(name, help string, value func(websocket.Stats) int64) family {
	return family{name, help, prometheus.CounterValue, "", single(value)}
}

func gauge(name, help string, value func(websocket.Stats) int64) family {
	return family{name, help, prometheus.GaugeValue, "", single(value)}
}

func single(value func(websocket.Stats) int64) func(websocket.Stats) map[string]int64 {
	return func(s websocket.Stats) map[string]int64 { return map[string]int64{"": value(s)} }
}

// closesByCode counts the codes that any peer may choose, 3000 to 4999 (RFC 6455
// §7.4.2), as two: otherwise they would be 2,000 time series.
func closesByCode(s websocket.Stats) map[string]int64 { return closesByLabel(s.Closes) }

func closesByLabel(codes map[websocket.StatusCode]int64) map[string]int64 {
	closes := make(map[string]int64)
	for code, n := range codes {
		label := strconv.Itoa(int(code))
		if code >= 3000 {
			label = label[:1] + "xxx"
		}
		closes[label] += n
	}
	return closes
}

// sockets is a collector that takes one snapshot of the engine's counters per scrape.
type sockets struct {
	app   *nextrush.App
	descs []*prometheus.Desc // of families
	vectors
}

func newSockets(app *nextrush.App, namespace string) *sockets {
	s := &sockets{app: app, vectors: newVectors(namespace)}
	for _, f := range families {
		var labels []string
		if f.label != "" {
			labels = []string{f.label}
		}
		s.descs = append(s.descs, prometheus.NewDesc(prometheus.BuildFQName(namespace, "websocket", f.name), f.help, labels, nil))
	}
	return s
}

// Describe implements prometheus.Collector.
func (s *sockets) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range s.descs {
		ch <- d
	}
	s.describe(ch)
}

// Collect implements prometheus.Collector. An App without WebSockets has no metrics here.
func (s *sockets) Collect(ch chan<- prometheus.Metric) {
	if s.app.Plugin("websocket") == nil {
		return
	}
	stats := s.app.WebSocketStats()
	s.collect(stats, ch)
	for i, f := range families {
		for label, value := range f.values(stats) {
			var labels []string
			if f.label != "" {
				labels = []string{label}
			}
			ch <- prometheus.MustNewConstMetric(s.descs[i], f.kind, float64(value), labels...)
		}
	}
}
