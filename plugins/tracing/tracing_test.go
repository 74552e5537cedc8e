package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/tracing"
	"github.com/nextrush/nextrush/websocket"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	parent  = "00-" + traceID + "-b7ad6b7169203331-01"
)

// traced is an app with the plugin, and the spans that it has recorded.
func traced(t *testing.T, o tracing.Options) (*nextrush.App, *tracing.Plugin, *tracetest.SpanRecorder) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	o.Provider = sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder))
	p := tracing.New(o)
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := app.Register(p); err != nil {
		t.Fatal(err)
	}
	return app, p, recorder
}

// send answers a request without a connection, so that the span has ended when it returns.
func send(app *nextrush.App, method, target string, header ...string) {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	app.ServeHTTP(httptest.NewRecorder(), r)
}

func only(t *testing.T, r *tracetest.SpanRecorder) sdk.ReadOnlySpan {
	t.Helper()
	spans := r.Ended()
	if len(spans) != 1 {
		t.Fatalf("%d spans, want 1", len(spans))
	}
	return spans[0]
}

func named(t *testing.T, r *tracetest.SpanRecorder, name string) sdk.ReadOnlySpan {
	t.Helper()
	for _, s := range r.Ended() {
		if s.Name() == name {
			return s
		}
	}
	t.Fatalf("no span %q", name)
	return nil
}

func attributes(s sdk.ReadOnlySpan) map[attribute.Key]string {
	m := make(map[attribute.Key]string)
	for _, kv := range s.Attributes() {
		m[kv.Key] = kv.Value.String()
	}
	return m
}

func TestRequestsAreNamedByRoute(t *testing.T) {
	for _, tt := range []struct {
		method, target, name, status, method2 string
		code                                  codes.Code
	}{
		{"GET", "/users/7?token=s3cret", "GET /users/:id", "200", "GET", codes.Unset},
		{"GET", "/broken", "GET /broken", "500", "GET", codes.Error},
		{"GET", "/panics", "GET /panics", "500", "GET", codes.Error},
		{"GET", "/refused", "GET /refused", "418", "GET", codes.Unset},
		{"GET", "/nowhere/7", "GET", "404", "GET", codes.Unset},
		{"EVIL", "/nowhere", "HTTP", "404", "_OTHER", codes.Unset},
	} {
		t.Run(tt.method+tt.target, func(t *testing.T) {
			app, _, recorder := traced(t, tracing.Options{})
			app.Get("/users/:id", func(c *nextrush.Context) error { return c.Text("hello") })
			app.Get("/broken", func(*nextrush.Context) error { return errors.New("broken") })
			app.Get("/panics", func(*nextrush.Context) error { panic("oops") })
			app.Get("/refused", func(*nextrush.Context) error { return nextrush.NewError(http.StatusTeapot) })
			send(app, tt.method, tt.target)
			span := only(t, recorder)
			got := attributes(span)
			if span.Name() != tt.name || span.Status().Code != tt.code || span.SpanKind() != trace.SpanKindServer ||
				got["http.response.status_code"] != tt.status || got["http.request.method"] != tt.method2 {
				t.Errorf("span %q %v %v", span.Name(), span.Status(), got)
			}
			if text := fmt.Sprint(got); strings.Contains(text, "s3cret") {
				t.Errorf("the query is in %s", text)
			}
		})
	}
}

func TestTheClientsTraceGoesOnOrIsLinked(t *testing.T) {
	for _, public := range []bool{false, true} {
		app, _, recorder := traced(t, tracing.Options{PublicEndpoint: public})
		send(app, "GET", "/", "Traceparent", parent)
		span := only(t, recorder)
		continued := span.SpanContext().TraceID().String() == traceID
		linked := len(span.Links()) == 1 && span.Links()[0].SpanContext.TraceID().String() == traceID
		if continued == public || linked != public {
			t.Errorf("public %v: continued %v, linked %v", public, continued, linked)
		}
	}
}

func TestAMalformedTraceparentBeginsANewTrace(t *testing.T) {
	for _, header := range []string{"", "00-0-0-01", strings.Repeat("0", 10000), "ff-" + traceID + "-b7ad6b7169203331-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01"} {
		app, _, recorder := traced(t, tracing.Options{})
		send(app, "GET", "/", "Traceparent", header)
		if span := only(t, recorder); span.Parent().IsValid() || !span.SpanContext().IsValid() {
			t.Errorf("%.40q: parent %v", header, span.Parent())
		}
	}
}

func TestHandlersAndWhatTheyCallAreInTheTrace(t *testing.T) {
	app, p, recorder := traced(t, tracing.Options{})
	var out http.Header
	app.Get("/", func(c *nextrush.Context) error {
		out = make(http.Header)
		p.Inject(c.Context(), out)
		return c.NoContent()
	})
	send(app, "GET", "/", "Traceparent", parent)
	span := only(t, recorder).SpanContext()
	if got, want := out.Get("Traceparent"), fmt.Sprintf("00-%s-%s-01", span.TraceID(), span.SpanID()); got != want {
		t.Errorf("traceparent %s, want %s", got, want)
	}
}

func TestSkippedRequestsHaveNoSpan(t *testing.T) {
	app, _, recorder := traced(t, tracing.Options{Skip: func(c *nextrush.Context) bool { return c.Path() == "/livez" }})
	send(app, "GET", "/livez")
	send(app, "GET", "/other")
	only(t, recorder)
}

type chat struct {
	Text string `json:"text"`
}

func TestMessagesAreTracesOfTheirOwnLinkedToTheUpgrade(t *testing.T) {
	app, p, recorder := traced(t, tracing.Options{})
	app.EnableWebSocket(websocket.Options{})
	app.WS("/chat/:room", func(s *websocket.Socket, c *nextrush.Context) error {
		tracing.On(p, s, "chat", func(ctx context.Context, s *websocket.Socket, in chat) error {
			return p.Broadcast(ctx, "chat", func() error { return app.WSBroadcast(in.Text) })
		})
		tracing.Handle(p, s, "ask", func(_ context.Context, _ *websocket.Socket, in chat) (string, error) {
			if in.Text == "" {
				return "", errors.New("no text")
			}
			return in.Text + "!", nil
		})
		return nil
	})
	c := nextrushtest.New(t, app)
	s := c.Dial("/chat/secret-room")
	s.Emit("chat", chat{"hi"})
	s.Expect("hi")
	reply, err := s.Request(t.Context(), "ask", chat{"why"})
	var answer string
	if err != nil || reply.Bind(0, &answer) != nil || answer != "why!" {
		t.Errorf("reply %q, error %v", answer, err)
	}
	if _, err := s.Request(t.Context(), "ask", chat{}); err == nil {
		t.Error("no error")
	}
	app.Shutdown(t.Context())

	upgrade := named(t, recorder, "GET /chat/:room")
	if got := attributes(upgrade)["http.response.status_code"]; got != "101" {
		t.Errorf("status %s", got)
	}
	message, broadcast := named(t, recorder, "process chat"), named(t, recorder, "send chat")
	if message.Parent().IsValid() || len(message.Links()) != 1 || message.Links()[0].SpanContext.SpanID() != upgrade.SpanContext().SpanID() {
		t.Errorf("message: parent %v, links %v", message.Parent(), message.Links())
	}
	if broadcast.Parent().SpanID() != message.SpanContext().SpanID() || broadcast.SpanKind() != trace.SpanKindProducer {
		t.Errorf("broadcast: parent %v", broadcast.Parent())
	}
	var failed int
	for _, span := range recorder.Ended() {
		if span.Name() == "process ask" && span.Status().Code == codes.Error {
			failed++
		}
	}
	if failed != 1 {
		t.Errorf("%d failed spans, want 1", failed)
	}
}

func TestASpanEndsIfAHandlerOfAMessagePanics(t *testing.T) {
	_, p, recorder := traced(t, tracing.Options{})
	func() {
		defer func() { recover() }()
		p.Broadcast(t.Context(), "news", func() error { panic("oops") }, "a", "b")
	}()
	span := only(t, recorder)
	if span.Status().Code != codes.Error || attributes(span)["websocket.rooms"] != `["a","b"]` {
		t.Errorf("status %v, attributes %v", span.Status(), attributes(span))
	}
}

// exporter records exported spans; a batcher exports them late, or when flushed.
type exporter struct{ spans int }

func (e *exporter) ExportSpans(_ context.Context, s []sdk.ReadOnlySpan) error {
	e.spans += len(s)
	return nil
}
func (e *exporter) Shutdown(context.Context) error { return nil }

func TestStopExportsWhatWaits(t *testing.T) {
	var e exporter
	p := tracing.New(tracing.Options{Provider: sdk.NewTracerProvider(sdk.WithBatcher(&e))})
	app := nextrush.New()
	app.Register(p)
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	send(app, "GET", "/")
	if err := app.Shutdown(t.Context()); err != nil || e.spans != 1 {
		t.Errorf("error %v, %d spans exported", err, e.spans)
	}
}

func Example() {
	recorder := tracetest.NewSpanRecorder() // a program would use an exporter
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder))

	app := nextrush.New()
	app.Register(tracing.New(tracing.Options{Provider: provider}))
	app.Get("/users/:id", func(c *nextrush.Context) error { return c.Text("hello") })

	app.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/users/7", nil))
	fmt.Println(recorder.Ended()[0].Name())
	// Output: GET /users/:id
}
