package websocket

import (
	"container/list"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/nextrush/nextrush/internal/pace"
	"github.com/nextrush/nextrush/internal/seldom"
	"github.com/nextrush/nextrush/internal/transport"
	"github.com/nextrush/nextrush/websocket/internal/cluster"
	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/handshake"
	"github.com/nextrush/nextrush/websocket/internal/protocol"
	"github.com/nextrush/nextrush/websocket/internal/room"
	"github.com/nextrush/nextrush/websocket/internal/spaces"
	"github.com/nextrush/nextrush/websocket/internal/spread"
)

// Server accepts sockets on any net/http router and knows all of them. Its
// methods are safe from any goroutine.
type Server struct {
	engine
	origins handshake.Origins
	spaces  *spaces.Spaces[Namespace]
	started time.Time

	refusals seldom.Log // of upgrades
	paces    pace.Known
	beats    *spread.Beats

	mu       sync.Mutex // guards the fields below
	byID     map[[16]byte]*Socket
	byIP     map[string]int // by clientip.Network
	admitted int            // sockets and upgrades under way
	live     int            // sockets whose end has not been told
	draining bool
	idle     chan struct{} // closed when live reaches 0 while draining

	told   *room.Rooms[*Socket] // nil: no room has more than members
	node   *cluster.Node        // nil: there are no others
	checks solo                 // of rooms with history, by node
	parked list.List            // of *Socket, guarded by mu: those that nobody comes for; who has waited longest comes first
}

// NewServer makes a server. It panics on a mistake in the options; the text
// says which.
func NewServer(opts Options) *Server {
	opts, err := opts.withDefaults()
	if err != nil {
		panic(err)
	}
	allowed, err := handshake.ParseOrigins(opts.AllowOrigins, opts.TrustOrigin)
	if err != nil {
		panic(err)
	}
	srv := &Server{
		origins: allowed,
		started: time.Now(),
		byID:    make(map[[16]byte]*Socket),
		byIP:    make(map[string]int),
		beats:   spread.NewBeats(),
		spaces:  spaces.New[Namespace](),
	}
	srv.engine.init(opts, srv)
	if srv.told, err = srv.newRooms(); err != nil {
		panic(err)
	}
	if err = srv.startNode(); err != nil {
		panic(err)
	}
	return srv
}

// Sockets lists the open sockets of all namespaces.
func (srv *Server) Sockets() []*Socket { return slices.Clone(srv.everyone()) }

// Socket returns the open socket with that id, in whatever namespace, or nil.
func (srv *Server) Socket(id string) *Socket {
	key, ok := parseID(id)
	if !ok {
		return nil
	}
	return srv.byKey(key)
}

func (srv *Server) byKey(id [16]byte) *Socket {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.byID[id]
}

// Rooms lists the rooms of the default namespace that have somebody in them.
func (srv *Server) Rooms() []string { return srv.main.Rooms() }

// SocketsIn lists the sockets in a room of the default namespace.
func (srv *Server) SocketsIn(room string) []*Socket { return srv.main.SocketsIn(room) }

// register makes an open socket known, unless the server is shutting down. If there are
// more than may be, the one that has been parked longest ends.
func (srv *Server) register(s *Socket) bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.draining {
		return false
	}
	srv.byID[s.id] = s
	srv.live++
	if most := srv.opts.MaxConnections; most > 0 && len(srv.byID) > most {
		srv.evictLocked()
	}
	c := &srv.stats
	c.Total.Add(1)
	c.Peak.Store(max(c.Peak.Load(), int64(len(srv.byID))))
	s.ns.total.Add(1)
	s.ns.crowd.Add(s)
	return true
}

func (srv *Server) unregister(s *Socket) {
	s.ns.crowd.Remove(s)
	srv.mu.Lock()
	defer srv.mu.Unlock()
	delete(srv.byID, s.id)
	srv.countLocked(s.ip, -1)
	srv.bequeathLocked(s)
}

// gone counts out a socket that has ended and told so.
func (srv *Server) gone() {
	srv.mu.Lock()
	srv.live--
	if srv.live == 0 && srv.idle != nil {
		close(srv.idle)
	}
	srv.mu.Unlock()
}

func newID() (id [16]byte) {
	rand.Read(id[:])
	return id
}

// Shutdown refuses new upgrades with 503, closes all sockets with 1001, spread
// over DrainWindow so that their clients do not all come back at once, and
// waits until they have ended and their handlers have returned. Those of
// nextrush.v1 are told at once, and closed after the window, of at least 2 s for
// them, unless they have gone to another server by then. When ctx ends
// first, the rest is cut and counted, and the error says how many.
func (srv *Server) Shutdown(ctx context.Context) error {
	sockets, idle := srv.drain()
	if srv.node != nil {
		srv.node.Leave()
		defer srv.node.Close(ctx) // what sockets say at their end is published
	}
	srv.farewell(ctx, sockets, idle)
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
	}
	left := srv.Sockets()
	for _, s := range left {
		s.conn.Drop(context.Cause(ctx))
	}
	srv.stats.Forced.Add(int64(len(left)))
	if len(left) == 0 {
		return fmt.Errorf("websocket: shutdown: handlers still run: %w", ctx.Err())
	}
	return fmt.Errorf("websocket: shutdown: %d sockets were cut: %w", len(left), ctx.Err())
}

// drain refuses newcomers and lists who is there.
func (srv *Server) drain() ([]*Socket, chan struct{}) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.draining = true
	srv.told.Stop()
	if srv.idle == nil {
		srv.idle = make(chan struct{})
		if srv.live == 0 {
			close(srv.idle)
		}
	}
	sockets := make([]*Socket, 0, len(srv.byID))
	for _, s := range srv.byID {
		sockets = append(sockets, s)
	}
	return sockets, srv.idle
}

// farewell closes the sockets of a server that shuts down. All reasons tell when to come
// back, for plain clients too.
func (srv *Server) farewell(ctx context.Context, sockets []*Socket, idle chan struct{}) {
	reason := protocol.RetryReason("server is shutting down", 0, srv.spread())
	plain, speaking, parked := parted(sockets)
	for _, s := range parked {
		s.Close(StatusGoingAway, reason)
	}
	grace := spread.Grace(ctx, srv.opts.DrainWindow, spread.Drain(ctx, srv.opts.DrainWindow, len(sockets)))
	over := time.After(grace)
	sayGoaway(speaking, grace/2)
	spread.Each(ctx, plain, spread.Drain(ctx, srv.opts.DrainWindow, len(plain)), func(s *Socket) { s.Close(StatusGoingAway, reason) })
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

func parted(sockets []*Socket) (plain, speaking, parked []*Socket) {
	for _, s := range sockets {
		switch {
		case !s.speaks:
			plain = append(plain, s)
		case s.conn.Parked():
			parked = append(parked, s)
		default:
			speaking = append(speaking, s)
		}
	}
	return plain, speaking, parked
}

// sayGoaway has clients open another connection within a time, before this one ends.
func sayGoaway(sockets []*Socket, after time.Duration) {
	frame := conn.TextFrame(protocol.Goaway(after, "shutdown"))
	for _, s := range sockets {
		s.conn.Tell(frame)
	}
}

// Close cuts all sockets without a handshake.
func (srv *Server) Close() error {
	sockets, _ := srv.drain()
	for _, s := range sockets {
		s.conn.Drop(ErrServerClosed)
	}
	if srv.node != nil {
		return srv.node.Close(context.Background())
	}
	return nil
}

// PollListener wraps the listener of a TLS server of package net/http, so that a
// wss socket needs no goroutine while nothing arrives (see Options.DisablePolling):
//
//	server.ServeTLS(websocket.PollListener(ln), "cert.pem", "key.pem")
//
// It changes nothing else. nextrush.App does it by itself.
func PollListener(ln net.Listener) net.Listener { return transport.Listen(ln) }
