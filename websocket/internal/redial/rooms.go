package redial

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
)

const (
	mostHeld = 1024 // live messages of a room while its replay is under way
	mostMids = 1024 // emits to several rooms that are remembered
)

// room is the client's view of a room: the server decides who is in it.
//
// Within one connection messages of a room come in order, and a number that is left out
// was not for us. So what may be missing is only what was sent between two connections:
// from the hello to "synced" live messages are held back, and replayed ones go first.
type room struct {
	name     string
	joined   bool
	position *Position // nil: none is known
	asked    bool      // joined because we asked: after a new session we have to ask again
	syncing  bool      // the answer to a position of ours is awaited
	held     []*frame  // meanwhile
	start    *Position // of what is held; nil: the server has not let us in since
	unasked  bool      // meanwhile the server replays by itself, which is not the answer
	late     bool      // meanwhile what an old connection says counts
	crowd    *crowd    // who is there; nil: nobody wants to know
}

func (r *room) reset(p Position) {
	r.position, r.syncing, r.held, r.start, r.unasked = &p, true, nil, nil, false
}

func (r *room) left() {
	r.asked, r.joined = false, false
	r.position, r.syncing, r.held = nil, false, nil
}

type rooms struct {
	c    *Client
	all  map[string]*room
	mids map[string]bool
	mid  []string // in order
}

func (r *rooms) get(name string) *room {
	x := r.all[name]
	if x == nil {
		x = &room{name: name}
		r.all[name] = x
	}
	return x
}

// inOrder lists the rooms by name.
func (r *rooms) inOrder() []*room {
	return slices.SortedFunc(maps.Values(r.all), func(a, b *room) int {
		if a.name < b.name {
			return -1
		}
		return 1
	})
}

// join asks for a room, from since on or, if that is nil, from where we are.
func (r *rooms) join(x *room, since *Position, done func(recovered bool, err error)) (current func() *Pending) {
	if since == nil {
		since = x.position
	}
	if since != nil {
		x.reset(*since)
	}
	return r.ask(out{Type: "join", Room: x.name, Since: since}, func(reply *Event, err error) {
		answer := struct{ Recovered bool }{true}
		if err == nil {
			x.asked, x.joined = true, true
			reply.read(&answer)
		}
		done(answer.Recovered, err)
	})
}

// read decodes the first argument, as far as that is possible.
func (e *Event) read(v any) {
	if len(e.Args) > 0 {
		json.Unmarshal(e.Args[0], v)
	}
}

func (r *rooms) leave(x *room, done func(error)) (current func() *Pending) {
	x.asked = false
	return r.ask(out{Type: "leave", Room: x.name}, func(_ *Event, err error) {
		if err == nil {
			x.left()
		}
		done(err)
	})
}

// ask sends what is asked again in the next session. The answer of a session that was
// left meanwhile says nothing of the present one.
func (r *rooms) ask(o out, done func(*Event, error)) (current func() *Pending) {
	var p *Pending
	var ask func()
	ask = func() {
		p = r.c.ask(o, nil, Manner{Retry: true}, func(reply *Event, err error) {
			if err == nil && p.session != r.c.session {
				ask()
				return
			}
			done(reply, err)
		})
	}
	ask()
	return func() *Pending { return p }
}

// since has what came after p replayed.
func (r *rooms) since(x *room, p Position) {
	x.reset(p)
	r.c.send(out{Type: "sync", Rooms: map[string]Position{x.name: p}})
}

func (r *rooms) jump(x *room, to *Position, why string) {
	from := x.position
	x.position, x.syncing, x.held = to, false, nil
	r.c.tell(0, func(app App) { app.Gap(Gap{x.name, from, to, why}) })
}

// lost begins a new session: the server has forgotten which rooms we were in. It returns
// the positions to ask from.
func (r *rooms) lost(history bool) map[string]Position {
	ask := make(map[string]Position)
	for _, x := range r.inOrder() {
		x.joined = false
		if x.position != nil && !history {
			r.jump(x, nil, "epoch")
		}
		x.late = !x.syncing // an old connection has caught up, and the new one has not
		if x.position != nil && !x.asked {
			x.reset(*x.position)
		}
		if x.syncing && !x.asked {
			ask[x.name] = *x.position
		}
	}
	return ask
}

// rejoin asks for the rooms that we had asked for before. A refusal is for good.
func (r *rooms) rejoin() {
	for _, x := range r.inOrder() {
		if !x.asked {
			continue
		}
		x.asked = false // until the answer
		r.join(x, nil, func(_ bool, err error) {
			if _, refused := errors.AsType[*Refusal](err); refused {
				x.left()
			} else if err != nil {
				x.asked = true
			}
		})
	}
}

// event takes an event; late tells that it came over a connection that is being replaced.
func (r *rooms) event(f *frame, late bool) {
	if f.Offset != nil && !r.isNext(f, late) {
		return
	}
	if f.Mid == "" || !r.repeated(f.Mid) {
		r.c.tell(len(f.Data)+len(f.bytes), func(app App) { app.Event(f.event()) })
	}
}

// isNext reports whether an event with an offset is to be handed on now. The position
// moves before that.
func (r *rooms) isNext(f *frame, late bool) bool {
	x := r.get(f.Room)
	if late && !(x.syncing && x.late) {
		return false
	}
	if x.position == nil {
		return true
	}
	if x.syncing && !late && (!f.Replayed || x.unasked) {
		r.hold(x, f)
		return false
	}
	if *f.Offset <= x.position.Offset {
		return false
	}
	x.position = &Position{Epoch: x.position.Epoch, Offset: *f.Offset}
	return true
}

// hold keeps a live event until the replay has ended.
func (r *rooms) hold(x *room, f *frame) {
	if x.held = append(x.held, f); len(x.held) > mostHeld {
		r.jump(x, &Position{Epoch: x.position.Epoch, Offset: *f.Offset}, "overflow")
	}
}

// repeated reports whether an emit to several rooms has come by another.
func (r *rooms) repeated(mid string) bool {
	if r.mids[mid] {
		return true
	}
	r.mids[mid] = true
	if r.mid = append(r.mid, mid); len(r.mid) > mostMids {
		delete(r.mids, r.mid[0])
		r.mid = r.mid[1:]
	}
	return false
}

// take takes a message about a room.
func (r *rooms) take(f *frame) {
	switch f.Type {
	case "joined":
		x := r.get(f.Room)
		x.joined = true
		switch p := f.position(); {
		case p != nil && x.syncing:
			x.start, x.unasked = p, f.Replayed
		case p != nil:
			x.position = p
		}
	case "left":
		r.get(f.Room).left()
	case "synced":
		r.synced(r.get(f.Room), f)
	case "presence":
		r.present(r.get(f.Room), f)
	}
}

// synced tells that a replay has ended, also one that we have not asked for, or that there
// is none.
func (r *rooms) synced(x *room, f *frame) {
	held, to := x.held, f.position()
	switch {
	case x.syncing && x.unasked:
		x.unasked = false
		return
	case x.position == nil:
		return
	case !f.Recovered:
		why := "epoch"
		if f.Epoch == x.position.Epoch {
			why = "expired"
		}
		if x.syncing {
			to = cmp.Or(x.start, to)
		}
		r.jump(x, to, why)
	case to != nil && to.Offset > x.position.Offset:
		x.position = to
	}
	x.syncing, x.held = false, nil
	for _, f := range held {
		r.event(f, false)
	}
}

// isSyncing reports whether a replay is under way.
func (r *rooms) isSyncing() bool {
	for _, x := range r.all {
		if x.syncing {
			return true
		}
	}
	return false
}

// end notes that we are in no room any more.
func (r *rooms) end() {
	for _, x := range r.all {
		x.joined = false
	}
}

// isOfRooms reports whether messages of a type are for rooms.
func isOfRooms(kind string) bool {
	return kind == "joined" || kind == "left" || kind == "synced" || kind == "presence"
}
