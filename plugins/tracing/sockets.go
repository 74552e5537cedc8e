package tracing

import (
	"context"

	"github.com/nextrush/nextrush/websocket"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// On is websocket.On with a span around h, whose context it is.
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

// Message makes a span of handling a message from a socket, and returns what f
// returns. The span begins a trace of its own, linked to that of the upgrade: a
// socket's messages over days are not one trace. The name is the program's, not
// the client's. The context ends with the socket.
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

// Broadcast makes a span of sending to rooms, or to everyone if none is given,
// and returns what send returns.
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

// within runs f in a span, which also ends where f panics.
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
