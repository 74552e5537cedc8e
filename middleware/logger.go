package middleware

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
)

// LoggerOptions configures Logger. The zero value logs every request to the
// App's logger.
type LoggerOptions struct {
	Logger *slog.Logger                 // nil: the App's
	Skip   func(*nextrush.Context) bool // requests that are not logged; nil: none
	// Attrs adds attributes to the line, such as the user. err is what the handlers
	// returned; nil: none are added.
	Attrs func(c *nextrush.Context, err error) []slog.Attr
}

// Logger logs each request when it has been answered: at info, from status 400
// at warn, from 500 at error. 426 is at info: with it a WebSocket route answers clients
// that ask whether it would let them in. A WebSocket is logged once, on its upgrade, with
// 101. slog escapes what clients put into paths.
//
// For that it has errors answered (see [nextrush.Context.HandleError]), so that
// middleware which changes them, as Timeout, belongs after it.
func Logger(opts ...LoggerOptions) nextrush.Handler {
	o := opt.First(opts)
	return func(c *nextrush.Context) error {
		if o.Skip != nil && o.Skip(c) {
			return c.Next()
		}
		start := time.Now()
		err := errPanicked
		defer func() { o.log(c, start, err) }()
		err = c.Next()
		c.HandleError(err)
		return err
	}
}

var errPanicked = errors.New("a handler panicked")

func (o *LoggerOptions) log(c *nextrush.Context, start time.Time, err error) {
	logger := o.Logger
	if logger == nil {
		logger = c.App().Log()
	}
	status := outcome(c, err)
	ctx := context.WithoutCancel(c.Context())
	if !logger.Enabled(ctx, level(status)) {
		return
	}
	end := time.Now()
	record := slog.NewRecord(end, level(status), "request", 0) // the place in this file says nothing
	record.AddAttrs(
		slog.String("method", c.Method()),
		slog.String("path", c.Path()),
		slog.String("route", c.Route()),
		slog.Int("status", status),
		slog.Int64("bytes", c.BytesWritten()),
		slog.Duration("duration", end.Sub(start)),
		slog.String("ip", c.IP()),
		slog.String("id", c.ID()),
	)
	if err != nil {
		record.AddAttrs(slog.Any("error", err))
	}
	if o.Attrs != nil {
		record.AddAttrs(o.Attrs(c, err)...)
	}
	logger.Handler().Handle(ctx, record)
}

// outcome is the status that was sent, or that the error will be answered with.
func outcome(c *nextrush.Context, err error) int {
	if status := c.StatusCode(); status != 0 {
		return status
	}
	return nextrush.StatusOf(err)
}

func level(status int) slog.Level {
	switch {
	case status >= http.StatusInternalServerError:
		return slog.LevelError
	case status >= http.StatusBadRequest && status != http.StatusUpgradeRequired:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
