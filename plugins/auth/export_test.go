package auth

import "context"

// Occupy takes all the places for hashing, and Free gives them back.
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

// NewMemoryTickets makes the store that a Plugin has if it is given none.
func NewMemoryTickets() TicketStore { return new(memoryTickets) }
