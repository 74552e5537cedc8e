package hub

import (
	"slices"
	"sync"
)

// Crowd is every member, in no order. Its methods are safe from any goroutine.
type Crowd[M comparable] struct {
	index func(M) *int32 // where a member keeps its place

	mu      sync.Mutex // guards the fields below and every member's index
	members []M
	shared  bool // somebody has members: it is changed on a copy
}

// NewCrowd makes an empty crowd. index tells where a member has room for its index in
// the list, so that it is found at once.
func NewCrowd[M comparable](index func(M) *int32) *Crowd[M] { return &Crowd[M]{index: index} }

// Add adds a member.
func (c *Crowd[M]) Add(m M) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*c.index(m) = int32(len(c.members))
	c.members = append(c.members, m) // beyond what was shared
}

// Remove removes a member that was added.
func (c *Crowd[M]) Remove(m M) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shared {
		c.members, c.shared = slices.Clone(c.members), false
	}
	var none M
	last := len(c.members) - 1
	moved := c.members[last]
	at := *c.index(m)
	c.members[at], *c.index(moved) = moved, at
	c.members[last] = none
	c.members = c.members[:last]
}

// Members lists all. The list is shared and must not be changed.
func (c *Crowd[M]) Members() []M {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shared = true
	return c.members
}
