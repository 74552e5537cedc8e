package main

const (
	ahead = 2 * hertz // ticks by which an input may come too early
	coast = hertz / 2 // after which a ship whose player is not heard from drifts
	away  = hertz     // after which it is shown so
)

// player is one of those who have a ship in an arena.
type player struct {
	ship
	name   string
	inputs <-chan input // nil: the server plays
	score  int
	hurt   int     // ticks
	ack    int     // the newest input that has come
	now    input   // that is in force
	queue  []input // for later ticks
}

// next is what the player does in the arena's tick: what was sent for it, or what was sent
// last before it. What came too late counts as if it had been sent for this tick.
func (p *player) next(a *arena) stick {
	if p.inputs == nil {
		return p.think(a)
	}
	p.receive(a.tick)
	p.now.dash = false
	for len(p.queue) > 0 && p.queue[0].tick <= a.tick {
		dash := p.now.dash
		p.now, p.queue = p.queue[0], p.queue[1:]
		p.now.dash = p.now.dash || dash
	}
	if a.tick-p.now.tick > coast {
		return stick{}
	}
	return p.now.stick
}

// receive takes what the socket has left. Inputs come in the order of their ticks.
func (p *player) receive(tick int) {
	for {
		select {
		case in := <-p.inputs:
			if in.tick > p.ack && in.tick <= tick+ahead {
				p.ack = in.tick
				p.queue = append(p.queue, in)
			}
		default:
			return
		}
	}
}

func (p *player) flags(tick int) (flags byte) {
	if p.inputs != nil && tick-p.ack > away {
		flags |= flagAway
	}
	if p.hurt > 0 {
		flags |= flagHurt
	}
	return flags
}

// think plays for the server: it makes for the nearest gem, and dashes when that is far.
func (p *player) think(a *arena) stick {
	best, dx, dy := 2*width, 0, 0
	for _, gem := range a.gems {
		x, y := centre(gem)
		x, y = x-p.x, y-p.y
		if d := length(x, y); d < best {
			best, dx, dy = d, x, y
		}
	}
	if a.phase == pausing || dx == 0 && dy == 0 {
		return stick{}
	}
	return stick{dx * 110 / best, dy * 110 / best, best > 400*unit}
}
