package websocket

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"unsafe"
)

const (
	// unclaimedLimit is how many bytes of messages a server's socket keeps for a
	// consumer that has not come yet.
	unclaimedLimit = 16 << 10
	messageCost    = 32 // bytes that a message takes in the inbox besides its own
	// inboxLimit is how many bytes of messages wait for Receive before the rest of
	// what has been read does, which may be compressed.
	inboxLimit = 256 << 10
)

// errFull says that the inbox takes no more for now.
var errFull = errors.New("inbox is full")

// inbox holds messages for Receive, or for a consumer that has not come yet,
// guarded by the socket's mu. A nil inbox is empty.
type inbox struct {
	messages []Message
	bytes    int
	passed   int // messages at the front that no callback wants
	wake     chan struct{}
	pull     bool // Receive is in use: reading pauses while something waits
	waiting  int  // calls of Receive that wait
	wait     bool // a client: the same, whatever the consumer
	ended    bool
}

func (in *inbox) full() bool {
	return in != nil && (in.pull || in.wait) && len(in.messages) > 0
}

// handled is called when the handler has returned. A Receive that it has called
// is not in use any more where callbacks have taken its place.
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

func (m Message) cost() int { return len(m.data) + messageCost }

func (in *inbox) push(m Message) {
	in.messages = append(in.messages, m)
	in.bytes += m.cost()
	in.signal()
}

func (in *inbox) pop() (Message, bool) {
	if in == nil || len(in.messages) == 0 {
		return Message{}, false
	}
	return in.take(0), true
}

// take takes the message at index i out.
func (in *inbox) take(i int) Message {
	m := in.messages[i]
	in.bytes -= m.cost()
	if i < in.passed {
		in.passed--
	}
	switch {
	case len(in.messages) == 1:
		in.messages = nil
		return m
	case i == 0:
		in.messages[0] = Message{}
		in.messages = in.messages[1:]
	default:
		in.messages = slices.Delete(in.messages, i, i+1)
	}
	in.signal()
	return m
}

func (s *Socket) inboxLocked() *inbox {
	if s.inbox == nil {
		s.inbox = &inbox{wake: make(chan struct{}, 1)}
		if s.state == StateClosed {
			s.inbox.end()
		}
	}
	return s.inbox
}

// Receive returns the next message that is not an event handled by On, and owns
// its bytes. It begins the reading if the handler has not returned yet. When
// the socket has ended it returns a *CloseError; when ctx ends, ctx.Err(), and
// the socket is as before. Use either Receive or OnMessage: while OnMessage is
// set, it gets the messages. In a callback of the same socket, which would wait
// for itself, it fails with ErrInCallback.
func (s *Socket) Receive(ctx context.Context) (Message, error) {
	if s.inCallback() {
		return Message{}, ErrInCallback
	}
	s.mu.Lock()
	in := s.inboxLocked()
	in.pull = true
	in.waiting++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		in.waiting--
		s.mu.Unlock()
	}()
	s.begin()
	for {
		if m, ok, err := s.receiveNow(in); ok || err != nil {
			return m, err
		}
		select {
		case <-in.wake:
		case <-ctx.Done():
			return Message{}, ctx.Err()
		}
	}
}

func (s *Socket) receiveNow(in *inbox) (m Message, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok = in.pop()
	if ok {
		s.resumeLocked()
	} else if s.state == StateClosed {
		err = s.closing.err()
	}
	return m, ok, err
}

// resumeLocked goes on reading if that had paused.
func (s *Socket) resumeLocked() {
	if !s.paused || s.inbox.full() {
		return
	}
	now := s.srv.loop.Now()
	s.paused = false
	s.activity.Store(now)
	if s.messageAt != 0 {
		s.messageAt = now
	}
	s.wakeLocked(workRead)
}

// thawLocked goes on reading where messages wait for a Receive that nobody has
// called for long, and nobody is there to call: else the end of the connection
// would never show.
func (s *Socket) thawLocked() {
	if in := s.inbox; s.paused && !s.handling && in.waiting == 0 && !in.wait {
		in.pull = false
		s.resumeLocked()
	}
}

// arrived hands a message to whoever consumes it. What waits and has found a
// consumer goes before.
func (s *Socket) arrived(m Message) error {
	s.mu.Lock()
	open := s.state == StateOpen
	events := s.events != nil
	waits := s.inbox != nil && len(s.inbox.messages) > 0
	f := s.onMessage.Load()
	failed := s.extra != nil && len(s.extra.errs) > 0
	s.mu.Unlock()
	if !open {
		return nil
	}
	if err := s.admitMessage(len(m.data)); err != nil {
		return err
	}
	if s.srv.opts.Debug {
		s.debug("websocket message", slog.String("type", m.Type.String()), slog.Int("bytes", len(m.data)))
	}
	if failed {
		s.tellErrors()
	}
	if waits {
		s.drainInbox()
	}
	if events && s.dispatch(m) {
		return nil
	}
	if f != nil {
		s.call(*f, m)
		return nil
	}
	return s.keep(m)
}

// call runs OnMessage's callback; in debug mode it then spoils the bytes, so
// that keeping them shows.
func (s *Socket) call(f func(Message), m Message) {
	s.protect(func() { f(m) })
	if s.srv.opts.Debug {
		for i := range m.data {
			m.data[i] = 0xDB
		}
	}
}

// keep puts a message into the inbox, and fails with errFull if none is to follow.
func (s *Socket) keep(m Message) error {
	m = m.Clone()
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.inboxLocked()
	if !in.pull && !in.wait && in.bytes+m.cost() > unclaimedLimit {
		s.srv.stats.dropped.Add(1)
		return nil
	}
	in.push(m)
	if s.hasCallbacksLocked() { // they may have come just now
		s.wakeLocked(workInbox)
	}
	if in.bytes > inboxLimit && in.full() {
		return errFull
	}
	return nil
}

// hold keeps bytes to be processed before others are read.
func (s *Socket) hold(b []byte) {
	s.ahead = true
	s.with(func(x *extra) { x.early = b })
}

// setAside keeps what follows a message that has filled the inbox.
func (s *Socket) setAside(rest []byte, err error) error {
	if err != errFull {
		return err
	}
	if len(rest) > 0 {
		s.hold(slices.Clone(rest))
	}
	return nil
}

// consume lets a new consumer have what waits.
func (s *Socket) consume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.consumeLocked()
}

func (s *Socket) consumeLocked() {
	in := s.inbox
	if in == nil {
		return
	}
	in.passed = 0
	if !s.handling {
		in.handled(true)
		s.resumeLocked()
	}
	if len(in.messages) > 0 && s.reading {
		s.wakeLocked(workInbox)
	}
}

func (s *Socket) hasCallbacksLocked() bool {
	return s.events != nil && len(s.events.handlers) > 0 || s.onMessage.Load() != nil
}

// drainInbox gives waiting messages to the callbacks that have come for them, in
// their order. Those for Receive stay.
func (s *Socket) drainInbox() {
	for {
		m, d, f := s.nextWanted()
		switch {
		case d.claimed:
			s.perform(d)
		case f != nil:
			s.call(*f, m)
		default:
			return
		}
	}
}

// nextWanted takes out the first message that a callback wants: what d tells, or
// f of OnMessage.
func (s *Socket) nextWanted() (m Message, d delivery, f *func(Message)) {
	for !d.claimed && f == nil {
		m, ok := s.nextUnseen()
		if !ok {
			return Message{}, d, nil
		}
		env, isEnvelope := parseEnvelope(m) // not under the lock: the peer decides how long that takes
		if d, f = s.claimUnseen(m, env, isEnvelope); d.claimed || f != nil {
			return m, d, f
		}
	}
	return m, d, f
}

// nextUnseen is the first message that has not been offered to the callbacks.
func (s *Socket) nextUnseen() (Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in := s.inbox; in != nil && in.passed < len(in.messages) {
		return in.messages[in.passed], true
	}
	return Message{}, false
}

// claimUnseen takes m out if a callback wants it, and passes over it otherwise,
// unless a Receive has taken it meanwhile.
func (s *Socket) claimUnseen(m Message, env incoming, isEnvelope bool) (d delivery, f *func(Message)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.inbox
	if in.passed >= len(in.messages) || unsafe.SliceData(in.messages[in.passed].data) != unsafe.SliceData(m.data) {
		return d, nil
	}
	if isEnvelope {
		d = s.claimLocked(&env)
	}
	if f = s.onMessage.Load(); !d.claimed && f == nil {
		in.passed++
		return d, nil
	}
	in.take(in.passed)
	s.resumeLocked()
	return d, f
}
