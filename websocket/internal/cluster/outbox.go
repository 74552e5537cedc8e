package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nextrush/nextrush/websocket/broker"
)

// ErrDown is returned when the engine cannot be reached and the queue for it is full.
var ErrDown = errors.New("the broker cannot be reached")

// ErrTooLarge is returned for a parcel that is larger than what the engine takes.
var ErrTooLarge = errors.New("it is larger than the broker takes")

const (
	maxWaiting     = 8 << 20 // bytes in the queue while the engine can be reached
	maxWaitingDown = 1 << 20 // and while it cannot
	plainPatience  = 2 * time.Second
	keptPatience   = 30 * time.Second
	maxBatch       = 512     // envelopes
	maxBatchBytes  = 1 << 20 // of bodies
	publishTimeout = 2 * time.Second
	firstWait      = 10 * time.Millisecond // before a batch is sent again
	longestWait    = 500 * time.Millisecond
)

// letter is a parcel in the outbox.
type letter struct {
	parcel *Parcel
	to     broker.NodeID
	wanted *Receipt // nil: nobody waits
	size   int
	since  int64 // nanoseconds
}

func (l *letter) kept() bool { return l.parcel.Keep != (broker.Retention{}) }

func (l *letter) room() RoomName { return RoomName{l.parcel.Namespace, l.parcel.Room} }

func (l *letter) patience() time.Duration {
	if l.kept() {
		return keptPatience
	}
	return plainPatience
}

// outbox is what is to be published. Nobody waits for it but its own goroutines.
type outbox struct {
	node  *Node
	lanes [2]lane

	mu     sync.Mutex // guards the fields below, and the queues of the lanes
	bytes  int
	kept   int // bytes of those that are kept, which are not among bytes
	up     bool
	closed bool
	held   map[RoomName]int // letters to rooms in the lane of what is kept
	out    outgoing
	beat   uint64 // the Clock of the last

	recalled bool // what was announced since a Clock is to be announced again
	since    uint64
}

const (
	laneOthers = iota
	laneKept
)

// lane is letters that leave in order. An engine that can send may be unable to keep, as
// JetStream is without a leader: what waits for that holds up what goes to the same room
// alone, and not the beats of the node.
type lane struct {
	box   *outbox
	queue []letter
	wake  chan struct{} // has room for one

	// used by the goroutine alone
	taken   []letter // the queue as it was, whose place is taken by another
	rest    []letter // of taken, that is not yet in a batch
	sending []broker.Envelope
	letters []letter // of sending, in taken
	arena   []byte
}

func newOutbox(n *Node) *outbox {
	o := &outbox{node: n, out: newOutgoing(), held: make(map[RoomName]int)}
	for i := range o.lanes {
		o.lanes[i].box, o.lanes[i].wake = o, make(chan struct{}, 1)
	}
	return o
}

// put queues a letter, or drops it: what is volatile while the engine cannot be reached,
// what there is no room for, and what the engine does not take.
func (o *outbox) put(l letter) error {
	l.size, l.since = l.parcel.size(), o.node.now()
	if !o.node.takes(l.size) {
		o.node.failed("publish", ErrTooLarge)
		return ErrTooLarge
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.fitsLocked(&l) {
		o.dropped(&l)
		return ErrDown
	}
	*o.sizeLocked(&l) += l.size
	l.wanted.expect()
	to := o.laneLocked(&l)
	to.queue = append(to.queue, l)
	to.wakeUp()
	return nil
}

// laneLocked is that of a letter: to one room all leave in order.
func (o *outbox) laneLocked(l *letter) *lane {
	room := l.room()
	if !l.kept() && o.held[room] == 0 {
		return &o.lanes[laneOthers]
	}
	o.held[room]++
	return &o.lanes[laneKept]
}

// dropped counts what is not published; a beat is nobody's message.
func (o *outbox) dropped(l *letter) {
	if l.parcel.Kind.numbered() {
		o.node.count.Dropped.Add(1)
	}
}

// recall has the next beat announce once more what was announced since a Clock.
func (o *outbox) recall(since uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.recalled || since < o.since {
		o.recalled, o.since = true, since
	}
}

// beatLocked fills an announcement in.
func (o *outbox) beatLocked(p *Parcel, now int64) {
	if o.recalled {
		o.recalled = false
		o.out.again(int64(min(o.since, o.beat))*int64(time.Millisecond) - int64(recallSlack))
	}
	p.Tops, p.Begun = o.out.quiet(now-int64(quietAge), maxTops), o.out.generation
	p.Previous = o.beat
	o.beat = max(o.beat+1, uint64(now/int64(time.Millisecond)))
	p.Clock = o.beat
}

func (o *outbox) sizeLocked(l *letter) *int {
	if l.kept() {
		return &o.kept
	}
	return &o.bytes
}

func (o *outbox) fitsLocked(l *letter) bool {
	most := maxWaiting
	if !o.up && !l.kept() {
		most = maxWaitingDown
	}
	waiting := *o.sizeLocked(l)
	return !o.closed && (o.up || !l.parcel.Volatile) && (waiting == 0 || waiting+l.size <= most)
}

func (l *lane) wakeUp() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (o *outbox) setUp(up bool) {
	o.change(func() { o.up = up })
}

// close has nothing more put in, and run end when all is published.
func (o *outbox) close() {
	o.change(func() { o.closed = true })
}

func (o *outbox) change(what func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	what()
	for i := range o.lanes {
		o.lanes[i].wakeUp()
	}
}

// run publishes until the outbox is closed and empty, or ctx ends.
func (o *outbox) run(ctx context.Context) {
	var all sync.WaitGroup
	for i := range o.lanes {
		all.Go(func() { o.lanes[i].run(ctx) })
	}
	all.Wait()
}

func (l *lane) run(ctx context.Context) {
	for ctx.Err() == nil {
		more := l.fill()
		switch {
		case len(l.sending) > 0:
			l.publish(ctx)
		case !more:
			return
		default:
			select {
			case <-l.wake:
			case <-ctx.Done():
			}
		}
	}
}

// fill takes a batch out of the queue. more is false if the outbox is closed.
func (l *lane) fill() (more bool) {
	l.box.mu.Lock()
	defer l.box.mu.Unlock()
	if len(l.rest) == 0 {
		l.rest, l.taken, l.queue = l.queue, l.queue, l.taken[:0]
	}
	n, size := 0, 0
	for n < len(l.rest) && n < maxBatch && size < maxBatchBytes {
		size += l.rest[n].size
		n++
	}
	l.letters, l.rest = l.rest[:n], l.rest[n:]
	l.sending, l.arena = l.sending[:0], l.arena[:0]
	if cap(l.arena) > 2*maxBatchBytes {
		l.arena = nil
	}
	now := l.box.node.now()
	for i := range l.letters {
		l.sealLocked(&l.letters[i], now)
	}
	return !l.box.closed
}

// sealLocked makes an envelope of a letter.
func (l *lane) sealLocked(x *letter, now int64) {
	o, p, from := l.box, x.parcel, len(l.arena)
	switch p.Kind {
	case Announce:
		o.beatLocked(p, now)
	case Goodbye:
		p.Tops = o.out.quiet(now, maxTops)
	}
	e := broker.Envelope{From: o.node.self, To: x.to, Keep: p.Keep, Volatile: p.Volatile, Control: p.Kind.control()}
	if p.Room != "" {
		e.Room = RoomKey(p.Namespace, p.Room)
	}
	switch stream := streamOf(e.Room, e.To); {
	case !p.Kind.numbered():
	case x.kept(): // which positions tell of: no other number is left out for it
		e.Seq = o.out.next(^stream, now, false)
	default:
		e.Seq = o.out.next(stream, now, true)
	}
	l.arena = p.Append(l.arena)
	e.Body = l.arena[from:len(l.arena):len(l.arena)]
	l.sending = append(l.sending, e)
}

// publish sends the batch, again and again if need be, until it is sent or too old.
func (l *lane) publish(ctx context.Context) {
	l.drop(l.box.tooLarge) // it was queued before this was known
	wait := firstWait
	for len(l.sending) > 0 && ctx.Err() == nil {
		err := l.try(ctx)
		if err == nil {
			l.box.node.count.Published.Add(int64(len(l.sending)))
			l.done(true, func(*letter) bool { return true })
			return
		}
		l.box.node.failed("publish", err)
		now := l.box.node.now()
		l.drop(func(x *letter) bool { return now-x.since > int64(x.patience()) || l.box.tooLarge(x) })
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		wait = min(2*wait, longestWait)
	}
}

func (l *lane) try(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	return l.box.node.broker.Publish(ctx, l.sending)
}

func (o *outbox) tooLarge(x *letter) bool { return !o.node.takes(x.size) }

// drop leaves letters of the batch unsent.
func (l *lane) drop(is func(*letter) bool) {
	l.done(false, func(x *letter) bool {
		dropped := is(x)
		if dropped {
			l.box.dropped(x)
		}
		return dropped
	})
}

// done forgets those of the batch that are, and tells who waits whether they were sent.
func (l *lane) done(sent bool, is func(*letter) bool) {
	o := l.box
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for i := range l.letters {
		x := &l.letters[i]
		if !is(x) {
			l.letters[n], l.sending[n] = *x, l.sending[i]
			n++
			continue
		}
		x.wanted.settle(sent)
		*o.sizeLocked(x) -= x.size
		if room := x.room(); l == &o.lanes[laneKept] {
			if o.held[room]--; o.held[room] == 0 {
				delete(o.held, room)
			}
		}
	}
	clear(l.letters[n:])
	l.letters, l.sending = l.letters[:n], l.sending[:n]
}
