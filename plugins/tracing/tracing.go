// Package tracing makes OpenTelemetry spans of requests, upgrades, messages of sockets
// and broadcasts.
//
//	app.Register(tracing.New())
//
// The spans go to the program's TracerProvider. Register the plugin before you add other
// middleware, so that its spans include that middleware.
package tracing

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

const scope = "github.com/nextrush/nextrush/plugins/tracing"

// Options configures a Plugin. The zero value is complete.
type Options struct {
	Provider trace.TracerProvider // nil: otel.GetTracerProvider()

	// Propagator reads the context of a trace from requests and writes it with
	// Inject. nil: W3C Trace Context, without baggage.
	Propagator propagation.TextMapPropagator

	// PublicEndpoint begins a new trace for each request, linked to the client's, instead
	// of continuing the client's, so that strangers cannot choose what is sampled.
	PublicEndpoint bool

	Skip func(*nextrush.Context) bool // requests without a span, such as probes; nil: none
}

// Plugin makes spans. Its methods are safe from any goroutine.
type Plugin struct {
	opts   Options
	tracer trace.Tracer
}

// New makes the plugin.
func New(opts ...Options) *Plugin {
	p := &Plugin{opts: opt.First(opts)}
	if p.opts.Provider == nil {
		p.opts.Provider = otel.GetTracerProvider()
	}
	if p.opts.Propagator == nil {
		p.opts.Propagator = propagation.TraceContext{}
	}
	p.tracer = p.opts.Provider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL))
	return p
}

// Name is "tracing".
func (p *Plugin) Name() string { return "tracing" }

// Install adds the middleware that makes the spans of requests.
func (p *Plugin) Install(app *nextrush.App) error {
	app.Use(p.request)
	return nil
}

// Stop makes the provider export the spans that wait, if it has a ForceFlush like that of
// the SDK. It does not shut the provider down.
func (p *Plugin) Stop(ctx context.Context) error {
	if f, ok := p.opts.Provider.(interface{ ForceFlush(context.Context) error }); ok {
		return f.ForceFlush(ctx)
	}
	return nil
}

// Inject writes the trace of ctx, as traceparent and tracestate, to the header of a
// request to send or of websocket.DialOptions.
func (p *Plugin) Inject(ctx context.Context, header http.Header) {
	p.opts.Propagator.Inject(ctx, propagation.HeaderCarrier(header))
}

// request makes the span of a request, which may be the upgrade of a socket.
func (p *Plugin) request(c *nextrush.Context) error {
	if p.opts.Skip != nil && p.opts.Skip(c) {
		return c.Next()
	}
	ctx, options := p.remote(c)
	ctx, span := p.tracer.Start(ctx, spanName(c), append(options,
		trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(requestAttributes(c)...))...)
	c.SetContext(ctx)
	status, err := http.StatusInternalServerError, errPanicked
	defer func() {
		if sent := c.StatusCode(); sent != 0 {
			status = sent
		}
		finish(span, status, err)
	}()
	err = c.Next()
	status = nextrush.StatusOf(err)
	return err
}

var errPanicked = errors.New("a handler panicked")

// remote returns the context to begin the span in, which depends on the client's headers.
func (p *Plugin) remote(c *nextrush.Context) (context.Context, []trace.SpanStartOption) {
	ctx := p.opts.Propagator.Extract(c.Context(), propagation.HeaderCarrier(c.Request().Header))
	if !p.opts.PublicEndpoint {
		return ctx, nil
	}
	options := []trace.SpanStartOption{trace.WithNewRoot()}
	if from := trace.SpanContextFromContext(ctx); from.IsValid() && from.IsRemote() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: from}))
	}
	return ctx, options
}

// finish ends the span of a request. A client's mistake is not a failure of the server's
// span (OpenTelemetry semantic conventions, HTTP spans, status).
func finish(span trace.Span, status int, err error) {
	span.SetAttributes(semconv.HTTPResponseStatusCode(status))
	if status >= http.StatusInternalServerError {
		span.SetAttributes(semconv.ErrorTypeKey.String(strconv.Itoa(status)))
		fail(span, err)
	}
	span.End()
}

// fail marks a span as failed; err may be nil.
func fail(span trace.Span, err error) {
	text := ""
	if err != nil {
		span.RecordError(err)
		text = err.Error()
	}
	span.SetStatus(codes.Error, text)
}

// spanName returns a name with the route's pattern and not the path, so that names are few.
func spanName(c *nextrush.Context) string {
	name := c.Method()
	if !known(name) {
		name = "HTTP"
	}
	if route := c.Route(); route != "" {
		name += " " + route
	}
	return name
}

func known(method string) bool {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE":
		return true
	}
	return false
}

// requestAttributes returns those of the semantic conventions for HTTP server spans,
// without the query, which may hold secrets.
func requestAttributes(c *nextrush.Context) []attribute.KeyValue {
	list := []attribute.KeyValue{
		semconv.URLPath(c.Path()),
		semconv.URLScheme(c.Scheme()),
		semconv.ClientAddress(c.IP()),
	}
	if known(c.Method()) {
		list = append(list, semconv.HTTPRequestMethodKey.String(c.Method()))
	} else {
		list = append(list, semconv.HTTPRequestMethodOther, semconv.HTTPRequestMethodOriginal(c.Method()))
	}
	if route := c.Route(); route != "" {
		list = append(list, semconv.HTTPRoute(route))
	}
	return append(list, serverAttributes(c.Host())...)
}

func serverAttributes(host string) []attribute.KeyValue {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return []attribute.KeyValue{semconv.ServerAddress(host)}
	}
	list := []attribute.KeyValue{semconv.ServerAddress(name)}
	if n, err := strconv.Atoi(port); err == nil {
		list = append(list, semconv.ServerPort(n))
	}
	return list
}
