// Package spread says over which times many clients are to go and to come back, so that
// they do not all come at once.
package spread

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/protocol"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// The bounds of the time in which clients come back.
const (
	Min = time.Second
	Max = time.Minute
)

const (
	maxDrain = 10 * time.Second
	handover = 2 * time.Second // that clients have at least to connect to another server
)

// Over is the time over which sockets are to come back that were connected, if the server
// takes as many a second as rate.
func Over(sockets, rate int) time.Duration {
	d := time.Duration(float64(sockets) / float64(rate) * float64(time.Second))
	return min(max(d, Min), Max).Truncate(time.Millisecond)
}

// Beats are what a silent server says to its clients. Its methods are safe from any
// goroutine.
type Beats struct {
	mu  sync.Mutex // guards now
	now *beat
}

// beat is said to those that have been told an older time, until it doubles or halves.
type beat struct {
	over  time.Duration
	told  uint8 // counts them
	frame conn.Frame
}

// plain is for those that have been told.
var plain = func() *conn.Frame {
	f := new(conn.Frame)
	f.Set(wire.OpText, []byte(protocol.Beat))
	return f
}()

// NewBeats begins with the shortest time.
func NewBeats() *Beats { return &Beats{now: &beat{over: Min}} }

// Told is the number of the beat that tells a time, or less than twice or more than half
// of it.
func (b *Beats) Told(over time.Duration) uint8 { return b.at(over).told }

// For is the beat for somebody who was told one, and its number.
func (b *Beats) For(told uint8, over time.Duration) (*conn.Frame, uint8) {
	now := b.at(over)
	if now.told == told {
		return plain, told
	}
	return &now.frame, now.told
}

func (b *Beats) at(over time.Duration) *beat {
	b.mu.Lock()
	defer b.mu.Unlock()
	if over >= 2*b.now.over || 2*over <= b.now.over {
		b.now = &beat{over: over, told: b.now.told + 1}
		b.now.frame.Set(wire.OpText, protocol.SpreadBeat(over))
	}
	return b.now
}

// Drain is the time to spread the closes of n sockets over, leaving half of what the
// deadline allows for the closing handshakes. set is what the program says; 0: nothing.
func Drain(ctx context.Context, set time.Duration, n int) time.Duration {
	window := set
	if window == 0 {
		window = min(time.Duration(n)*10*time.Millisecond, maxDrain)
	}
	if deadline, ok := ctx.Deadline(); ok {
		window = min(window, time.Until(deadline)/2)
	}
	return max(window, 0)
}

// Grace is the time before the close of those that were told to connect elsewhere.
func Grace(ctx context.Context, set, window time.Duration) time.Duration {
	if set < 0 {
		return 0
	}
	grace := max(window, handover)
	if deadline, ok := ctx.Deadline(); ok {
		grace = min(grace, time.Until(deadline)/2)
	}
	return max(grace, 0)
}

// Each calls f with each of a list in random order, at even and jittered distances over
// the window, and without waiting when ctx has ended.
func Each[T any](ctx context.Context, list []T, window time.Duration, f func(T)) {
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	start := time.Now()
	for i, v := range list {
		at := time.Duration((float64(i) + rand.Float64()) / float64(len(list)) * float64(window))
		if wait := at - time.Since(start); wait > time.Millisecond {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
		}
		f(v)
	}
}
