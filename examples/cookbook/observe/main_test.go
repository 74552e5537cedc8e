package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/nextrush/nextrush/internal/leak"
	"github.com/nextrush/nextrush/nextrushtest"
)

func TestMain(m *testing.M) { leak.Main(m) }

// receiver takes spans as a collector does: OTLP over HTTP, in protobuf.
type receiver struct {
	mu    sync.Mutex
	spans map[string][]string // trace ids, by service and name
	errs  []error
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var in collector.ExportTraceServiceRequest
	body, err := io.ReadAll(req.Body)
	if err == nil {
		err = proto.Unmarshal(body, &in)
	}
	if err != nil || req.URL.Path != "/v1/traces" {
		r.errs = append(r.errs, fmt.Errorf("%s: %w", req.URL, err))
		return
	}
	for _, resource := range in.ResourceSpans {
		service := resource.Resource.Attributes[0].Value.GetStringValue()
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				name := service + ": " + s.Name
				r.spans[name] = append(r.spans[name], fmt.Sprintf("%x", s.TraceId))
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func TestLogsMetricsAndSpansHaveOneTraceID(t *testing.T) {
	got := &receiver{spans: make(map[string][]string)}
	server := httptest.NewServer(got)
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	provider, err := newProvider(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var logs bytes.Buffer
	app, err := newApp(provider, &logs)
	if err != nil {
		t.Fatal(err)
	}
	c := nextrushtest.New(t, app)
	foreign := "4bf92f3577b34da6a3ce929d0e0e4736"
	c.With("Traceparent", "00-"+foreign+"-00f067aa0ba902b7-01").Get("/orders/7").WantStatus(200)
	scraped := c.With("Accept", "application/openmetrics-text; version=1.0.0").Get("/metrics").WantStatus(200).Text()
	if err := provider.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}

	exemplar := regexp.MustCompile(`http_request_duration_seconds_bucket{.*route="/orders/:id".*} 1 # {trace_id="([0-9a-f]{32})"}`).FindStringSubmatch(scraped)
	if exemplar == nil || exemplar[1] == foreign {
		t.Fatalf("exemplar: %q in\n%s", exemplar, scraped)
	}
	id := exemplar[1]
	for _, name := range []string{"shop: GET /orders/:id", "shop: find order"} {
		if ids := got.spans[name]; len(ids) != 1 || ids[0] != id {
			t.Errorf("spans %q: %q, want %s", name, ids, id)
		}
	}
	if len(got.spans) != 2 || got.errs != nil {
		t.Errorf("the receiver has %v, %v", got.spans, got.errs)
	}
	if found := logged(t, logs.String(), id); !found["order found"] || !found["request"] || len(found) != 2 {
		t.Errorf("no two lines with %s in\n%s", id, &logs)
	}
}

// logged returns the messages of the lines that have the id.
func logged(t *testing.T, lines, id string) map[string]bool {
	t.Helper()
	found := make(map[string]bool)
	for line := range strings.Lines(lines) {
		var record struct {
			Msg   string
			Trace string `json:"trace_id"`
			Span  string `json:"span_id"`
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		if record.Trace == id && len(record.Span) == 16 {
			found[record.Msg] = true
		}
	}
	return found
}
