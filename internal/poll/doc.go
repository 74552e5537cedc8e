// Package poll tells the owners of descriptors when these can be read and
// written. It runs them in the goroutine that polls, and lets another one poll
// when an owner takes long. It knows nothing of what the bytes mean.
//
// Linux only: it is edge-triggered epoll(7). Elsewhere Take fails with
// errors.ErrUnsupported.
package poll

import "errors"

// ErrAgain says that nothing can be read or written before the next event.
var ErrAgain = errors.New("poll: try again")

// Event is what a descriptor is ready for. Events are edges: an owner that has
// not read or written until ErrAgain, or less than it asked for, gets no other.
type Event uint8

const (
	Readable Event = 1 << iota
	Writable
	Closed // the peer sends no more, or the connection has failed: read until it shows
	Failed // the connection has failed; Closed too
)

// Owner is what a descriptor's events are for.
type Owner interface {
	// Ready is called in the goroutine that polls, for one event after the other.
	// If it is still running at the second call of Poller.Relieve, another
	// goroutine takes over the remaining owners. It may end its goroutine.
	Ready(t *Turn, e Event)
}
