package websocket

import (
	"context"
	"errors"
	"log/slog"
	"slices"
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
	wake     chan struct{}
	pull     bool // Receive is in use
	wait     bool // a client: stop reading while something waits
	ended    bool
}

func (in *inbox) full() bool {
	return in != nil && (in.pull || in.wait) && len(in.messages) > 0
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
	m := in.messages[0]
	in.messages[0] = Message{}
	in.messages = in.messages[1:]
	in.bytes -= m.cost()
	if len(in.messages) > 0 {
		in.signal()
	} else {
		in.messages = nil
	}
	return m, true
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

// Receive returns the next message that is no event handled by On, and owns
// its bytes. It begins the reading if the handler has not returned yet. When
// the socket has ended it returns a *CloseError; when ctx ends, ctx.Err(), and
// the socket is as before. Use either Receive or OnMessage: while OnMessage is
// set, it gets the messages.
func (s *Socket) Receive(ctx context.Context) (Message, error) {
	s.mu.Lock()
	in := s.inboxLocked()
	in.pull = true
	s.mu.Unlock()
	s.begin()
	for {
		s.mu.Lock()
		if m, ok := in.pop(); ok {
			s.resume()
			return m, nil
		}
		if s.state == StateClosed {
			err := s.closing.err()
			s.mu.Unlock()
			return Message{}, err
		}
		s.mu.Unlock()
		select {
		case <-in.wake:
		case <-ctx.Done():
			return Message{}, ctx.Err()
		}
	}
}

// resume goes on reading if that had paused; s.mu is held, and released.
func (s *Socket) resume() {
	again := s.paused && !s.inbox.full()
	if again {
		now := s.srv.engine.wheel.now()
		s.paused = false
		s.activity.Store(now)
		if s.messageAt != 0 {
			s.messageAt = now
		}
	}
	s.mu.Unlock()
	if again {
		s.schedule(workRead)
	}
}

// arrived hands a message to whoever consumes it.
func (s *Socket) arrived(m Message) error {
	s.mu.Lock()
	open := s.state == StateOpen
	events := s.events
	s.mu.Unlock()
	if !open {
		return nil
	}
	if err := s.admitMessage(len(m.data)); err != nil {
		return err
	}
	if s.srv.opts.Debug {
		s.log().Debug("websocket message", slog.String("type", m.Type.String()), slog.Int("bytes", len(m.data)))
	}
	if events != nil && m.Type == Text && s.dispatch(m) {
		return nil
	}
	if f := s.onMessage.Load(); f != nil {
		s.call(*f, m)
		return nil
	}
	return s.keep(m)
}

// call runs OnMessage's callback; in debug mode it then spoils the bytes, so
// that keeping them shows.
func (s *Socket) call(f func(Message), m Message) {
	defer func() {
		if v := recover(); v != nil {
			s.panicked(v)
		}
	}()
	f(m)
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
	waits := s.inbox != nil && len(s.inbox.messages) > 0 && s.reading
	s.mu.Unlock()
	if waits {
		s.schedule(workInbox)
	}
}

// drainInbox gives waiting messages to the callbacks.
func (s *Socket) drainInbox() {
	for {
		s.mu.Lock()
		if s.onMessage.Load() == nil && s.events == nil {
			s.mu.Unlock()
			return
		}
		m, ok := s.inbox.pop()
		if !ok {
			s.resume()
			return
		}
		s.mu.Unlock()
		if s.events != nil && m.Type == Text && s.dispatch(m) {
			continue
		}
		f := s.onMessage.Load()
		if f == nil {
			s.mu.Lock()
			s.inbox.messages = append([]Message{m}, s.inbox.messages...)
			s.inbox.bytes += m.cost()
			s.inbox.signal()
			s.mu.Unlock()
			return
		}
		s.call(*f, m)
	}
}
