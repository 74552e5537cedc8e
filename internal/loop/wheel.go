package loop

import (
	"sync"
	"time"
)

const (
	wheelTick  = 20 * time.Millisecond
	wheelSlots = 512
	// Times further away than this are rounded up to a multiple of it, so that
	// a server of idle sockets wakes a few times a second at most.
	wheelCoarse = 240 * time.Millisecond
)

// Node is what a Wheel looks at.
type Node[N any] interface {
	comparable
	// Timer is part of the node, and only the wheel uses it.
	Timer() *Timer[N]
	// Tick does what is due at now and returns when to look again; 0: never.
	Tick(now int64) (next int64)
}

// Timer is a node's place in a wheel. It is part of the node: the wheel takes no
// memory for it.
type Timer[N any] struct {
	next, prev N
	tick       int64 // 0: not in the wheel; gone: never again
}

const gone = -1

// Wheel is a hashed timer wheel: one goroutine and one timer for the time-outs of
// all nodes. A time further away than one turn is looked at once a turn. All
// methods are safe from any goroutine.
type Wheel[N Node[N]] struct {
	clock Clock

	mu      sync.Mutex // guards the fields below and every node's Timer
	slots   [wheelSlots]N
	count   int
	at      int64 // the last tick that was processed
	running bool
	wake    chan struct{}
}

// NewWheel makes an empty wheel that goes by a loop's clock.
func NewWheel[N Node[N]](clock Clock) *Wheel[N] {
	return &Wheel[N]{clock: clock, wake: make(chan struct{}, 1)}
}

// Schedule has n visited at due, or earlier if it is scheduled earlier.
func (w *Wheel[N]) Schedule(n N, due int64) {
	now := w.clock.Now()
	if due-now > 4*int64(wheelCoarse) {
		due = (due/int64(wheelCoarse) + 1) * int64(wheelCoarse)
	}
	tick := due/int64(wheelTick) + 1
	w.mu.Lock()
	defer w.mu.Unlock()
	if t := n.Timer(); t.tick != 0 {
		if t.tick <= tick { // or gone
			return
		}
		w.unlinkLocked(n)
	}
	if !w.running {
		w.running = true
		w.at = now / int64(wheelTick)
		go w.run()
	}
	w.linkLocked(n, max(tick, w.at+1))
	w.signal()
}

func (w *Wheel[N]) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Remove takes n out for good: a visit under way cannot schedule it again.
func (w *Wheel[N]) Remove(n N) {
	w.mu.Lock()
	t := n.Timer()
	if t.tick > 0 {
		w.unlinkLocked(n)
	}
	t.tick = gone
	last := w.count == 0
	w.mu.Unlock()
	if last {
		w.signal()
	}
}

func (w *Wheel[N]) linkLocked(n N, tick int64) {
	var none N
	head := &w.slots[tick%wheelSlots]
	*n.Timer() = Timer[N]{next: *head, tick: tick}
	if *head != none {
		(*head).Timer().prev = n
	}
	*head = n
	w.count++
}

func (w *Wheel[N]) unlinkLocked(n N) {
	var none N
	t := n.Timer()
	if t.prev != none {
		t.prev.Timer().next = t.next
	} else {
		w.slots[t.tick%wheelSlots] = t.next
	}
	if t.next != none {
		t.next.Timer().prev = t.prev
	}
	*t = Timer[N]{}
	w.count--
}

func (w *Wheel[N]) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var due []N
	for {
		next, some := w.expire(&due)
		if !some {
			return
		}
		for _, n := range due {
			if at := n.Tick(w.clock.Now()); at != 0 {
				w.Schedule(n, at)
			}
		}
		if len(due) > 0 {
			clear(due)
			continue
		}
		timer.Reset(time.Duration(next*int64(wheelTick) - w.clock.Now()))
		select {
		case <-timer.C:
		case <-w.wake:
		}
	}
}

// expire moves the nodes whose tick has come to due, and returns the next tick to
// look at. It reports false if the wheel was empty and has stopped.
func (w *Wheel[N]) expire(due *[]N) (next int64, some bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*due = (*due)[:0]
	if w.count == 0 {
		w.running = false
		return 0, false
	}
	var none N
	now := w.clock.Now() / int64(wheelTick)
	for tick := max(w.at+1, now-wheelSlots+1); tick <= now; tick++ {
		for n := w.slots[tick%wheelSlots]; n != none; {
			t := n.Timer()
			after := t.next
			if t.tick <= now {
				w.unlinkLocked(n)
				*due = append(*due, n)
			}
			n = after
		}
	}
	w.at = max(w.at, now)
	return w.nextLocked(), true
}

// nextLocked is the tick of the first slot that holds a node.
func (w *Wheel[N]) nextLocked() int64 {
	var none N
	for i := int64(1); i < wheelSlots; i++ {
		if w.slots[(w.at+i)%wheelSlots] != none {
			return w.at + i
		}
	}
	return w.at + wheelSlots
}
