package websocket

import (
	"slices"

	"github.com/nextrush/nextrush/internal/loop"
)

// Emitter sends to the sockets of some rooms. It is a value that does not
// change: To, Except and Volatile return another one. A message is encoded
// once and compressed at most once, whatever the number of receivers, and a
// socket that is in several of the rooms gets it once. Safe from any goroutine.
type Emitter struct {
	srv      *Server
	from     *Socket // left out; nil: nobody
	rooms    []string
	except   []string
	volatile bool
}

// To adds a room.
func (e Emitter) To(room string) Emitter {
	e.rooms = append(slices.Clip(e.rooms), room)
	return e
}

// Except leaves out the sockets with these ids.
func (e Emitter) Except(ids ...string) Emitter {
	e.except = append(slices.Clip(e.except), ids...)
	return e
}

// Volatile lets the message be dropped for sockets that are slow to take what
// they have been sent already: good for positions and prices that the next
// message replaces.
func (e Emitter) Volatile() Emitter {
	e.volatile = true
	return e
}

// Send queues a message for every receiver, encoded as Socket.Send does. The
// error is that of encoding; what happens to a single receiver is its own. A
// client's Emitter has no receivers.
func (e Emitter) Send(v any) error {
	p, err := Prepare(v)
	if err != nil {
		return err
	}
	e.deliver(p)
	return nil
}

// Emit queues an event for every receiver; see Socket.Emit.
func (e Emitter) Emit(event string, args ...any) error {
	data, err := encodeEvent(event, args, nil)
	if err != nil {
		return err
	}
	return e.Send(Message{Text, data})
}

// deliver queues p for all, holding no lock but that of one receiver at a
// time, and then has them written: when the batch of the sender ends, or at
// once if there is none.
func (e Emitter) deliver(p *Prepared) {
	receivers := e.receivers()
	flush := make([]loop.Flusher, 0, len(receivers))
	for _, r := range receivers {
		if r == e.from || len(e.except) > 0 && slices.Contains(e.except, r.ID()) {
			continue
		}
		if r.conn.Broadcast(&p.frame, e.volatile) {
			flush = append(flush, &r.conn)
		}
	}
	if len(flush) > 0 {
		e.flush(flush)
	}
}

func (e Emitter) flush(list []loop.Flusher) {
	switch {
	case e.from != nil && e.from.conn.Hold(list):
	case e.from == nil && e.srv.loop.Batching():
		e.srv.loop.Flush(list...)
	default:
		for _, r := range list {
			r.Flush()
		}
	}
}

// receivers lists who is meant, each once.
func (e Emitter) receivers() []*Socket {
	if e.srv == nil {
		return nil
	}
	switch len(e.rooms) {
	case 0:
		return e.srv.crowd.Members()
	case 1:
		return e.srv.hub.Members(e.rooms[0])
	}
	seen := make(map[*Socket]struct{})
	var all []*Socket
	for _, name := range e.rooms {
		for _, s := range e.srv.hub.Members(name) {
			if _, ok := seen[s]; !ok {
				seen[s] = struct{}{}
				all = append(all, s)
			}
		}
	}
	return all
}

// To sends to everyone in a room but the socket itself.
func (s *Socket) To(room string) Emitter {
	return Emitter{srv: s.eng.srv, from: s, rooms: []string{room}}
}

// Broadcast sends to everyone in the rooms, or to everyone if none is
// given, but not to the socket itself.
func (s *Socket) Broadcast(v any, rooms ...string) error {
	return Emitter{srv: s.eng.srv, from: s, rooms: rooms}.Send(v)
}

// To sends to everyone in a room.
func (srv *Server) To(room string) Emitter {
	return Emitter{srv: srv, rooms: []string{room}}
}

// Broadcast sends to everyone in the rooms, or to everyone if none is given.
func (srv *Server) Broadcast(v any, rooms ...string) error {
	return Emitter{srv: srv, rooms: rooms}.Send(v)
}
