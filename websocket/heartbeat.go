package websocket

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const (
	messageStall = 30 * time.Second // without a byte of an open message, then 1008
)

var (
	errPongTimeout  = errors.New("websocket: peer did not answer a ping in time")
	errWriteTimeout = errors.New("websocket: peer took no bytes in time")
)

// timers is what the wheel looks at, guarded by the socket's mu unless it says
// otherwise.
type timers struct {
	pingAt int64 // when the ping that waits for its pong was sent; 0: none
	rtt    int64 // nanoseconds

	messageAt int64 // when the open message grew last; 0: none is open

	rate *bucket // of the goroutine that runs the socket
}

// tick does what is due at now and returns when to look again; 0: never.
func (s *Socket) tick(now int64) (next int64) {
	s.mu.Lock()
	next = int64(math.MaxInt64)
	failure := s.tickLocked(now, &next)
	s.mu.Unlock()
	s.flush()
	if failure != nil {
		s.lost(failure)
		return 0
	}
	if next == math.MaxInt64 {
		return 0
	}
	return next
}

// tickLocked returns an error where the connection is to be given up.
func (s *Socket) tickLocked(now int64, next *int64) error {
	switch {
	case s.state == StateClosed:
	case s.closeExpired(now, next):
		s.finishLocked(nil)
	case s.writeExpired(now, next):
		return errWriteTimeout
	case s.messageExpired(now, next):
		s.failLocked(StatusPolicyViolation, errStalled)
		*next = now + int64(lingerTime)
	default:
		return s.beat(now, next)
	}
	return nil
}

func (s *Socket) closeExpired(now int64, next *int64) bool {
	at := s.closing.deadline
	if at == 0 {
		return false
	}
	*next = min(*next, at)
	return now >= at
}

func (s *Socket) writeExpired(now int64, next *int64) bool {
	limit := s.writeLimit()
	if !s.blocked || limit < 0 {
		return false
	}
	at := s.stalled + int64(limit)
	*next = min(*next, at)
	return now >= at
}

// writeLimit is how long a peer may take no bytes; s.mu is held. Where that is
// no limit, a close still has one.
func (s *Socket) writeLimit() time.Duration {
	limit := s.srv.opts.WriteTimeout
	if !s.greeted && !s.client {
		limit = s.srv.opts.HandshakeTimeout
	}
	if limit < 0 && s.state == StateClosing {
		return s.srv.opts.CloseTimeout
	}
	return limit
}

// messageExpired judges an open message. While we do not read it can not grow.
func (s *Socket) messageExpired(now int64, next *int64) bool {
	if s.messageAt == 0 || s.state != StateOpen {
		return false
	}
	if s.paused || s.running {
		s.messageAt = now
	}
	at := s.messageAt + int64(messageStall)
	*next = min(*next, at)
	return now >= at
}

// beat sends the ping of the heartbeat and judges whether the peer lives. A
// socket that we do not read has no chance to show that.
func (s *Socket) beat(now int64, next *int64) error {
	every := s.pingEvery()
	if every <= 0 || s.state != StateOpen {
		return nil
	}
	last := s.activity.Load()
	if s.pingAt != 0 && (last >= s.pingAt || !s.reading || s.paused || s.running) {
		last, s.pingAt = max(last, s.pingAt), 0
	}
	if s.pingAt != 0 {
		return s.judge(now, next)
	}
	if due := last + every; now < due {
		*next = min(*next, due)
		return nil
	}
	s.thawLocked()
	s.pingAt = now
	s.control(wire.OpPing, binary.BigEndian.AppendUint64(nil, uint64(now)))
	if d := int64(s.srv.opts.PongTimeout); d > 0 {
		*next = min(*next, now+d)
	} else {
		*next = min(*next, now+every)
	}
	return nil
}

func (s *Socket) judge(now int64, next *int64) error {
	limit := int64(s.srv.opts.PongTimeout)
	if limit < 0 {
		s.pingAt = 0
		*next = min(*next, now+s.pingEvery())
		return nil
	}
	if due := s.pingAt + limit; now < due {
		*next = min(*next, due)
		return nil
	}
	s.control(wire.OpClose, wire.AppendClose(nil, uint16(StatusInternalError), "ping timeout"))
	s.mute = true
	return errPongTimeout
}

// pingEvery is the ping interval of this socket: ±20 %, fixed by its id.
func (s *Socket) pingEvery() int64 {
	d := int64(s.srv.opts.PingInterval)
	if d < 0 {
		return 0
	}
	return d*4/5 + d*2/5*int64(s.id[0])/255
}

// measure takes the round-trip time from the pong to our ping; s.mu is held.
func (s *Socket) measure(payload []byte) {
	if s.pingAt == 0 || len(payload) != 8 || binary.BigEndian.Uint64(payload) != uint64(s.pingAt) {
		return
	}
	s.rtt = s.srv.loop.Now() - s.pingAt
}

// watch has the wheel look at the socket for the first time.
func (s *Socket) watch() {
	now := s.srv.loop.Now()
	s.activity.Store(now)
	if every := s.pingEvery(); every > 0 {
		s.srv.wheel.Schedule((*looped)(s), now+every)
	}
}

// watchProgress notes that the open message has grown.
func (s *Socket) watchProgress() {
	now := s.srv.loop.Now()
	s.mu.Lock()
	first := s.messageAt == 0
	s.messageAt = now
	s.mu.Unlock()
	if every := s.pingEvery(); first && (every == 0 || every > int64(messageStall)) {
		s.srv.wheel.Schedule((*looped)(s), now+int64(messageStall))
	}
}

func (s *Socket) progressed() {
	s.mu.Lock()
	s.messageAt = 0
	s.mu.Unlock()
}

// bucket counts what a peer may still send.
type bucket struct {
	messages, bytes float64
	at              int64
}

// admitMessage applies Options.RateLimit to a message or a control frame.
func (s *Socket) admitMessage(size int) error {
	limit := s.srv.opts.RateLimit
	if limit.Messages == 0 && limit.Bytes == 0 {
		return nil
	}
	burst := float64(limit.Burst)
	if burst == 0 {
		burst = float64(limit.Messages)
	}
	now := s.srv.loop.Now()
	if s.rate == nil {
		s.rate = &bucket{burst, float64(limit.Bytes), now}
	}
	b := s.rate
	elapsed := float64(now-b.at) / float64(time.Second)
	b.at = now
	b.messages = min(b.messages+elapsed*float64(limit.Messages), burst) - 1
	b.bytes = min(b.bytes+elapsed*float64(limit.Bytes), float64(limit.Bytes)) - float64(size)
	if limit.Messages > 0 && b.messages < 0 || limit.Bytes > 0 && b.bytes < 0 {
		return errRate
	}
	return nil
}
