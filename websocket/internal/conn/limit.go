package conn

import "time"

// Limit bounds what the peer may send, as token buckets; 0: no limit.
type Limit struct {
	Messages int // a second, control frames among them
	Bytes    int // of payload a second
	Burst    int // messages at once; 0: one second's worth
}

// limiter counts what the peer may still send.
type limiter struct{ messages, bytes bucket }

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

// allow counts a message or a control frame of size bytes, and fails if the peer has
// sent too much.
func (in *input) allow(cfg *Config, size int) error {
	l := cfg.Limit
	if l.Messages == 0 && l.Bytes == 0 {
		return nil
	}
	if in.limiter == nil {
		in.limiter = new(limiter)
	}
	burst := l.Burst
	if burst == 0 {
		burst = l.Messages
	}
	now := cfg.Loop.Now()
	if l.Messages > 0 && !in.limiter.messages.take(1, l.Messages, burst, now) {
		return errRate
	}
	if l.Bytes > 0 && !in.limiter.bytes.take(size, l.Bytes, l.Bytes, now) {
		return errRate
	}
	return nil
}
