// Package metrics gives Prometheus the metrics of an App: requests by route, sockets,
// the Go runtime and the process.
//
//	app.Register(metrics.New())
//
// Register it before you add other middleware, so that it counts the answers of that
// middleware, too.
package metrics

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options configures a Plugin. The zero value is complete.
type Options struct {
	Path      string             // of the route for Prometheus; empty: "/metrics"
	Guard     []nextrush.Handler // run before it; nil: anybody may read
	Namespace string             // prefix of the names, "shop" for shop_http_requests_total; empty: none
	Buckets   []float64          // upper bounds of durations in seconds, rising; nil: 5 ms to 10 s

	// Exemplar returns labels that lead from the histograms to a request, such as the id of
	// its trace, in 128 characters with the names; nil: none for this one. It is called
	// after each request, and Prometheus has to ask for OpenMetrics, as it does by default,
	// and to store exemplars (--enable-feature=exemplar-storage). nil: no exemplars.
	Exemplar func(*nextrush.Context) prometheus.Labels

	// Registry is where the metrics are registered, and what the route serves. nil: the
	// Plugin's own, which also has the collectors of the Go runtime and of the process.
	Registry *prometheus.Registry
}

// Plugin measures an App.
type Plugin struct {
	opts     Options
	registry *prometheus.Registry

	inFlight prometheus.Gauge
	requests *prometheus.CounterVec   // method, route, status
	duration *prometheus.HistogramVec // method, route, status
	size     *prometheus.HistogramVec // method, route, status
}

// New makes the plugin.
func New(opts ...Options) *Plugin {
	p := &Plugin{opts: opt.First(opts)}
	if p.opts.Path == "" {
		p.opts.Path = "/metrics"
	}
	if p.opts.Buckets == nil {
		p.opts.Buckets = prometheus.DefBuckets
	}
	if p.registry = p.opts.Registry; p.registry == nil {
		p.registry = prometheus.NewRegistry()
	}
	return p
}

// Registry returns the registry, for metrics of the program's own. It is safe from any
// goroutine.
func (p *Plugin) Registry() *prometheus.Registry { return p.registry }

// Name is "metrics".
func (p *Plugin) Name() string { return "metrics" }

// Install adds the middleware that measures, and the route. It fails if the registry
// already has one of the metrics, or if the buckets do not rise.
func (p *Plugin) Install(app *nextrush.App) error {
	if err := rising(p.opts.Buckets); err != nil {
		return err
	}
	p.makeVectors()
	all := []prometheus.Collector{p.inFlight, p.requests, p.duration, p.size, newSockets(app, p.opts.Namespace)}
	if p.opts.Registry == nil {
		all = append(all, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	}
	for _, c := range all {
		if err := p.registry.Register(c); err != nil {
			return err
		}
	}
	app.Use(p.measure)
	app.With(p.opts.Guard...).Get(p.opts.Path, nextrush.WrapHandler(promhttp.HandlerFor(p.registry, promhttp.HandlerOpts{
		Registry:          p.registry,
		EnableOpenMetrics: p.opts.Exemplar != nil, // the other format has none
		ErrorLog:          slog.NewLogLogger(app.Log().Handler(), slog.LevelError),
	})))
	return nil
}

func rising(buckets []float64) error {
	for i := 1; i < len(buckets); i++ {
		if buckets[i] <= buckets[i-1] {
			return errors.New("the Buckets must rise: sort them and remove duplicates")
		}
	}
	return nil
}

func (p *Plugin) makeVectors() {
	labels := []string{"method", "route", "status"}
	ns := p.opts.Namespace
	p.inFlight = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: ns, Name: "http_requests_in_flight", Help: "Requests being answered now, without sockets.",
	})
	p.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: ns, Name: "http_requests_total", Help: "Requests answered; 1xx are upgrades to WebSocket.",
	}, labels)
	p.duration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: ns, Name: "http_request_duration_seconds", Help: "Time to answer, without sockets and event streams.", Buckets: p.opts.Buckets,
	}, labels)
	p.size = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: ns, Name: "http_response_size_bytes", Help: "Size of response bodies as sent, without sockets and event streams.",
		Buckets: prometheus.ExponentialBuckets(128, 8, 8), // 128 B to 256 MiB
	}, labels)
}

// measure counts the request even if a handler panics.
func (p *Plugin) measure(c *nextrush.Context) error {
	p.inFlight.Inc()
	begin := time.Now()
	status := http.StatusInternalServerError // if a handler panics
	defer func() {
		p.inFlight.Dec()
		p.record(c, status, time.Since(begin))
	}()
	err := c.Next()
	status = nextrush.StatusOf(err)
	return err
}

func (p *Plugin) record(c *nextrush.Context, status int, took time.Duration) {
	if sent := c.StatusCode(); sent != 0 {
		status = sent
	}
	labels := []string{methodLabel(c.Method()), routeLabel(c.Route()), statusClass(status)}
	p.requests.WithLabelValues(labels...).Inc()
	if status == http.StatusSwitchingProtocols || isEventStream(c) {
		return
	}
	var exemplar prometheus.Labels
	if p.opts.Exemplar != nil {
		exemplar = p.opts.Exemplar(c)
	}
	observe(p.duration.WithLabelValues(labels...), took.Seconds(), exemplar)
	observe(p.size.WithLabelValues(labels...), float64(c.BytesWritten()), exemplar)
}

func observe(o prometheus.Observer, value float64, exemplar prometheus.Labels) {
	o.(prometheus.ExemplarObserver).ObserveWithExemplar(value, exemplar)
}

// methodLabel keeps clients from making a time series with each method they invent.
func methodLabel(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE":
		return method
	}
	return "other"
}

func routeLabel(route string) string {
	if route == "" {
		return "unmatched"
	}
	return route
}

func statusClass(status int) string {
	if status < 100 || status > 599 {
		return "other"
	}
	return string('0'+rune(status/100)) + "xx"
}

func isEventStream(c *nextrush.Context) bool {
	return strings.HasPrefix(c.Writer().Header().Get("Content-Type"), "text/event-stream")
}
