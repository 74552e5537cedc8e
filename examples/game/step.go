package main

import "math"

// Ships move in whole numbers: the page takes the same steps ahead of the server, in
// step.js, and has to come to the same places.
const (
	unit      = 32 // of a pixel
	width     = 1600 * unit
	height    = 1000 * unit
	radius    = 18 * unit // of a ship
	dashEvery = 45        // ticks
	dashLasts = 9         // of these
)

type circle struct{ x, y, r int }

var pillars = [...]circle{
	{400 * unit, 300 * unit, 60 * unit},
	{1200 * unit, 300 * unit, 60 * unit},
	{800 * unit, 500 * unit, 90 * unit},
	{400 * unit, 700 * unit, 60 * unit},
	{1200 * unit, 700 * unit, 60 * unit},
}

// stick is what a player does: x and y, of -127 to 127, lie in a circle.
type stick struct {
	x, y int
	dash bool
}

// ship is where a player is. dash counts the ticks until it can dash again.
type ship struct{ x, y, vx, vy, dash int }

// step moves the ship by one tick.
func (s *ship) step(in stick) {
	s.vx, s.vy = (7*s.vx+2*in.x)/8, (7*s.vy+2*in.y)/8
	s.dash = max(0, s.dash-1)
	if in.dash && s.dash == 0 && (in.x != 0 || in.y != 0) {
		s.dash = dashEvery
		s.vx, s.vy = s.vx+5*in.x, s.vy+5*in.y
	}
	s.x, s.y = s.x+s.vx, s.y+s.vy
	for _, p := range pillars {
		s.bounce(p)
	}
	s.stayInside()
}

func (s *ship) stayInside() {
	s.x, s.vx = inside(s.x, s.vx, width)
	s.y, s.vy = inside(s.y, s.vy, height)
}

func inside(at, v, end int) (int, int) {
	if at < radius {
		return radius, max(v, -v) / 2
	}
	if at > end-radius {
		return end - radius, min(v, -v) / 2
	}
	return at, v
}

// bounce puts a ship that has run into a pillar beside it, and turns it away.
func (s *ship) bounce(p circle) {
	dx, dy, near := s.x-p.x, s.y-p.y, radius+p.r
	n := length(dx, dy)
	if n >= near || n == 0 {
		return
	}
	s.x, s.y = p.x+dx*near/n, p.y+dy*near/n
	if v := (s.vx*dx + s.vy*dy) / n; v < 0 {
		s.vx, s.vy = s.vx-v*dx*3/(2*n), s.vy-v*dy*3/(2*n)
	}
}

// length is that of a vector, rounded down.
func length(x, y int) int { return int(math.Sqrt(float64(x)*float64(x) + float64(y)*float64(y))) }

func (s *ship) dashing() bool { return s.dash > dashEvery-dashLasts }

// bump pushes two ships apart that touch, and reports whether they did.
func bump(a, b *ship) bool {
	dx, dy := b.x-a.x, b.y-a.y
	n := length(dx, dy)
	if n >= 2*radius {
		return false
	}
	if n == 0 {
		dx, n = 1, 1
	}
	px, py := dx*(2*radius-n)/(2*n), dy*(2*radius-n)/(2*n)
	a.x, a.y, b.x, b.y = a.x-px, a.y-py, b.x+px, b.y+py
	if v := ((b.vx-a.vx)*dx + (b.vy-a.vy)*dy) / n; v < 0 { // they come closer
		ix, iy := v*dx*9/(10*n), v*dy*9/(10*n)
		a.vx, a.vy, b.vx, b.vy = a.vx+ix, a.vy+iy, b.vx-ix, b.vy-iy
	}
	a.stayInside()
	b.stayInside()
	return true
}
