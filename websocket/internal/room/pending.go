package room

import (
	"cmp"
	"slices"

	"github.com/nextrush/nextrush/websocket/internal/history"
)

// Pending is what somebody waits for who knows positions; nil is nothing. It is not safe
// from several goroutines.
type Pending struct {
	joins  []Noted
	claims map[string]history.Position // of rooms that it is not in yet
	was    [16]byte
}

// Was is who the client says that it was.
func (p *Pending) Was() (id [16]byte) {
	if p != nil {
		id = p.was
	}
	return id
}

// Be notes who the client says that it was.
func (p *Pending) Be(id [16]byte) { p.was = id }

// Noted is a join from before the 101, when there is no order of events yet.
type Noted struct {
	Room  string
	Since *Claim // nil: nothing is replayed
}

// Note keeps a join, unless there are as many joins as may be. A position takes the place
// of the one before.
func (p *Pending) Note(room string, since *Claim, most int) (ok bool) {
	if i := p.noted(room); i >= 0 {
		p.joins[i].Since = cmp.Or(since, p.joins[i].Since)
		return true
	}
	if len(p.joins) >= most {
		return false
	}
	p.joins = append(p.joins, Noted{room, since})
	return true
}

func (p *Pending) noted(room string) int {
	if p == nil {
		return -1
	}
	return slices.IndexFunc(p.joins, func(j Noted) bool { return j.Room == room })
}

// Noted reports whether a join to the room is kept.
func (p *Pending) Noted(room string) bool { return p.noted(room) >= 0 }

// AppendNoted appends the rooms of the joins.
func (p *Pending) AppendNoted(names []string) []string {
	if p == nil {
		return names
	}
	for _, j := range p.joins {
		names = append(names, j.Room)
	}
	return names
}

// Forget drops a join.
func (p *Pending) Forget(room string) {
	if i := p.noted(room); i >= 0 {
		p.joins = slices.Delete(p.joins, i, i+1)
	}
}

// Take takes all joins.
func (p *Pending) Take() (joins []Noted) {
	if p != nil {
		joins, p.joins = p.joins, nil
	}
	return joins
}

// Claim keeps the position of a room until it is joined, unless there are most.
func (p *Pending) Claim(room string, at history.Position, most int) (ok bool) {
	if p.claims == nil {
		p.claims = make(map[string]history.Position)
	}
	if _, known := p.claims[room]; !known && len(p.claims) >= most {
		return false
	}
	p.claims[room] = at
	return true
}

// Claimed takes the position of a room; nil: there is none.
func (p *Pending) Claimed(room string) *Claim {
	if p == nil {
		return nil
	}
	at, ok := p.claims[room]
	if !ok {
		return nil
	}
	delete(p.claims, room)
	return &Claim{at, true}
}

// Claims is how many positions are kept.
func (p *Pending) Claims() int {
	if p == nil {
		return 0
	}
	return len(p.claims)
}
