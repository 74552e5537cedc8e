package redis

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/nextrush/nextrush/middleware"
)

// take keeps of a bucket what it lacks, in nanoseconds, and when that was so, in
// microseconds of the server's clock: both are exact in the numbers of Lua, which the time
// in nanoseconds would not be. A clock that was set back stops the refill, and only until
// the next call. What is kept vanishes when the bucket is full.
var take = redis.NewScript(`
local interval, room = tonumber(ARGV[1]), tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local missing, left = 0, 0
local kept = redis.call('GET', KEYS[1])
if kept then
	local lacked, at = string.match(kept, '^(%d+) (%d+)$')
	missing = math.max(0, lacked - math.max(0, now - at) * 1000)
	if now < tonumber(at) then left = missing end
end
local allowed = interval <= room - missing
if allowed then left = missing + interval end
if left > 0 then
	redis.call('SET', KEYS[1], string.format('%.0f %.0f', left, now), 'PX', string.format('%.0f', math.ceil(left / 1000000)))
end
return {allowed and 1 or 0, string.format('%.0f', missing)}
`)

// Take takes a token from the bucket of that key, if there is one. The clock is that of
// the server.
func (s *Store) Take(ctx context.Context, key string, b middleware.TokenBucket) (middleware.RateLimitState, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	room := time.Duration(b.Burst) * b.Interval
	answer, err := take.Run(ctx, s.client, []string{s.bucketKey(key)}, int64(b.Interval), int64(room)).Slice()
	if err != nil {
		return middleware.RateLimitState{}, err
	}
	allowed, _ := answer[0].(int64)
	text, _ := answer[1].(string)
	lacked, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return middleware.RateLimitState{}, err
	}
	missing := time.Duration(lacked)
	if most := room - b.Interval; allowed == 1 { // Lua is not exact above 104 days
		missing = min(missing, most)
	} else {
		missing = max(missing, most+1)
	}
	return b.Take(missing), nil
}

// bucketKey does not show the key, which can be a secret.
func (s *Store) bucketKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return s.prefix + "rate:" + base64.RawURLEncoding.EncodeToString(sum[:16])
}
