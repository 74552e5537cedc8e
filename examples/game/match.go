package main

import (
	"context"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

// match is an arena with those who play and watch. Its goroutine alone touches the arena;
// others hand it what is to be done between two ticks.
type match struct {
	name    string
	all     websocket.Emitter // its sockets
	bots    int               // that play while there are seats
	todo    chan func()
	stop    context.CancelFunc
	stopped <-chan struct{}
	sockets int // guarded by the lobby's mu

	arena *arena
}

// visitor is a socket in a match, with or without a ship.
type visitor struct {
	inputs chan input
	player *player // of the match's goroutine
}

// inputsKept is how many inputs of a visitor may wait for a tick. More are dropped.
const inputsKept = 64

func newVisitor() *visitor { return &visitor{inputs: make(chan input, inputsKept)} }

// hear is what the socket's callback does with a message: it never waits.
func (v *visitor) hear(m websocket.Message) error {
	if m.Type != websocket.Binary {
		return errInput
	}
	in, err := decodeInput(m.Bytes())
	if err != nil {
		return err
	}
	select {
	case v.inputs <- in:
	default:
	}
	return nil
}

// run plays until the context ends. Ticks follow the clock: pages reckon with that.
func (m *match) run(ctx context.Context) {
	tick := time.NewTicker(time.Second / hertz)
	defer tick.Stop()
	began, done := time.Now(), 0
	for {
		select {
		case <-tick.C:
			due := int(time.Since(began) * hertz / time.Second)
			for done = max(done, due-hertz); done < due; done++ { // more than one, if the machine is busy
				m.arena.step()
			}
			m.all.Volatile().Send(m.arena.snapshot()) // who is slow gets a later one
		case f := <-m.todo:
			f()
		case <-ctx.Done():
			return
		}
	}
}

// do has the match's goroutine run f, and waits for that. It reports false if the match
// has ended.
func (m *match) do(f func()) bool {
	done := make(chan struct{})
	select {
	case m.todo <- func() { defer close(done); f() }:
		<-done
		return true
	case <-m.stopped:
		return false
	}
}

// sit gives a visitor a seat, if one is free or a bot has one, and a name. A visitor who
// has a seat, and comes back, keeps it.
func (m *match) sit(v *visitor, name string) {
	defer m.announce()
	if v.player != nil {
		v.player.name = name
		return
	}
	seat := m.free()
	if seat < 0 {
		return
	}
	tick := m.arena.tick
	v.player = &player{ship: start(seat), name: name, inputs: v.inputs, ack: tick, now: input{tick: tick}}
	m.arena.players[seat] = v.player
	m.invite()
}

// free is a seat that nobody has but perhaps a bot; -1: there is none.
func (m *match) free() int {
	bot := -1
	for seat, p := range m.arena.players {
		if p == nil {
			return seat
		}
		if p.inputs == nil {
			bot = seat
		}
	}
	return bot
}

// rise frees a visitor's seat.
func (m *match) rise(v *visitor) {
	if seat := m.seat(v); seat >= 0 {
		m.arena.players[seat], v.player = nil, nil
		m.invite()
	}
	m.announce()
}

// seat is that of a visitor; -1: it watches.
func (m *match) seat(v *visitor) int {
	for seat, p := range m.arena.players {
		if p != nil && p == v.player {
			return seat
		}
	}
	return -1
}

// invite has as many bots play as there should be.
func (m *match) invite() {
	names := [...]string{"Ada", "Linus", "Grace", "Ken", "Barbara", "Rob", "Margaret", "Dennis"}
	bots := 0
	for seat, p := range m.arena.players {
		if p != nil && p.inputs == nil {
			bots++
		}
		if p == nil && bots < m.bots {
			m.arena.players[seat] = &player{ship: start(seat), name: names[seat]}
			bots++
		}
	}
}

// seated is somebody who plays, as pages are told.
type seated struct {
	Seat int    `json:"seat"`
	Name string `json:"name"`
	Bot  bool   `json:"bot"`
}

// announce tells everybody who plays.
func (m *match) announce() {
	list := []seated{}
	for seat, p := range m.arena.players {
		if p != nil {
			list = append(list, seated{seat, p.name, p.inputs == nil})
		}
	}
	m.all.Emit("players", list)
}
