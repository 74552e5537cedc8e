package middleware

import (
	"cmp"
	"container/list"
	"context"
	"crypto/sha256"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/clientip"
	"github.com/nextrush/nextrush/internal/opt"
)

// RateLimitOptions configures RateLimit. The zero value lets each client make
// 100 requests a minute.
type RateLimitOptions struct {
	Requests int           // per Window, in the long run; 0: 100
	Window   time.Duration // 0: a minute
	Burst    int           // requests that may come at once; 0: Requests

	// Key tells whose request it is; one with an empty key is not limited. nil:
	// by Context.IP, where an IPv6 network of 64 bits is one client, for that is
	// what one customer gets. Behind a proxy that needs Options.TrustedProxies.
	// Keys of more than 64 bytes are replaced by their SHA-256.
	Key func(*nextrush.Context) string

	Store        RateLimitStore // for limits across processes; nil: the memory of this one
	AllowOnError bool           // let requests pass while Store fails, instead of 503

	MaxKeys int              // in memory; then the one not seen for longest starts anew; 0: 100,000
	Now     func() time.Time // for the store in memory; nil: time.Now
}

// RateLimitStore keeps the buckets of RateLimit. Take is safe from any goroutine. Processes
// that share one share the limits: see plugins/redis and plugins/nats. Package storetest
// tests stores.
type RateLimitStore interface {
	// Take takes a token from the bucket of that key, if there is one. A
	// bucket that was not known before is full.
	Take(ctx context.Context, key string, b TokenBucket) (RateLimitState, error)
}

// TokenBucket is full with Burst tokens and gets one back each Interval.
type TokenBucket struct {
	Burst    int
	Interval time.Duration
}

// RateLimitState is what taking a token from a bucket came to.
type RateLimitState struct {
	Allowed    bool
	Remaining  int           // tokens left
	Reset      time.Duration // until the bucket is full
	RetryAfter time.Duration // until there is a token; 0 where Allowed
}

// RateLimit answers 429 to those who send more requests than they may, with
// Retry-After. All answers say in RateLimit-Limit, -Remaining and -Reset (IETF
// draft ratelimit-headers-06, in requests and seconds) where the client stands. A
// WebSocket counts once, as its upgrade. It panics on a mistake in the options.
func RateLimit(opts ...RateLimitOptions) nextrush.Handler {
	o := opt.First(opts).withDefaults()
	bucket := o.bucket()
	limit := []string{strconv.Itoa(bucket.Burst)}
	return func(c *nextrush.Context) error {
		key := o.Key(c)
		if key == "" {
			return c.Next()
		}
		state, err := o.Store.Take(c.Context(), shortKey(key), bucket)
		if err != nil && o.AllowOnError {
			c.Log().Warn("rate limit store failed: request let pass", "error", err)
			return c.Next()
		}
		if err != nil {
			return nextrush.NewError(http.StatusServiceUnavailable).WithCause(err)
		}
		h := c.Writer().Header()
		rest := []string{strconv.Itoa(state.Remaining), seconds(state.Reset)}
		h["Ratelimit-Limit"], h["Ratelimit-Remaining"], h["Ratelimit-Reset"] = limit, rest[:1:1], rest[1:]
		if !state.Allowed {
			return retryLater(http.StatusTooManyRequests, state.RetryAfter)
		}
		return c.Next()
	}
}

func (o RateLimitOptions) withDefaults() RateLimitOptions {
	o.Requests = cmp.Or(o.Requests, 100)
	o.Window = cmp.Or(o.Window, time.Minute)
	o.Burst = cmp.Or(o.Burst, o.Requests)
	if o.Key == nil {
		o.Key = func(c *nextrush.Context) string { return clientip.Network(c.IP()) }
	}
	o.MaxKeys = cmp.Or(o.MaxKeys, 100_000)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Store == nil {
		o.Store = &memoryStore{now: o.Now, max: o.MaxKeys, byKey: map[string]*list.Element{}}
	}
	return o
}

func (o RateLimitOptions) bucket() TokenBucket {
	if o.Requests < 0 || o.Window < 0 || o.Burst < 0 || o.MaxKeys < 0 {
		panic("middleware: RateLimit: Requests, Window, Burst or MaxKeys is negative: leave it out")
	}
	b := TokenBucket{Burst: o.Burst, Interval: o.Window / time.Duration(o.Requests)}
	if b.Interval == 0 || int64(b.Burst) > math.MaxInt64/int64(b.Interval) {
		panic("middleware: RateLimit: more than one request in a nanosecond, or a burst that takes centuries: lower Requests, Window or Burst")
	}
	return b
}

func shortKey(key string) string {
	if len(key) <= 64 {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return string(sum[:])
}

// retryLater is the error that tells a client to come back after d.
func retryLater(status int, d time.Duration) *nextrush.HTTPError {
	return nextrush.NewError(status).WithHeader("Retry-After", seconds(d))
}

// seconds rounds up, so that a client which waits that long is not early.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64(math.Ceil(d.Seconds())), 10)
}

// memoryStore keeps for each key the time at which its bucket is full, which is
// all there is to know of it. Full ones need not be kept.
type memoryStore struct {
	now func() time.Time
	max int

	mu    sync.Mutex // guards what follows
	byKey map[string]*list.Element
	order list.List // of *memoryBucket; the one seen last in front
}

type memoryBucket struct {
	key  string
	full time.Time
}

func (m *memoryStore) Take(_ context.Context, key string, b TokenBucket) (RateLimitState, error) {
	now := m.now() // the program's own, and so not under the lock
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := m.bucket(key, now)
	state := b.Take(kept.full.Sub(now))
	if state.Allowed {
		kept.full = now.Add(state.Reset)
	}
	return state, nil
}

// bucket finds or adds the bucket of a key, and drops up to two others that need
// not be kept or are too many.
func (m *memoryStore) bucket(key string, now time.Time) *memoryBucket {
	if e := m.byKey[key]; e != nil {
		m.order.MoveToFront(e)
		return e.Value.(*memoryBucket)
	}
	for range 2 {
		last := m.order.Back()
		if last == nil || m.order.Len() < m.max && last.Value.(*memoryBucket).full.After(now) {
			break
		}
		delete(m.byKey, m.order.Remove(last).(*memoryBucket).key)
	}
	added := &memoryBucket{key: strings.Clone(key)}
	m.byKey[added.key] = m.order.PushFront(added)
	return added
}

// Take is how a store answers, given how long the bucket would need to be full before:
// if a token is Allowed, it lacks Reset afterwards. That is the generic cell rate
// algorithm (ITU-T I.371), the token bucket without a timer, so one time is all there is to
// keep of a bucket.
func (b TokenBucket) Take(missing time.Duration) RateLimitState {
	missing = max(0, missing)
	room := time.Duration(b.Burst) * b.Interval
	if lacks := missing - (room - b.Interval); lacks > 0 {
		return RateLimitState{Reset: missing, RetryAfter: lacks}
	}
	after := missing + b.Interval
	return RateLimitState{Allowed: true, Remaining: int((room - after) / b.Interval), Reset: after}
}
