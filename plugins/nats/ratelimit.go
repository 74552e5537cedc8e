package nats

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/nextrush/nextrush/middleware"
)

// Take takes a token from the bucket of that key, if there is one. The clock is that of
// the server. What is kept is what the bucket lacked then.
func (s *Store) Take(ctx context.Context, key string, b middleware.TokenBucket) (state middleware.RateLimitState, err error) {
	if err := s.clock.set(ctx, s); err != nil {
		return state, err
	}
	err = s.change(ctx, "rate:"+key, func(e entry) ([]byte, time.Duration, bool) {
		lacked, _ := strconv.ParseInt(string(e.value), 10, 64)
		state = b.Take(time.Duration(lacked) - s.clock.now(e.at).Sub(e.at))
		return strconv.AppendInt(nil, int64(state.Reset), 10), state.Reset, state.Allowed
	})
	return state, err
}

const clockLife = time.Minute // after which it is asked again

// clock goes as that of the server, whatever happens to that of this machine.
type clock struct {
	mu    sync.Mutex // guards what follows
	there time.Time  // when it was asked
	here  time.Time
}

// set asks the server for the time if that was long ago.
func (c *clock) set(ctx context.Context, s *Store) error {
	c.mu.Lock()
	known := !c.here.IsZero() && time.Since(c.here) < clockLife
	c.mu.Unlock()
	if known {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	bucket, err := s.stream(ctx)
	if err != nil {
		return err
	}
	asked := time.Now()
	info, err := bucket.Info(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.there, c.here = info.TimeStamp, asked.Add(time.Since(asked)/2)
	return nil
}

// now is the time there, which is not before that of something that was stored.
func (c *clock) now(stored time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.there.Add(time.Since(c.here))
	if now.Before(stored) {
		return stored
	}
	return now
}
