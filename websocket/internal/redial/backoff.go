package redial

import (
	"math"
	"regexp"
	"strconv"
	"time"

	"net/http"
)

const leastWait = 50 * time.Millisecond

// between is a time from least to most.
func between(random float64, least, most time.Duration) time.Duration {
	return least + time.Duration(random*float64(most-least))
}

// backoff is how long to wait before the next try, after failed others since the last
// good connection. good: what ended was one. spread is the window that the server has
// announced. Those that tried while it was down share it with those that have waited since
// the loss, so theirs is half as long again. Jitter comes after the cap, or all clients would wait exactly as long once
// they have reached it.
func (o *Options) backoff(end *End, failed int, good bool, spread time.Duration) time.Duration {
	random := o.Random()
	if least, most, ok := windowIn(end.Reason); ok {
		return between(random, least, most)
	}
	window := max(o.First, spread)
	if after := end.RetryAfter; after >= 0 {
		return between(random, after, after+max(window, after))
	}
	factor := 1.0
	if end.Code == 1013 { // try again later
		factor = 4
	}
	if good {
		return time.Duration(random * float64(window) * factor)
	}
	most := min(float64(o.Cap), float64(o.Base)*factor*math.Pow(2, float64(failed)))
	return max(leastWait, time.Duration(random*max(1.5*float64(spread), most)))
}

var window = regexp.MustCompile(`\bretry=(\d{1,9})-(\d{1,9})$`)

// windowIn is the window at the end of a close reason, "… retry=0-8000".
func windowIn(reason string) (least, most time.Duration, ok bool) {
	m := window.FindStringSubmatch(reason)
	if m == nil {
		return 0, 0, false
	}
	from, _ := strconv.Atoi(m[1])
	to, _ := strconv.Atoi(m[2])
	return time.Duration(from) * time.Millisecond, time.Duration(max(from, to)) * time.Millisecond, true
}

// isFinal tells for which codes a new try would end in the same way. 44xx stand for the
// HTTP statuses 4xx, as an upgrade may have been refused with.
func isFinal(code int) bool {
	switch code {
	case 1002, 1003, 1007, 1008, 1009, 1010:
		return true
	case 4401, 4408, 4425, 4429:
		return false
	}
	return code >= 4400 && code < 4500
}

const longestRetry = time.Hour // that a header may make a client wait

// retryAfter reads that header (RFC 9110 §10.2.3); negative: it says nothing.
func retryAfter(header string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(header, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(longestRetry/time.Second))) * time.Second
	}
	at, err := http.ParseTime(header)
	if err != nil || at.Before(now) {
		return -1
	}
	return min(at.Sub(now), longestRetry)
}
