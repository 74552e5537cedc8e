package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/metrics"
	"github.com/nextrush/nextrush/websocket"
	"github.com/nextrush/nextrush/websocket/brokertest"
	"github.com/prometheus/client_golang/prometheus"
)

func appWith(t *testing.T, p *metrics.Plugin) *nextrush.App {
	t.Helper()
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := app.Register(p); err != nil {
		t.Fatal(err)
	}
	return app
}

// wantLines fails the test if the metrics lack one of the lines.
func wantLines(t *testing.T, c *nextrushtest.Client, lines ...string) {
	t.Helper()
	text := "\n" + c.Get("/metrics").WantStatus(200).Text()
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %s in\n%s", line, text)
		}
	}
}

func wantNone(t *testing.T, c *nextrushtest.Client, parts ...string) {
	t.Helper()
	text := c.Get("/metrics").WantStatus(200).Text()
	for _, part := range parts {
		if strings.Contains(text, part) {
			t.Errorf("there is %s in\n%s", part, text)
		}
	}
}

func TestRequestsAreCountedByRouteAndNotByPath(t *testing.T) {
	app := appWith(t, metrics.New())
	app.Get("/users/:id", func(c *nextrush.Context) error { return c.Text("hello") })
	app.Get("/broken", func(*nextrush.Context) error { return errors.New("broken") })
	app.Get("/panics", func(*nextrush.Context) error { panic("oops") })
	app.Get("/refused", func(*nextrush.Context) error { return nextrush.NewError(http.StatusTeapot) })
	c := nextrushtest.New(t, app)
	for _, path := range []string{"/users/secret1", "/users/secret2", "/broken", "/panics", "/refused", "/nowhere/secret3"} {
		c.Get(path)
	}
	wantLines(t, c,
		`http_requests_total{method="GET",route="/users/:id",status="2xx"} 2`,
		`http_request_duration_seconds_count{method="GET",route="/users/:id",status="2xx"} 2`,
		`http_response_size_bytes_sum{method="GET",route="/users/:id",status="2xx"} 10`,
		`http_requests_total{method="GET",route="/broken",status="5xx"} 1`,
		`http_requests_total{method="GET",route="/panics",status="5xx"} 1`,
		`http_requests_total{method="GET",route="/refused",status="4xx"} 1`,
		`http_requests_total{method="GET",route="unmatched",status="4xx"} 1`,
		`http_requests_in_flight 1`,
	)
	wantNone(t, c, "secret")
}

func TestMethodsOfClientsMakeNoNewSeries(t *testing.T) {
	c := nextrushtest.New(t, appWith(t, metrics.New()))
	for i := range 20 {
		r, _ := http.NewRequest(fmt.Sprintf("EVIL%d", i), "/", nil)
		c.Do(r)
	}
	wantLines(t, c, `http_requests_total{method="other",route="unmatched",status="4xx"} 20`)
	wantNone(t, c, "EVIL")
}

func TestSocketsAndEventStreamsAreKeptOutOfDurations(t *testing.T) {
	app := appWith(t, metrics.New())
	app.EnableWebSocket(websocket.Options{})
	app.WS("/chat/:room", func(s *websocket.Socket, _ *nextrush.Context) error { return s.Join("a") })
	app.Get("/events", func(c *nextrush.Context) error {
		return c.SSE(func(s *nextrush.SSE) error { return s.Send("hi") })
	})
	c := nextrushtest.New(t, app)
	c.Dial("/chat/one")
	c.Get("/events")
	c.Get("/chat/one").WantStatus(426)
	wantLines(t, c,
		`http_requests_total{method="GET",route="/chat/:room",status="1xx"} 1`,
		`http_requests_total{method="GET",route="/events",status="2xx"} 1`,
		`http_request_duration_seconds_count{method="GET",route="/chat/:room",status="4xx"} 1`,
	)
	wantNone(t, c,
		`http_request_duration_seconds_count{method="GET",route="/chat/:room",status="1xx"}`,
		`http_request_duration_seconds_count{method="GET",route="/events"`,
		`http_response_size_bytes_count{method="GET",route="/chat/:room",status="1xx"}`,
	)
}

func TestEveryCounterOfTheEngineIsShown(t *testing.T) {
	app := appWith(t, metrics.New())
	app.EnableWebSocket(websocket.Options{MaxConnections: 2})
	app.WS("/ws", func(s *websocket.Socket, _ *nextrush.Context) error {
		s.OnMessage(func(m websocket.Message) { s.SendMessage(m) })
		return s.Join("a")
	})
	c := nextrushtest.New(t, app)
	s, leaving := c.Dial("/ws"), c.Dial("/ws")
	c.DialError("/ws")
	s.Send("hi")
	s.Expect("hi")
	closed := make(chan struct{})
	for _, server := range app.WebSocketConnections() {
		server.OnClose(func(code websocket.StatusCode, _ string) {
			if code == 4777 {
				close(closed)
			}
		})
	}
	leaving.Close(4777, "")
	<-closed
	wantLines(t, c,
		`websocket_connections_peak 2`,
		`websocket_connections_opened_total 2`,
		`websocket_messages_received_total 1`,
		`websocket_rejected_total{reason="connections"} 1`,
		`websocket_closes_total{code="4xxx"} 1`,
	)
	const ofRoutes = 5 // families for one field, of which one has nothing here: no event is timed
	types := strings.Count(c.Get("/metrics").Text(), "# TYPE websocket_")
	if fields := reflect.TypeFor[websocket.Stats]().NumField(); types != fields-2+ofRoutes-1 {
		t.Errorf("%d metrics, but websocket.Stats has %d fields", types, fields)
	}
}

// Labels are patterns and names that the program has set, whatever peers do.
func TestPeersMakeNoNewSeriesOfSockets(t *testing.T) {
	app := appWith(t, metrics.New())
	app.EnableWebSocket(websocket.Options{TimeEvents: true})
	app.Group("/v1").WS("/chat/:room", func(s *websocket.Socket, _ *nextrush.Context) error {
		websocket.Handle(s, "say", func(_ context.Context, _ *websocket.Socket, in string) (string, error) { return in, nil })
		s.OnAny(func(*websocket.Event) {})
		return nil
	})
	c := nextrushtest.New(t, app)
	ended := make(chan bool, 5)
	for i := range 5 {
		s := c.Dial(fmt.Sprint("/v1/chat/secret", i))
		s.OnClose(func(websocket.StatusCode, string) { ended <- true })
		s.Emit(fmt.Sprint("secret", i))
		if _, err := s.Request(t.Context(), "say", "hi"); err != nil {
			t.Fatal(err)
		}
		if i > 1 {
			s.Close(websocket.StatusCode(4000+i), "")
			<-ended
		}
	}
	for app.WebSocketStats().Connections > 2 {
		runtime.Gosched()
	}
	wantLines(t, c,
		`websocket_route_connections{route="/v1/chat/:room"} 2`,
		`websocket_route_connections_opened_total{route="/v1/chat/:room"} 5`,
		`websocket_event_duration_seconds_count{event="say",route="/v1/chat/:room"} 5`,
		`websocket_event_duration_seconds_bucket{event="say",route="/v1/chat/:room",le="+Inf"} 5`,
		`websocket_event_duration_seconds_bucket{event="say",route="/v1/chat/:room",le="16.777216"} 5`,
		`websocket_run_duration_seconds_bucket{route="/v1/chat/:room",where="inline",le="6.4e-05"} 0`,
		`websocket_closes_by_total{by="peer",code="4xxx"} 3`,
		`websocket_drops_total{by="coalesced"} 0`,
		`websocket_handed_over_total{route="/v1/chat/:room"} 0`,
		`websocket_round_trip_seconds_count 0`,
	)
	wantNone(t, c, "secret")
}

func TestAnAppWithoutSocketsShowsTheRuntimeOnly(t *testing.T) {
	c := nextrushtest.New(t, appWith(t, metrics.New()))
	wantNone(t, c, "websocket_")
	for _, part := range []string{"go_goroutines", "process_start_time_seconds"} {
		if !strings.Contains(c.Get("/metrics").Text(), part) {
			t.Errorf("no %s", part)
		}
	}
}

func TestTheRouteHasTheOptionsPathAndGuard(t *testing.T) {
	guard := func(c *nextrush.Context) error {
		if c.Header("Authorization") != "Bearer s3cret" {
			return nextrush.NewError(http.StatusUnauthorized)
		}
		return c.Next()
	}
	c := nextrushtest.New(t, appWith(t, metrics.New(metrics.Options{
		Path: "/internal/metrics", Namespace: "shop", Guard: []nextrush.Handler{guard},
	})))
	c.Get("/internal/metrics").WantStatus(401)
	r, _ := http.NewRequest("GET", "/internal/metrics", nil)
	r.Header.Set("Authorization", "Bearer s3cret")
	if text := c.Do(r).WantStatus(200).Text(); !strings.Contains(text, "shop_http_requests_total") {
		t.Errorf("answer\n%s", text)
	}
}

func TestHistogramsLeadToRequestsByExemplars(t *testing.T) {
	app := appWith(t, metrics.New(metrics.Options{Exemplar: func(c *nextrush.Context) prometheus.Labels {
		if id := c.Query("trace"); id != "" {
			return prometheus.Labels{"trace_id": id}
		}
		return nil
	}}))
	app.Get("/users", func(c *nextrush.Context) error { return c.Text("hello") })
	c := nextrushtest.New(t, app)
	c.Get("/users?trace=4bf92f35").WantStatus(200)
	c.Get("/users").WantStatus(200)
	text := c.With("Accept", "application/openmetrics-text; version=1.0.0").Get("/metrics").WantStatus(200).Text()
	if n := strings.Count(text, `# {trace_id="4bf92f35"} `); n != 2 {
		t.Errorf("%d exemplars, want one of the duration and one of the size, in\n%s", n, text)
	}
	wantNone(t, nextrushtest.New(t, app), "# {")
}

func TestMistakesAreErrorsOfInstall(t *testing.T) {
	registry := prometheus.NewRegistry()
	appWith(t, metrics.New(metrics.Options{Registry: registry}))
	for name, o := range map[string]metrics.Options{
		"a registry in use":    {Registry: registry},
		"buckets that fall":    {Buckets: []float64{2, 1}},
		"a bucket given twice": {Buckets: []float64{1, 1}},
	} {
		if err := nextrush.New().Register(metrics.New(o)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func Example() {
	app := nextrush.New()
	p := metrics.New(metrics.Options{Namespace: "shop"})
	app.Register(p)

	orders := prometheus.NewCounter(prometheus.CounterOpts{Name: "shop_orders_total", Help: "Orders taken."})
	p.Registry().MustRegister(orders)
	orders.Inc()

	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "shop_orders_total") {
			fmt.Print(line)
		}
	}
	// Output: shop_orders_total 1
}

func TestAServerWithABrokerHasTheMetricsOfItsCluster(t *testing.T) {
	network := brokertest.NewNetwork()
	app := appWith(t, metrics.New())
	app.EnableWebSocket(websocket.Options{Broker: network.Broker()})
	other := websocket.NewServer(websocket.Options{Broker: network.Broker()})
	t.Cleanup(func() { other.Close() })
	c := nextrushtest.New(t, app)
	for app.WebSockets().Cluster().Health(t.Context()) != nil || len(app.WebSockets().Cluster().Nodes()) < 2 {
		runtime.Gosched()
	}
	app.WSAll().Send("to nobody here")
	wantLines(t, c, `websocket_cluster_up 1`, `websocket_cluster_nodes 2`, `websocket_cluster_rooms 0`, `websocket_cluster_lost_total 0`)
	wantNone(t, nextrushtest.New(t, appWith(t, metrics.New())), "cluster")
}
