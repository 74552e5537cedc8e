package conn

import (
	"cmp"
	"sync"
	"time"
)

// Limit bounds what the peer may send, as token buckets; 0: no limit.
type Limit struct {
	Messages int // a second, control frames among them
	Bytes    int // of payload a second
	Burst    int // messages at once; 0: one second's worth
}

func (l *Limit) none() bool { return l.Messages == 0 && l.Bytes == 0 }

func (l *Limit) burst() int { return cmp.Or(l.Burst, l.Messages) }

// limiter counts what the peer may still send.
type limiter struct {
	messages, bytes bucket
	shared          *Shared // nil: none
}

// bucket holds tokens, which come back with time.
type bucket struct {
	tokens float64
	at     int64 // when they were counted, on the loop's clock; 0: the bucket is full
}

// take takes n tokens out of a bucket that regains rate a second up to burst, and
// reports whether there were as many.
func (b *bucket) take(n, rate, burst int, now int64) bool {
	full := float64(burst)
	if b.at != 0 {
		full = min(full, b.tokens+float64(now-b.at)/float64(time.Second)*float64(rate))
	}
	b.tokens, b.at = full-float64(n), now
	return b.tokens >= 0
}

// take counts a message of size bytes, and reports false if the peer has sent too much.
func (x *limiter) take(l *Limit, size int, now int64) bool {
	if l.Messages > 0 && !x.messages.take(1, l.Messages, l.burst(), now) {
		return false
	}
	return l.Bytes == 0 || x.bytes.take(size, l.Bytes, l.Bytes, now)
}

// allow counts a message or a control frame of size bytes, and fails if the peer has
// sent too much.
func (in *input) allow(cfg *Config, size int) error {
	if in.limiter == nil {
		if cfg.Limit.none() {
			return nil
		}
		in.limiter = new(limiter)
	}
	now := cfg.Loop.Now()
	if !in.limiter.take(&cfg.Limit, size, now) || !in.limiter.shared.take(size, now) {
		return errRate
	}
	return nil
}

// share has what arrives count towards a limit that others share; nil: none.
func (in *input) share(s *Shared) {
	if in.limiter == nil {
		if s == nil {
			return
		}
		in.limiter = new(limiter)
	}
	in.limiter.shared = s
}

// Shared is a limit on what the peers of several connections of a server may send
// together. It is safe from any goroutine. A nil one is none.
type Shared struct {
	limit Limit

	mu sync.Mutex // guards of
	of limiter
}

// NewShared makes a limit that no connection shares yet.
func NewShared(l Limit) *Shared { return &Shared{limit: l} }

// Refill is how long it takes at most until the peers may send all that the limit allows
// at once: what one message was over it is owed, too.
func (s *Shared) Refill() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, most := &s.limit, 0.0
	if l.Messages > 0 {
		most = (float64(l.burst()) - s.of.messages.tokens) / float64(l.Messages)
	}
	if l.Bytes > 0 {
		most = max(most, (float64(l.Bytes)-s.of.bytes.tokens)/float64(l.Bytes))
	}
	return time.Duration(most * float64(time.Second))
}

func (s *Shared) take(size int, now int64) bool {
	if s == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of.take(&s.limit, size, now)
}

// Share has what the peer sends from the next run on count towards a limit that others
// share.
func (c *Conn) Share(s *Shared) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rareLocked().shared = s
}
