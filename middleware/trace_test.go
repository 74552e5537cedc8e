package middleware_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

const (
	traceID  = "4bf92f3577b34da6a3ce929d0e0e4736"
	parentID = "00f067aa0ba902b7"
)

// traced returns the ids of a request with these headers, and its tracestate.
func traced(t *testing.T, header http.Header, opts ...middleware.TraceOptions) (ids middleware.TraceIDs, state string) {
	t.Helper()
	app := nextrush.New()
	app.Use(middleware.Trace(opts...))
	app.Get("/", func(c *nextrush.Context) error {
		ids, _ = middleware.TraceFrom(c.Context())
		state = c.Header("Tracestate")
		return nil
	})
	r := httptest.NewRequest("GET", "/", nil)
	r.Header = header
	app.ServeHTTP(httptest.NewRecorder(), r)
	if len(ids.TraceID) != 32 || len(ids.SpanID) != 16 || ids.SpanID == parentID {
		t.Errorf("%v: ids %+v", header, ids)
	}
	return ids, state
}

func TestTraceGoesOnWithValidParentsOnly(t *testing.T) {
	good := "00-" + traceID + "-" + parentID + "-01"
	for name, test := range map[string]struct {
		parents []string
		goesOn  bool
		sampled bool
	}{
		"none":               {nil, false, false},
		"sampled":            {[]string{good}, true, true},
		"not sampled":        {[]string{"00-" + traceID + "-" + parentID + "-02"}, true, false},
		"later version":      {[]string{"cc-" + traceID + "-" + parentID + "-01-more"}, true, true},
		"later, run on":      {[]string{"cc-" + traceID + "-" + parentID + "-01more"}, false, false},
		"more in version 00": {[]string{good + "-more"}, false, false},
		"version ff":         {[]string{"ff" + good[2:]}, false, false},
		"upper case":         {[]string{strings.ToUpper(good)}, false, false},
		"zero trace":         {[]string{"00-" + strings.Repeat("0", 32) + "-" + parentID + "-01"}, false, false},
		"zero parent":        {[]string{"00-" + traceID + "-" + strings.Repeat("0", 16) + "-01"}, false, false},
		"short":              {[]string{good[:54]}, false, false},
		"no hex":             {[]string{strings.Replace(good, "4", "g", 1)}, false, false},
		"no dash":            {[]string{strings.Replace(good, "-", "0", 1)}, false, false},
		"twice":              {[]string{good, good}, false, false},
	} {
		ids, state := traced(t, http.Header{"Traceparent": test.parents, "Tracestate": {"a=1"}})
		goesOn := ids.TraceID == traceID && ids.ParentID == parentID && state == "a=1"
		if goesOn != test.goesOn || !goesOn && (ids.ParentID != "" || state != "") || ids.Sampled != test.sampled {
			t.Errorf("%s: %+v, state %q", name, ids, state)
		}
	}
}

func TestTraceCanIgnoreTheClient(t *testing.T) {
	ids, _ := traced(t, http.Header{"Traceparent": {"00-" + traceID + "-" + parentID + "-00"}},
		middleware.TraceOptions{IgnoreIncoming: true, Sample: true})
	if ids.TraceID == traceID || !ids.Sampled {
		t.Errorf("ids %+v", ids)
	}
	if p := ids.Traceparent(); p != "00-"+ids.TraceID+"-"+ids.SpanID+"-01" {
		t.Errorf("traceparent %s", p)
	}
}

func TestTraceIDsReachTheLog(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(middleware.TraceLog(slog.NewTextHandler(&out, nil))).With("a", 1)
	app := nextrush.New(nextrush.Options{Logger: logger})
	app.Use(middleware.Logger(), middleware.Trace())
	app.Get("/", text("ok"))
	ask(app, "/", "Traceparent", "00-"+traceID+"-"+parentID+"-01")
	if !strings.Contains(out.String(), "trace_id="+traceID+" span_id=") {
		t.Errorf("logged %s", &out)
	}
	if _, ok := middleware.TraceFrom(context.Background()); ok {
		t.Error("ids without a request")
	}
}

func ExampleTrace() {
	app := nextrush.New()
	app.Use(middleware.Trace())
	app.Get("/", func(c *nextrush.Context) error {
		ids, _ := middleware.TraceFrom(c.Context())
		return c.Text(ids.TraceID)
	})
	fmt.Println(ask(app, "/", "Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").Body)
	// Output: 4bf92f3577b34da6a3ce929d0e0e4736
}
