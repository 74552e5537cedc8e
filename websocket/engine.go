package websocket

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/count"
	"github.com/nextrush/nextrush/websocket/internal/hub"
	"github.com/nextrush/nextrush/websocket/internal/limit"
	"github.com/nextrush/nextrush/websocket/internal/users"
)

// engine is what sockets have in common: those of a server, or the one of a client.
type engine struct {
	opts  Options
	srv   *Server // nil: a client's
	loop  *loop.Loop
	conns conn.Config
	main  *Namespace // the default one
	stats count.Counts
	asked atomic.Uint64 // requests to many

	limits hub.Limits // on the rooms of all namespaces
	users  users.Users
}

func (e *engine) init(opts Options, srv *Server) {
	e.opts, e.srv = opts, srv
	e.loop = loop.New()
	e.limits.MaxRooms, e.limits.MaxEntries = opts.MaxRooms, opts.MaxRoomsPerSocket
	e.users.Most, e.users.Rate = opts.MaxConnectionsPerUser, limit.Rate(opts.UserRateLimit)
	e.conns = conn.Config{
		Loop:     e.loop,
		Wheel:    loop.NewWheel[*conn.Conn](e.loop.Clock),
		Counters: &e.stats.Counters,
		Client:   srv == nil,
		Poll:     srv != nil && !opts.DisablePolling,

		MaxMessage: opts.MaxMessageSize,
		SendQueue:  opts.SendQueue,
		Slow:       conn.Policy(opts.SlowConsumer),
		Limit:      limit.Rate(opts.RateLimit),

		PingInterval:     opts.PingInterval,
		PongTimeout:      opts.PongTimeout,
		HandshakeTimeout: opts.HandshakeTimeout,
		WriteTimeout:     opts.WriteTimeout,
		CloseTimeout:     opts.CloseTimeout,

		Level:     opts.Compression.Level,
		Threshold: opts.Compression.Threshold,
	}
	shards := 1
	if srv != nil {
		e.conns.Beat, e.conns.Retry = srv.beatFor, srv.retryHint
		e.conns.Park, e.conns.ParkBytes, e.conns.Got = opts.Resume.For, opts.Resume.Bytes, countOf
		shards = mainShards
	}
	e.main = e.newNamespace("", shards)
}

func (e *engine) log(s *Socket) *slog.Logger { return e.opts.Logger.With("socket", s.ID()) }

// debug is for Options.Debug, which is to be seen with any logger.
func (e *engine) debug(s *Socket, text string, attrs ...any) {
	level := slog.LevelDebug
	if !e.opts.Logger.Enabled(context.Background(), level) {
		level = slog.LevelInfo
	}
	e.log(s).Log(context.Background(), level, text, attrs...)
}

// debugMessage tells of a message that has arrived, with Options.Debug.
func (e *engine) debugMessage(s *Socket, m Message) {
	if e.opts.Debug {
		e.debug(s, "websocket message", slog.String("type", m.Type.String()), slog.Int("bytes", len(m.data)))
	}
}
