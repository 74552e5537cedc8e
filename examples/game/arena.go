package main

import "math/rand/v2"

const (
	hertz      = 30
	maxPlayers = 8
	maxGems    = 60
	maxScore   = 999

	ticksOfRound = 120 * hertz
	ticksOfPause = 10 * hertz // with the scores, before the next round
)

type phase byte

const (
	playing phase = iota
	pausing
)

// arena is the state of a match. It belongs to one goroutine, which sends what it has
// become with each tick.
type arena struct {
	tick    int
	phase   phase
	left    int // ticks of the phase
	players [maxPlayers]*player
	gems    []uint16 // the cells where they lie
}

func newArena() *arena { return &arena{left: ticksOfRound} }

func (a *arena) count() (n int) {
	for _, p := range a.players {
		if p != nil {
			n++
		}
	}
	return n
}

// step is one tick.
func (a *arena) step() {
	a.tick++
	if a.left--; a.left == 0 {
		a.turn()
	}
	for _, p := range a.players {
		if p != nil {
			p.hurt = max(0, p.hurt-1)
			p.step(p.next(a))
		}
	}
	a.collide()
	if a.phase == playing {
		a.collect()
		a.grow()
	}
}

// turn begins the next phase.
func (a *arena) turn() {
	if a.phase == playing {
		a.phase, a.left = pausing, ticksOfPause
		return
	}
	a.phase, a.left, a.gems = playing, ticksOfRound, nil
	for seat, p := range a.players {
		if p != nil {
			p.score, p.hurt, p.ship = 0, 0, start(seat)
		}
	}
}

// start is where the ship of a seat begins: on an ellipse around the middle.
func start(seat int) ship {
	at := [maxPlayers][2]int{{150, 500}, {1450, 500}, {800, 150}, {800, 850}, {200, 150}, {1400, 850}, {1400, 150}, {200, 850}}[seat]
	return ship{x: at[0] * unit, y: at[1] * unit}
}

func (a *arena) collide() {
	for i, p := range a.players {
		for _, q := range a.players[i+1:] {
			if p == nil || q == nil || !bump(&p.ship, &q.ship) {
				continue
			}
			if p.dashing() && !q.dashing() {
				a.rob(q)
			}
			if q.dashing() && !p.dashing() {
				a.rob(p)
			}
		}
	}
}

// rob lets somebody who was hit lose some gems, which fall around them.
func (a *arena) rob(p *player) {
	if p.hurt > 0 || a.phase != playing {
		return
	}
	p.hurt = hertz
	for range min(3, p.score) {
		p.score--
		a.drop(p.x/unit+rand.IntN(240)-120, p.y/unit+rand.IntN(240)-120)
	}
}

// Gems lie in cells of 8 by 8 pixels.
const (
	cell      = 8
	columns   = width / unit / cell
	rows      = height / unit / cell
	gemRadius = 10 * unit
)

func centre(gem uint16) (x, y int) {
	return (int(gem)%columns*cell + cell/2) * unit, (int(gem)/columns*cell + cell/2) * unit
}

// drop puts a gem near a pixel, unless there is a pillar.
func (a *arena) drop(x, y int) {
	x, y = min(max(x/cell, 2), columns-3), min(max(y/cell, 2), rows-3)
	gem := uint16(y*columns + x)
	for _, p := range pillars {
		if near(gem, p.x, p.y, p.r+gemRadius) {
			return
		}
	}
	if len(a.gems) < maxGems {
		a.gems = append(a.gems, gem)
	}
}

func near(gem uint16, x, y, distance int) bool {
	gx, gy := centre(gem)
	return length(gx-x, gy-y) < distance
}

// grow adds a gem now and then while there are few.
func (a *arena) grow() {
	if few := 8 + 3*a.count(); len(a.gems) < few && (a.tick%6 == 0 || len(a.gems) < few/2) {
		a.drop(rand.IntN(width/unit), rand.IntN(height/unit))
	}
}

func (a *arena) collect() {
	kept := a.gems[:0]
	for _, gem := range a.gems {
		if p := a.reaches(gem); p != nil {
			p.score = min(p.score+1, maxScore)
		} else {
			kept = append(kept, gem)
		}
	}
	a.gems = kept
}

// reaches returns who takes a gem; nil: nobody. Who was hit just now takes none.
func (a *arena) reaches(gem uint16) *player {
	for i := range a.players {
		p := a.players[(i+a.tick)%maxPlayers] // nobody is always first
		if p != nil && p.hurt < hertz/2 && near(gem, p.x, p.y, radius+gemRadius) {
			return p
		}
	}
	return nil
}
