package websocket

import (
	"context"
	mrand "math/rand/v2"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/protocol"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// handover is the time that clients of nextrush.v1 have at least to open a connection to
// another server before we close.
const handover = 2 * time.Second

// farewell closes the sockets of a server that shuts down. All reasons tell when to come
// back, for plain clients too.
func (srv *Server) farewell(ctx context.Context, sockets []*Socket, idle chan struct{}) {
	spread, _ := srv.spread()
	reason := protocol.RetryReason("server is shutting down", 0, spread)
	plain, speaking := parted(sockets)
	window := srv.window(ctx, len(sockets))
	over := time.After(srv.grace(ctx, window))
	srv.sayGoaway(speaking, srv.grace(ctx, window)/2)
	srv.closeSpread(ctx, plain, reason)
	if len(speaking) == 0 {
		return
	}
	select {
	case <-over:
	case <-idle:
	case <-ctx.Done():
	}
	for _, s := range speaking {
		s.Close(StatusGoingAway, reason)
	}
}

func parted(sockets []*Socket) (plain, speaking []*Socket) {
	for _, s := range sockets {
		if s.speaks {
			speaking = append(speaking, s)
		} else {
			plain = append(plain, s)
		}
	}
	return plain, speaking
}

// grace is the time before the close of those that have been told.
func (srv *Server) grace(ctx context.Context, window time.Duration) time.Duration {
	if srv.opts.DrainWindow < 0 {
		return 0
	}
	grace := max(window, handover)
	if deadline, ok := ctx.Deadline(); ok {
		grace = min(grace, time.Until(deadline)/2)
	}
	return max(grace, 0)
}

// sayGoaway has clients open another connection within a time, before this one ends.
func (srv *Server) sayGoaway(sockets []*Socket, after time.Duration) {
	var f conn.Frame
	f.Set(wire.OpText, protocol.Goaway(after, "shutdown"))
	for _, s := range sockets {
		s.conn.SendFrame(&f)
	}
}

// closeSpread closes the sockets in random order, at even and jittered
// distances over the window.
func (srv *Server) closeSpread(ctx context.Context, sockets []*Socket, reason string) {
	mrand.Shuffle(len(sockets), func(i, j int) { sockets[i], sockets[j] = sockets[j], sockets[i] })
	window := srv.window(ctx, len(sockets))
	start := time.Now()
	for i, s := range sockets {
		at := time.Duration((float64(i) + mrand.Float64()) / float64(len(sockets)) * float64(window))
		if wait := at - time.Since(start); wait > time.Millisecond {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		}
		s.Close(StatusGoingAway, reason)
	}
}

// window is the time to spread closes over, leaving half of what the deadline
// allows for the closing handshakes.
func (srv *Server) window(ctx context.Context, n int) time.Duration {
	window := srv.opts.DrainWindow
	if window == 0 {
		window = min(time.Duration(n)*10*time.Millisecond, maxDrainWindow)
	}
	if deadline, ok := ctx.Deadline(); ok {
		window = min(window, time.Until(deadline)/2)
	}
	return max(window, 0)
}

// Dismiss is Close for a client that is not to come back, which one of nextrush.v1 is
// told first; others do what they do after that code.
func (s *Socket) Dismiss(code StatusCode, reason string) error {
	if s.speaks {
		s.conn.Send(wire.OpText, protocol.Farewell(reason))
	}
	return s.Close(code, reason)
}
