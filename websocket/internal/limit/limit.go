// Package limit has token buckets for what a peer may send, of one connection and of
// several together. It knows no connection.
package limit

import (
	"cmp"
	"sync"
	"time"
)

// Rate bounds what a peer may send; 0: no limit.
type Rate struct {
	Messages int // a second, control frames among them
	Bytes    int // of payload a second
	Burst    int // messages at once; 0: one second's worth
}

// None reports whether there is no limit.
func (r *Rate) None() bool { return r.Messages == 0 && r.Bytes == 0 }

func (r *Rate) burst() int { return cmp.Or(r.Burst, r.Messages) }

// Limiter counts what a peer may still send.
type Limiter struct {
	messages, bytes bucket
	Shared          *Shared // nil: none
}

// bucket holds tokens, which come back with time.
type bucket struct {
	tokens float64
	at     int64 // when they were counted, in nanoseconds; 0: the bucket is full
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

// Take counts a message or a control frame of size bytes, and reports false if the peer
// has sent too much.
func (x *Limiter) Take(r *Rate, size int, now int64) bool {
	return x.take(r, size, now) && x.Shared.take(size, now)
}

func (x *Limiter) take(r *Rate, size int, now int64) bool {
	if r.Messages > 0 && !x.messages.take(1, r.Messages, r.burst(), now) {
		return false
	}
	return r.Bytes == 0 || x.bytes.take(size, r.Bytes, r.Bytes, now)
}

// Shared is a limit on what the peers of several connections of a server may send
// together. It is safe from any goroutine. A nil one is none.
type Shared struct {
	rate Rate

	mu sync.Mutex // guards of
	of Limiter
}

// NewShared makes a limit that no connection shares yet.
func NewShared(r Rate) *Shared { return &Shared{rate: r} }

// Refill is how long it takes at most until the peers may send all that the limit allows
// at once: what one message was over it is owed, too.
func (s *Shared) Refill() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, most := &s.rate, 0.0
	if r.Messages > 0 {
		most = (float64(r.burst()) - s.of.messages.tokens) / float64(r.Messages)
	}
	if r.Bytes > 0 {
		most = max(most, (float64(r.Bytes)-s.of.bytes.tokens)/float64(r.Bytes))
	}
	return time.Duration(most * float64(time.Second))
}

func (s *Shared) take(size int, now int64) bool {
	if s == nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of.take(&s.rate, size, now)
}
