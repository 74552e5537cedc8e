package websocket

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

// wheel is a hashed timer wheel: one goroutine and one timer for the
// heartbeats and time-outs of all sockets. A time further away than one turn
// is looked at once a turn.
type wheel struct {
	mu      sync.Mutex // guards the fields below and every Socket's wheelNode
	slots   [wheelSlots]*Socket
	count   int
	start   time.Time
	at      int64 // the tick that was worked off last
	running bool
	wake    chan struct{}
}

const wheelGone = -1

// wheelNode is a socket's place in the wheel.
type wheelNode struct {
	next, prev *Socket
	tick       int64 // 0: not in the wheel; wheelGone: never again
}

func (w *wheel) init() {
	w.start = time.Now()
	w.wake = make(chan struct{}, 1)
}

// now is the time since the wheel was made, in nanoseconds and never 0.
func (w *wheel) now() int64 { return int64(time.Since(w.start)) + 1 }

// schedule has s visited at due, or earlier if it is scheduled earlier.
func (w *wheel) schedule(s *Socket, due int64) {
	now := w.now()
	if due-now > 4*int64(wheelCoarse) {
		due = (due/int64(wheelCoarse) + 1) * int64(wheelCoarse)
	}
	tick := due/int64(wheelTick) + 1
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.wheel.tick != 0 {
		if s.wheel.tick <= tick { // or gone
			return
		}
		w.unlink(s)
	}
	if !w.running {
		w.running = true
		w.at = now / int64(wheelTick)
		go w.loop()
	}
	w.link(s, max(tick, w.at+1))
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// remove takes s out for good: a visit under way may schedule it no more.
func (w *wheel) remove(s *Socket) {
	w.mu.Lock()
	if s.wheel.tick > 0 {
		w.unlink(s)
	}
	s.wheel.tick = wheelGone
	last := w.count == 0
	w.mu.Unlock()
	if last {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

func (w *wheel) link(s *Socket, tick int64) {
	head := &w.slots[tick%wheelSlots]
	s.wheel = wheelNode{next: *head, tick: tick}
	if *head != nil {
		(*head).wheel.prev = s
	}
	*head = s
	w.count++
}

func (w *wheel) unlink(s *Socket) {
	n := s.wheel
	if n.prev != nil {
		n.prev.wheel.next = n.next
	} else {
		w.slots[n.tick%wheelSlots] = n.next
	}
	if n.next != nil {
		n.next.wheel.prev = n.prev
	}
	s.wheel = wheelNode{}
	w.count--
}

func (w *wheel) loop() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var due []*Socket
	for {
		due = due[:0]
		w.mu.Lock()
		if w.count == 0 {
			w.running = false
			w.mu.Unlock()
			return
		}
		due = w.expire(due, w.now()/int64(wheelTick))
		next := w.next()
		w.mu.Unlock()
		for i, s := range due {
			if at := s.tick(w.now()); at != 0 {
				w.schedule(s, at)
			}
			due[i] = nil
		}
		if len(due) > 0 {
			continue
		}
		timer.Reset(time.Duration(next*int64(wheelTick) - w.now()))
		select {
		case <-timer.C:
		case <-w.wake:
		}
	}
}

// expire takes out the sockets whose tick has come.
func (w *wheel) expire(due []*Socket, now int64) []*Socket {
	from := max(w.at+1, now-wheelSlots+1)
	for t := from; t <= now; t++ {
		for s := w.slots[t%wheelSlots]; s != nil; {
			next := s.wheel.next
			if s.wheel.tick <= now {
				w.unlink(s)
				due = append(due, s)
			}
			s = next
		}
	}
	w.at = max(w.at, now)
	return due
}

// next is the tick of the first slot that holds a socket.
func (w *wheel) next() int64 {
	for i := int64(1); i < wheelSlots; i++ {
		if w.slots[(w.at+i)%wheelSlots] != nil {
			return w.at + i
		}
	}
	return w.at + wheelSlots
}
