package middleware

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"strings"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
)

// TraceOptions configures Trace. The zero value goes on with the client's trace.
type TraceOptions struct {
	IgnoreIncoming bool // begin a trace of our own for each request, instead of the client's
	Sample         bool // mark the traces that begin here as recorded
}

// TraceIDs say which part of which trace a request is (W3C Trace Context), in
// lower-case hexadecimal.
type TraceIDs struct {
	TraceID  string // 32 digits
	SpanID   string // 16 digits, of this request
	ParentID string // 16 digits, of the caller's; empty if the trace begins here
	Sampled  bool   // whether the caller records the trace
}

type traceKey struct{}

// Trace gives each request trace ids: the client's trace if its traceparent is
// valid, a new one otherwise (W3C Trace Context §4.3). TraceFrom returns them, and
// TraceLog puts them into log records. Nothing is recorded or sent to anybody.
func Trace(opts ...TraceOptions) nextrush.Handler {
	o := opt.First(opts)
	return func(c *nextrush.Context) error {
		header := c.Request().Header
		ids, ok := parseTraceparent(header["Traceparent"])
		if !ok || o.IgnoreIncoming {
			ids = TraceIDs{TraceID: randomHex(16), Sampled: o.Sample}
			header.Del("Tracestate") // belongs to the trace that is not gone on with
		}
		ids.SpanID = randomHex(8)
		c.SetContext(context.WithValue(c.Context(), traceKey{}, ids))
		return c.Next()
	}
}

// TraceFrom returns the trace ids of the request that ctx belongs to; ok is false
// if there are none. It is safe from any goroutine.
func TraceFrom(ctx context.Context) (ids TraceIDs, ok bool) {
	ids, ok = ctx.Value(traceKey{}).(TraceIDs)
	return ids, ok
}

// Traceparent is the header with which a request to another service goes on with
// the trace.
func (t TraceIDs) Traceparent() string {
	flags := "-00"
	if t.Sampled {
		flags = "-01"
	}
	return "00-" + t.TraceID + "-" + t.SpanID + flags
}

// parseTraceparent reads version-traceid-parentid-flags (W3C Trace Context §3.2).
// Versions to come may have more after that.
func parseTraceparent(lines []string) (TraceIDs, bool) {
	if len(lines) != 1 {
		return TraceIDs{}, false
	}
	s := lines[0]
	if len(s) < 55 || len(s) > 55 && (s[:2] == "00" || s[55] != '-') {
		return TraceIDs{}, false
	}
	version, trace, parent, flags := s[:2], s[3:35], s[36:52], s[53:55]
	if s[2] != '-' || s[35] != '-' || s[52] != '-' || !lowerHex(version+trace+parent+flags) || version == "ff" ||
		strings.Trim(trace, "0") == "" || strings.Trim(parent, "0") == "" {
		return TraceIDs{}, false
	}
	sampled := strings.IndexByte("13579bdf", flags[1]) >= 0
	return TraceIDs{TraceID: trace, ParentID: parent, Sampled: sampled}, true
}

func lowerHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// TraceLog returns a slog.Handler that adds trace_id and span_id to records which
// are logged with the context of a traced request, as Logger does: the ids of Trace. It does
// not know those of plugin tracing, which are of OpenTelemetry; docs/cookbook/observe.md has
// a handler for them.
func TraceLog(h slog.Handler) slog.Handler { return traceLog{h} }

type traceLog struct{ slog.Handler }

func (h traceLog) Handle(ctx context.Context, r slog.Record) error {
	if ids, ok := TraceFrom(ctx); ok {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", ids.TraceID), slog.String("span_id", ids.SpanID))
	}
	return h.Handler.Handle(ctx, r)
}

func (h traceLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traceLog{h.Handler.WithAttrs(attrs)}
}

func (h traceLog) WithGroup(name string) slog.Handler { return traceLog{h.Handler.WithGroup(name)} }
