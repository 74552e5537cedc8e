package tracing

import (
	"context"

	"github.com/nextrush/nextrush/websocket"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// On is websocket.On with a span around h, which gets the span's context.
func On[In any](p *Plugin, s *websocket.Socket, event string, h func(context.Context, *websocket.Socket, In) error) {
	websocket.On(s, event, func(s *websocket.Socket, in In) error {
		return p.Message(s, event, func(ctx context.Context) error { return h(ctx, s, in) })
	})
}

// Handle is websocket.Handle with a span around h.
func Handle[In, Out any](p *Plugin, s *websocket.Socket, event string, h func(context.Context, *websocket.Socket, In) (Out, error)) {
	websocket.Handle(s, event, func(_ context.Context, s *websocket.Socket, in In) (out Out, err error) {
		err = p.Message(s, event, func(ctx context.Context) error {
			out, err = h(ctx, s, in)
			return err
		})
		return out, err
	})
}

// Message runs f in a span for a message from a socket, and returns its error. The span
// begins a new trace, linked to that of the upgrade, as the messages of a socket over days
// are not one trace. The name must be the program's, not the client's. The context ends
// with the socket.
func (p *Plugin) Message(s *websocket.Socket, name string, f func(context.Context) error) error {
	upgrade := trace.SpanContextFromContext(s.Context())
	options := []trace.SpanStartOption{
		trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(append(messaging("process", name), attribute.String("websocket.id", s.ID()))...),
	}
	if upgrade.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{SpanContext: upgrade}))
	}
	ctx, span := p.tracer.Start(s.Context(), "process "+name, options...)
	return within(ctx, span, f)
}

// Broadcast runs send in a span for a broadcast to rooms, or to everybody if there are
// none, and returns its error.
func (p *Plugin) Broadcast(ctx context.Context, name string, send func() error, rooms ...string) error {
	ctx, span := p.tracer.Start(ctx, "send "+name, trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(append(messaging("send", name), attribute.StringSlice("websocket.rooms", rooms))...))
	return within(ctx, span, func(context.Context) error { return send() })
}

func messaging(operation, name string) []attribute.KeyValue {
	return []attribute.KeyValue{
		semconv.MessagingSystemKey.String("websocket"),
		semconv.MessagingOperationTypeKey.String(operation),
		semconv.MessagingOperationName(operation),
		semconv.MessagingDestinationName(name),
	}
}

// within runs f in a span, which ends even if f panics.
func within(ctx context.Context, span trace.Span, f func(context.Context) error) error {
	err := errPanicked
	defer func() {
		if err != nil {
			span.SetAttributes(semconv.ErrorType(err))
			fail(span, err)
		}
		span.End()
	}()
	err = f(ctx)
	return err
}
