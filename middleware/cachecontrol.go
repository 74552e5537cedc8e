package middleware

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
)

// CacheControlOptions configures CacheControl. The zero value tells
// caches not to store the answers. Durations are sent in whole seconds.
type CacheControlOptions struct {
	MaxAge       time.Duration // that a kept answer is used without asking; 0: none
	SharedMaxAge time.Duration // in shared caches, if it differs; 0: MaxAge
	Private      bool          // shared caches must not keep answers: each user's is another
	Immutable    bool          // not even a reload asks for them (RFC 8246)

	StaleWhileRevalidate time.Duration // that an old one is used while a new one is fetched (RFC 5861)
	StaleIfError         time.Duration // that an old one is used while there is no new one (RFC 5861)
}

// CacheControl says how long browsers and shared caches may keep the answers to
// GET and HEAD (RFC 9111 §5.2.2). Handlers may say otherwise. Errors that the
// App answers are not kept. It panics on options that contradict each other.
func CacheControl(opts ...CacheControlOptions) nextrush.Handler {
	o := opt.First(opts)
	value := o.value()
	return func(c *nextrush.Context) error {
		if c.Method() == http.MethodGet || c.Method() == http.MethodHead {
			c.SetHeader("Cache-Control", value)
		}
		return c.Next()
	}
}

func (o CacheControlOptions) value() string {
	if o.Private && o.SharedMaxAge != 0 {
		panic("middleware: CacheControl: Private keeps answers out of shared caches: leave out SharedMaxAge")
	}
	if o == (CacheControlOptions{}) {
		return "no-store"
	}
	directives := []string{"public"}
	if o.Private {
		directives[0] = "private"
	}
	add := func(name string, d time.Duration) {
		if d < 0 {
			panic("middleware: CacheControl: a duration is negative: leave it out")
		}
		directives = append(directives, name+"="+strconv.FormatInt(int64(d/time.Second), 10))
	}
	add("max-age", o.MaxAge)
	if o.SharedMaxAge != 0 {
		add("s-maxage", o.SharedMaxAge)
	}
	if o.StaleWhileRevalidate != 0 {
		add("stale-while-revalidate", o.StaleWhileRevalidate)
	}
	if o.StaleIfError != 0 {
		add("stale-if-error", o.StaleIfError)
	}
	if o.Immutable {
		directives = append(directives, "immutable")
	}
	return strings.Join(directives, ", ")
}
