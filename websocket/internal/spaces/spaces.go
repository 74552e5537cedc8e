// Package spaces finds namespaces by their names, for as long as somebody has them, and keeps
// what those have counted that are gone. It does not know what a namespace is.
package spaces

import (
	"runtime"
	"sync"
	"weak"

	"github.com/nextrush/nextrush/websocket/internal/conn"
)

// Spaces are those that are in use. Its methods are safe from any goroutine.
type Spaces[N any] struct {
	mu     sync.Mutex // guards the fields below
	byName map[string]*inUse[N]
	sent   int64 // in those that are gone
	got    int64
}

// inUse is a space, for as long as somebody has it, and what it counts.
type inUse[N any] struct {
	name     string
	space    weak.Pointer[N]
	messages *conn.Messages
}

// New makes a set without spaces.
func New[N any]() *Spaces[N] { return &Spaces[N]{byName: make(map[string]*inUse[N])} }

// Use returns the space of that name, which is made if there is none, with what it counts.
func (n *Spaces[N]) Use(name string, create func() (*N, *conn.Messages)) *N {
	n.mu.Lock()
	defer n.mu.Unlock()
	if u := n.byName[name]; u != nil {
		if space := u.space.Value(); space != nil {
			return space
		}
		n.dropLocked(u) // before its cleanup has
	}
	space, messages := create()
	u := &inUse[N]{name, weak.Make(space), messages}
	n.byName[name] = u
	runtime.AddCleanup(space, n.drop, u)
	return space
}

// drop removes a space that nobody has any more.
func (n *Spaces[N]) drop(u *inUse[N]) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.byName[u.name] == u {
		n.dropLocked(u)
	}
}

func (n *Spaces[N]) dropLocked(u *inUse[N]) {
	delete(n.byName, u.name)
	n.sent += u.messages.Sent.Load()
	n.got += u.messages.Received.Load()
}

// Counted is how many messages were sent and received in them so far.
func (n *Spaces[N]) Counted() (sent, received int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	sent, received = n.sent, n.got
	for _, u := range n.byName {
		sent += u.messages.Sent.Load()
		received += u.messages.Received.Load()
	}
	return sent, received
}

// Get returns the space of that name if it is in use, or nil.
func (n *Spaces[N]) Get(name string) *N {
	n.mu.Lock()
	defer n.mu.Unlock()
	if u := n.byName[name]; u != nil {
		return u.space.Value()
	}
	return nil
}

// List lists those that are in use.
func (n *Spaces[N]) List() (all []*N) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, u := range n.byName {
		if space := u.space.Value(); space != nil {
			all = append(all, space)
		}
	}
	return all
}

// Known is how many are known, those among them that nobody has any more.
func (n *Spaces[N]) Known() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.byName)
}
