package room

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/history"
	"github.com/nextrush/nextrush/websocket/internal/protocol"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// Shared is what several nodes have of rooms: a history, and who is there. The ring of a room that this node watches
// mirrors it: it has all that is kept, so that who comes back asks nobody else.
type Shared interface {
	// Since is what a room has after a position, of that the first limit; ErrGone.
	Since(ctx context.Context, key history.Key, after history.Position, limit int) ([]Arrival, history.Position, error)
	// Watched is which watch of a room is in force, of which none is 0; each is another.
	Watched(key history.Key) uint64
	// Tell sends what other nodes Hear. It is called while the room is locked.
	Tell(key history.Key, data []byte) error
	// Meet has a room Meet, soon.
	Meet(key history.Key)
	// Leaving reports whether this node has said goodbye, and how long ago.
	Leaving() (since time.Duration, going bool)
}

// ErrGone says that a shared history does not have all any more.
var ErrGone = errors.New("room: what came after that position is gone")

// Arrival is an event of a shared history.
type Arrival struct {
	At          history.Position
	Text, Bytes []byte // nil: it has no such form
	Except      [][16]byte
	ExceptRooms []string
	Before      []string // rooms whose members have got it who know no positions
	Mid         string
	Source      Source
}

// Source is an event as it was published, for Tails.
type Source interface {
	// Origin is the node that has published it, and its number, which rises in a room.
	Origin() (node [16]byte, number uint64)
}

// repairs are the rooms whose rings are brought up to what is shared.
type repairs struct {
	mu    sync.Mutex // guards open and the fields of each
	open  map[history.Key]*repair
	slots chan struct{}
}

type repair struct {
	held  []*Arrival
	bytes int
	full  bool // more has come than may be held
	done  chan struct{}
}

const (
	maxHeld      = 256
	maxHeldBytes = 1 << 20
	readTimeout  = 5 * time.Second
	maxReads     = 16 // at once
)

// Arrive takes an event of a shared history. The caller flushes.
func (rs *Rooms[S]) Arrive(key history.Key, a *Arrival) (flush []loop.Flusher) {
	opts := rs.Of(key.Room)
	if !opts.Keeps() {
		return nil
	}
	r := rs.lock(key, opts)
	defer r.Unlock()
	flush, next := rs.place(r, key, a) // also while what may be missing is read
	watch := rs.shared.Watched(key)
	if !next {
		if r.Ahead.Epoch != r.Position().Epoch || r.Ahead.Epoch == a.At.Epoch {
			r.Ahead = a.At
		}
		if rs.repairs.hold(key, a) {
			return nil
		}
	}
	switch {
	case watch == 0: // who comes reads it
	case !next:
		rs.start(context.Background(), key, opts, a)
	case r.Watch != watch:
		rs.start(context.Background(), key, opts, nil)
	}
	return flush
}

// place adds an event that comes next and queues it. Of one that is there already it does
// nothing; next is false if something is missing before it.
func (rs *Rooms[S]) place(r *locked, key history.Key, a *Arrival) (flush []loop.Flusher, next bool) {
	at := r.Position()
	if a.At.Epoch != at.Epoch || a.At.Offset > at.Offset+1 {
		return nil, false
	}
	if a.At.Offset <= at.Offset {
		return nil, true
	}
	return rs.add(r, key, a, rs.sockets.Members(key)), true
}

// add adds an event and queues it, unless members have got it in an earlier epoch: the node
// has sent it again to an engine that had lost it.
func (rs *Rooms[S]) add(r *locked, key history.Key, a *Arrival, members []S) (flush []loop.Flusher) {
	node, number := a.Source.Origin()
	if last := r.Before[node]; number != 0 && number <= last {
		members = nil
	}
	k := rs.emitting(key, a)
	k.keep(r, key, members)
	return k.flush
}

// emitting is an event that has arrived, for one room.
func (rs *Rooms[S]) emitting(key history.Key, a *Arrival) *emitting[S] {
	k := &emitting[S]{Emit: &Emit[S]{Namespace: key.Namespace, Except: slices.Clone(a.Except)}, rs: rs, mid: a.Mid, source: a.Source}
	k.Text = frameOf(wire.OpText, a.Text)
	k.Binary = frameOf(wire.OpBinary, a.Bytes)
	for _, room := range a.ExceptRooms {
		for _, s := range rs.sockets.Members(k.key(room)) {
			k.Except = append(k.Except, rs.sockets.ID(s))
		}
	}
	slices.SortFunc(k.Except, compareIDs)
	if len(a.Before) > 0 {
		k.seen = make(map[S]struct{})
	}
	for _, room := range a.Before {
		for _, s := range rs.sockets.Members(k.key(room)) {
			if !rs.sockets.Speaks(s) {
				k.seen[s] = struct{}{}
			}
		}
	}
	return k
}

func frameOf(op wire.Opcode, payload []byte) *conn.Frame {
	if payload == nil {
		return nil
	}
	f := new(conn.Frame)
	f.Set(op, payload)
	return f
}

// repair reads what is missing until nothing is, or a read fails.
func (rs *Rooms[S]) repair(ctx context.Context, key history.Key, opts *Options[S]) {
	rs.repairs.slots <- struct{}{}
	defer func() { <-rs.repairs.slots }()
	for more := true; more; {
		watch := rs.shared.Watched(key)
		p, err := rs.read(ctx, key, opts)
		if watch == 0 || err != nil {
			rs.abandon(key, opts)
			return
		}
		more = rs.apply(key, opts, watch, p)
	}
}

// page is what was read for a ring that was at a position.
type page struct {
	at   history.Position // zero: it was none of the shared history
	list []Arrival
	top  history.Position
	gone bool // what came after at cannot be told: list is all that is kept
}

// follows reports whether nothing is missing between a position and what was read.
func (p *page) follows(at history.Position) bool {
	return at.Epoch == p.top.Epoch && (p.top.Offset <= at.Offset || len(p.list) > 0 && p.list[0].At.Offset <= at.Offset+1)
}

// read reads what a ring lacks.
func (rs *Rooms[S]) read(ctx context.Context, key history.Key, opts *Options[S]) (p page, err error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	p.at = rs.common(key, opts)
	p.list, p.top, err = rs.shared.Since(ctx, key, p.at, opts.Limits.Messages)
	p.gone = p.at == (history.Position{})
	if !p.gone && errors.Is(err, ErrGone) {
		p.gone = true
		p.list, p.top, err = rs.shared.Since(ctx, key, history.Position{}, opts.Limits.Messages)
	}
	return p, err
}

// common is the position of a ring in the shared history; zero: it has none.
func (rs *Rooms[S]) common(key history.Key, opts *Options[S]) (at history.Position) {
	r := rs.lock(key, opts)
	defer r.Unlock()
	if r.Common {
		at = r.Position()
	}
	return at
}

// apply adds what was read, and then what has come meanwhile. more: something is missing
// still.
func (rs *Rooms[S]) apply(key history.Key, opts *Options[S], watch uint64, p page) (more bool) {
	flush, more := rs.applyLocked(key, opts, watch, p)
	for _, f := range flush {
		f.Flush()
	}
	return more
}

func (rs *Rooms[S]) applyLocked(key history.Key, opts *Options[S], watch uint64, p page) (flush []loop.Flusher, more bool) {
	r := rs.lock(key, opts)
	defer r.Unlock()
	switch at := r.Position(); {
	case p.gone && (!r.Common || at == p.at):
		flush = rs.restart(r, key, p.list, p.top)
	case p.gone && !p.follows(at):
		return nil, true // what came next has come meanwhile, and more is missing now
	default:
		flush, more = rs.placeAll(r, key, pointers(p.list))
		more = more || r.Position().Offset < p.top.Offset
	}
	if more && len(p.list) > 0 {
		return flush, true
	}
	held, full := rs.repairs.take(key)
	late, missing := rs.placeAll(r, key, held)
	flush = append(flush, late...)
	if missing || full {
		return flush, true // what was held is read anew
	}
	if rs.repairs.end(key) {
		r.Watch = watch
		return flush, false
	}
	return flush, true
}

func pointers(list []Arrival) (all []*Arrival) {
	for i := range list {
		all = append(all, &list[i])
	}
	return all
}

func (rs *Rooms[S]) placeAll(r *locked, key history.Key, list []*Arrival) (flush []loop.Flusher, missing bool) {
	for _, a := range list {
		more, next := rs.place(r, key, a)
		flush = append(flush, more...)
		if !next {
			return flush, true
		}
	}
	return flush, false
}

// restart fills a ring with all that is kept. Members have missed what nobody can tell any
// more: those who know positions are told from where they go on. What has come since they
// get, unless it is too much, or the ring was none of the shared history: then it may be
// older than they are.
func (rs *Rooms[S]) restart(r *locked, key history.Key, list []Arrival, top history.Position) (flush []loop.Flusher) {
	members, from := rs.sockets.Members(key), len(list)
	if at := r.Position(); r.Common && rs.fits(list) && (at.Epoch != top.Epoch || len(list) > 0 && at.Offset < list[0].At.Offset) {
		from = 0
	}
	before := top
	if len(list) > 0 {
		before.Offset = list[0].At.Offset - 1
	}
	if r.Position().Epoch != top.Epoch {
		rs.remember(r, key)
	}
	r.Adopt(before)
	r.Common = true
	for i := range list[:from] {
		rs.add(r, key, &list[i], nil)
	}
	for _, s := range members {
		if rs.sockets.Speaks(s) {
			c := rs.sockets.Conn(s)
			if write, _ := c.Broadcast(textFrame(protocol.Synced(key.Room, false, r.Position())), conn.Manner{}); write {
				flush = append(flush, c)
			}
		}
	}
	for i := range list[from:] {
		flush = append(flush, rs.add(r, key, &list[from+i], members)...)
	}
	return flush
}

// maxBefore is how many nodes are remembered in a room.
const maxBefore = 256

// remember notes what has come in an epoch that ends, as far as it is here.
func (rs *Rooms[S]) remember(r *locked, key history.Key) {
	if len(r.Before) >= maxBefore {
		r.Before = nil // most are long gone
	}
	for _, e := range r.Last(rs.Of(key.Room).Limits.Messages, rs.cfg.Clock()) {
		if e.source == nil {
			continue
		}
		if r.Before == nil {
			r.Before = make(map[[16]byte]uint64)
		}
		node, number := e.source.Origin()
		r.Before[node] = max(r.Before[node], number)
	}
}

// abandon ends a repair that could not read. The next that watches or checks begins anew.
func (rs *Rooms[S]) abandon(key history.Key, opts *Options[S]) {
	r := rs.lock(key, opts)
	defer r.Unlock()
	r.Watch = 0
	rs.repairs.take(key)
	rs.repairs.end(key)
}

// lastShared reads the newest events of a room that is not mirrored.
func (rs *Rooms[S]) lastShared(ctx context.Context, key history.Key, opts *Options[S], n int) (texts [][]byte, top history.Position, err error) {
	limit := opts.Limits.Messages
	if n <= 0 {
		limit = 0
	}
	list, top, err := rs.shared.Since(ctx, key, history.Position{}, limit)
	for _, a := range list[max(len(list)-n, 0):] {
		texts = append(texts, a.Text)
	}
	return texts, top, err
}

// hold keeps an event for a repair under way, if there is one. What there is no room for
// is read.
func (p *repairs) hold(key history.Key, a *Arrival) (held bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.open[key]
	if x == nil {
		return false
	}
	x.hold(a)
	return true
}

func (x *repair) hold(a *Arrival) {
	size := len(a.Text) + len(a.Bytes)
	if x.full = x.full || len(x.held) == maxHeld || x.bytes+size > maxHeldBytes; !x.full {
		x.held, x.bytes = append(x.held, a), x.bytes+size
	}
}

// begin begins a repair, unless there is one. a is an event that has come, or nil.
func (p *repairs) begin(key history.Key, a *Arrival) (x *repair, fresh bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		p.open, p.slots = make(map[history.Key]*repair), make(chan struct{}, maxReads)
	}
	if x = p.open[key]; x == nil {
		x, fresh = &repair{done: make(chan struct{})}, true
		p.open[key] = x
	}
	if a != nil {
		x.hold(a)
	}
	return x, fresh
}

// take takes what is held. full: more has come after that.
func (p *repairs) take(key history.Key) (held []*Arrival, full bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.open[key]
	held, full = x.held, x.full
	x.held, x.bytes, x.full = nil, 0, false
	return held, full
}

// end ends a repair, unless something is held. The room is locked.
func (p *repairs) end(key history.Key) (ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x := p.open[key]
	if len(x.held) > 0 {
		return false
	}
	delete(p.open, key)
	close(x.done)
	return true
}
