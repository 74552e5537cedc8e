package conn

import (
	"errors"
	"slices"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const (
	// UnclaimedLimit is how many bytes of messages a server's connection keeps for a
	// consumer that has not come yet.
	UnclaimedLimit = 16 << 10
	// MessageCost is how many bytes a message takes in the inbox besides its
	// own.
	MessageCost = 32
	// InboxLimit is how many bytes of messages wait for Receive before the rest of
	// what has been read does, which may be compressed.
	InboxLimit = 256 << 10
)

// errFull says that the inbox takes no more for now.
var errFull = errors.New("inbox is full")

// message is one that waits. It owns its bytes.
type message struct {
	op   wire.Opcode
	data []byte
}

func (m message) cost() int { return len(m.data) + MessageCost }

// inbox holds messages for Receive, or for a consumer that has not come yet, guarded
// by the connection's mu. A nil inbox is empty.
type inbox struct {
	messages []message
	bytes    int
	passed   int // messages at the front that no callback wants
	changes  int // counts those of passed and of what it counts
	wake     chan struct{}
	pull     bool // Receive is in use: reading pauses while something waits
	waiting  int  // calls of Receive that wait
	wait     bool // a client: the same, whatever the consumer
	ended    bool
}

func newInbox(wait bool) *inbox { return &inbox{wake: make(chan struct{}, 1), wait: wait} }

func (in *inbox) full() bool {
	return in != nil && (in.pull || in.wait) && len(in.messages) > 0
}

func (in *inbox) empty() bool { return in == nil || len(in.messages) == 0 }

// enter counts a call of Receive in.
func (in *inbox) enter() {
	in.pull = true
	in.waiting++
}

// awaited reports whether a call of Receive waits.
func (in *inbox) awaited() bool { return in != nil && in.waiting > 0 }

// abandon has reading pause no more for messages that no Receive waits for, unless it
// is a client's.
func (in *inbox) abandon() bool {
	if in.waiting > 0 || in.wait {
		return false
	}
	in.pull = false
	return true
}

// handled is called when the handler has returned. A Receive that it has called is
// not in use any more if callbacks have taken its place.
func (in *inbox) handled(callbacks bool) {
	if in != nil && callbacks && in.waiting == 0 {
		in.pull = false
	}
}

// end wakes everyone who waits.
func (in *inbox) end() {
	if in != nil && !in.ended {
		in.ended = true
		close(in.wake)
	}
}

func (in *inbox) signal() {
	if in.ended {
		return
	}
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// push puts a message after the others. It reports false if no consumer has come for
// them, and they take too much.
func (in *inbox) push(m message) bool {
	if !in.pull && !in.wait && in.bytes+m.cost() > UnclaimedLimit {
		return false
	}
	in.messages = append(in.messages, m)
	in.bytes += m.cost()
	in.signal()
	return true
}

// room fails with errFull if no message is to follow.
func (in *inbox) room() error {
	if in.bytes > InboxLimit && in.full() {
		return errFull
	}
	return nil
}

func (in *inbox) pop() (message, bool) {
	if len(in.messages) == 0 {
		return message{}, false
	}
	return in.take(0), true
}

// take takes the message at index i out.
func (in *inbox) take(i int) message {
	m := in.messages[i]
	in.bytes -= m.cost()
	in.changes++
	if i < in.passed {
		in.passed--
	}
	switch {
	case len(in.messages) == 1:
		in.messages = nil
		return m
	case i == 0:
		in.messages[0] = message{}
		in.messages = in.messages[1:]
	default:
		in.messages = slices.Delete(in.messages, i, i+1)
	}
	in.signal()
	return m
}

// offerAgain has all messages offered, as there are new callbacks.
func (in *inbox) offerAgain() {
	in.passed = 0
	in.changes++
}

// unseen is the first message that has not been offered to the callbacks. changes is
// for claim.
func (in *inbox) unseen() (m message, changes int, ok bool) {
	if in == nil || in.passed >= len(in.messages) {
		return message{}, 0, false
	}
	return in.messages[in.passed], in.changes, true
}

// claim takes that message out if a callback wants it, and passes over it otherwise,
// unless the inbox has changed meanwhile.
func (in *inbox) claim(changes int, claim func() func()) (deliver func()) {
	if in.changes != changes {
		return nil
	}
	if deliver = claim(); deliver == nil {
		in.passed++
		in.changes++
		return nil
	}
	in.take(in.passed)
	return deliver
}
