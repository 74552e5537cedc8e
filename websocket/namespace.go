package websocket

import (
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/hub"
)

const mainShards = 32 // of the rooms of the default namespace; the others have one each

// Namespace is a set of sockets with rooms of their own: a room of that name in
// another namespace is another room. A socket is in exactly one, from before its 101 to
// its end: the one that accepted it. A namespace costs a few hundred bytes, and only
// while somebody is in it or has a pointer to it, so each tenant can have one. Its
// methods are safe from any goroutine.
type Namespace struct {
	*engine
	name  string
	hub   *hub.Hub[*Socket]
	crowd *hub.Crowd[*Socket] // who is open
	conns *conn.Config        // of its sockets; its Messages are the namespace's
	total atomic.Int64        // sockets so far
}

// NamespaceStats is a snapshot of the counters of a namespace. Counts are since it
// was made, unless they say "now"; it starts anew after nobody was in it and
// nobody had a pointer to it.
type NamespaceStats struct {
	Connections      int64 `json:"connections"` // now
	TotalConnections int64 `json:"totalConnections"`
	MessagesSent     int64 `json:"messagesSent"` // wholly handed to the system
	MessagesReceived int64 `json:"messagesReceived"`
	Rooms            int64 `json:"rooms"` // now
}

// Namespace returns the namespace of that name, which is made if there is none. "" is
// the default one, whose sockets Server.Accept and Server.Upgrade accept.
func (srv *Server) Namespace(name string) *Namespace {
	if name == "" {
		return srv.main
	}
	return srv.spaces.Use(name, func() (*Namespace, *conn.Messages) {
		ns := srv.newNamespace(name, 1)
		return ns, ns.conns.Messages
	})
}

// Namespaces lists the namespaces that have somebody in them, in no order.
func (srv *Server) Namespaces() []*Namespace {
	all := append(srv.spaces.List(), srv.main)
	return slices.DeleteFunc(all, func(ns *Namespace) bool { return len(ns.crowd.Members()) == 0 })
}

// everyone lists the open sockets of all namespaces. The list must not be changed.
func (srv *Server) everyone() []*Socket {
	all := srv.main.crowd.Members()
	others := srv.spaces.List()
	if len(others) == 0 {
		return all
	}
	lists := [][]*Socket{all}
	for _, ns := range others {
		lists = append(lists, ns.crowd.Members())
	}
	return slices.Concat(lists...)
}

func (e *engine) newNamespace(name string, shards int) *Namespace {
	ns := &Namespace{
		engine: e,
		name:   name,
		hub:    hub.New[*Socket](&e.limits, shards),
		crowd:  hub.NewCrowd(indexOf),
	}
	if e.srv != nil && e.opts.Broker != nil {
		ns.hub.Changed = ns.roomChanged
	}
	cfg := e.conns
	cfg.Messages = new(conn.Messages)
	ns.conns = &cfg
	return ns
}

func indexOf(s *Socket) *int32 { return &s.index }

// Name is the name given to [Server.Namespace].
func (ns *Namespace) Name() string { return ns.name }

// Accept is [Server.Accept] for a socket in this namespace.
func (ns *Namespace) Accept(w http.ResponseWriter, r *http.Request) (*Handshake, error) {
	if ns.srv == nil {
		return nil, &HandshakeError{Status: http.StatusInternalServerError, Message: "a client's namespace accepts no sockets"}
	}
	h, refused := ns.accept(w, r)
	if refused != nil {
		return nil, refused
	}
	return h, nil
}

// Upgrade is [Server.Upgrade] for a socket in this namespace.
func (ns *Namespace) Upgrade(w http.ResponseWriter, r *http.Request, handler func(*Socket) error) error {
	h, err := ns.Accept(w, r)
	return openOrAnswer(w, h, err, handler)
}

// To sends to everyone in a room of the namespace.
func (ns *Namespace) To(room string) Emitter { return ns.All().To(room) }

// All sends to everyone in the namespace.
func (ns *Namespace) All() Emitter { return Emitter{ns: ns} }

// Broadcast sends to everyone in the rooms of the namespace, or to everyone in it if
// none is given.
func (ns *Namespace) Broadcast(v any, rooms ...string) error {
	return ns.All().toRooms(rooms).Send(v)
}

// Rooms lists the rooms of the namespace that have somebody in them.
func (ns *Namespace) Rooms() []string { return ns.hub.Names() }

// SocketsIn lists the sockets in a room of the namespace.
func (ns *Namespace) SocketsIn(room string) []*Socket { return slices.Clone(ns.hub.Members(room)) }

// Sockets lists the open sockets of the namespace.
func (ns *Namespace) Sockets() []*Socket { return slices.Clone(ns.crowd.Members()) }

// Socket returns the open socket with that id if it is in the namespace, or nil.
func (ns *Namespace) Socket(id string) *Socket {
	if ns.srv == nil {
		return nil
	}
	if s := ns.srv.Socket(id); s != nil && s.ns == ns {
		return s
	}
	return nil
}

// Stats returns a snapshot of the counters.
func (ns *Namespace) Stats() NamespaceStats {
	return NamespaceStats{
		Connections:      int64(len(ns.crowd.Members())),
		TotalConnections: ns.total.Load(),
		MessagesSent:     ns.conns.Messages.Sent.Load(),
		MessagesReceived: ns.conns.Messages.Received.Load(),
		Rooms:            ns.hub.Count(),
	}
}

// Namespace is the one that the socket is in; that of a client has nobody in it.
func (s *Socket) Namespace() *Namespace { return s.ns }
