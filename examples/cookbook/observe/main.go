// Command observe has logs, metrics and traces of the same requests, with one id in all
// three.
//
//	OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 go run ./examples/cookbook/observe
//
// Then open http://localhost:3000/orders/7. Without that variable, spans go to
// localhost:4318 with TLS; where nobody listens, they are dropped after a while.
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/metrics"
	"github.com/nextrush/nextrush/plugins/tracing"
)

// traceLog adds the ids of the span that a record is logged in.
type traceLog struct{ slog.Handler }

func (h traceLog) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h traceLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traceLog{h.Handler.WithAttrs(attrs)}
}

func (h traceLog) WithGroup(name string) slog.Handler { return traceLog{h.Handler.WithGroup(name)} }

// exemplar leads from a metric to the trace, if that is exported.
func exemplar(c *nextrush.Context) prometheus.Labels {
	if span := trace.SpanContextFromContext(c.Context()); span.IsSampled() {
		return prometheus.Labels{"trace_id": span.TraceID().String()}
	}
	return nil
}

// newProvider exports spans to where the variables OTEL_EXPORTER_OTLP_… say.
func newProvider(ctx context.Context) (*sdk.TracerProvider, error) {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, err
	}
	// The variables OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES count more.
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "shop")), resource.WithFromEnv())
	if err != nil {
		return nil, err
	}
	return sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about)), nil
}

func newApp(provider trace.TracerProvider, logs io.Writer) (*nextrush.App, error) {
	app := nextrush.New(nextrush.Options{Logger: slog.New(traceLog{slog.NewJSONHandler(logs, nil)})})
	quiet := func(c *nextrush.Context) bool { return c.Path() == "/metrics" }
	err := app.Register(
		tracing.New(tracing.Options{Provider: provider, PublicEndpoint: true, Skip: quiet}),
		metrics.New(metrics.Options{Exemplar: exemplar}), // keep /metrics from the Internet, or give it a Guard
	)
	if err != nil {
		return nil, err
	}
	app.Use(middleware.Logger(middleware.LoggerOptions{Skip: quiet}), middleware.Recover())
	app.Get("/orders/:id", func(c *nextrush.Context) error {
		ctx, span := provider.Tracer("shop").Start(c.Context(), "find order")
		defer span.End()
		app.Log().InfoContext(ctx, "order found", "order", c.Param("id"))
		return c.JSON(map[string]string{"id": c.Param("id")})
	})
	return app, nil
}

func run(addr string) (err error) {
	ctx := context.Background()
	provider, err := newProvider(ctx)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err = errors.Join(err, provider.Shutdown(ctx)) // sends the last spans
	}()
	app, err := newApp(provider, os.Stdout)
	if err != nil {
		return err
	}
	// What the exporter has to complain about goes to the log, too.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { app.Log().Error("telemetry", "error", err) }))
	return app.Listen(addr)
}

func main() {
	addr := flag.String("addr", ":3000", "`address` to listen on")
	flag.Parse()
	if err := run(*addr); err != nil {
		log.Fatal(err)
	}
}
