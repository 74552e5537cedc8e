package auth

import "context"

// Occupy takes the places of those that hash, and Free gives them back.
func (p *Passwords) Occupy() {
	for range p.Concurrent {
		p.enter(context.Background())
	}
}

func (p *Passwords) Free() {
	for range p.Concurrent {
		p.leave()
	}
}
