package middleware

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
	"github.com/nextrush/nextrush/internal/urlpath"
)

// MaintenanceOptions configures Maintenance. The zero value lets nobody in.
type MaintenanceOptions struct {
	Allow      []string      // addresses and CIDR blocks that are served nevertheless, by Context.IP
	AllowPaths []string      // paths that are served nevertheless: "/health"
	RetryAfter time.Duration // what the others are told, in whole seconds; 0: 5 minutes
	Message    string        // empty: "down for maintenance"
}

// Maintenance answers 503 with Retry-After while on reports true, which it asks
// for each request, from any goroutine: the Load of an atomic.Bool, say. Sockets
// that are open stay open. It panics on a mistake in the options.
func Maintenance(on func() bool, opts ...MaintenanceOptions) nextrush.Handler {
	if on == nil {
		panic("middleware: Maintenance: on is nil: give the Load of an atomic.Bool")
	}
	o := opt.First(opts).withDefaults()
	allowed := mustBlocks("Maintenance", o.Allow)
	return func(c *nextrush.Context) error {
		path := urlpath.Of(c.Request().URL)
		if !on() || !path.Held && slices.Contains(o.AllowPaths, path.Text) || allowed.Have(c.IP()) {
			return c.Next()
		}
		err := retryLater(http.StatusServiceUnavailable, o.RetryAfter)
		err.Message = o.Message
		return err
	}
}

func (o MaintenanceOptions) withDefaults() MaintenanceOptions {
	if o.RetryAfter < 0 {
		panic("middleware: Maintenance: RetryAfter is negative: leave it out")
	}
	for _, path := range o.AllowPaths {
		if !strings.HasPrefix(path, "/") {
			panic(fmt.Sprintf("middleware: Maintenance: AllowPaths: %q: write %q", path, "/"+path))
		}
	}
	if o.RetryAfter == 0 {
		o.RetryAfter = 5 * time.Minute
	}
	if o.Message == "" {
		o.Message = "down for maintenance"
	}
	return o
}
