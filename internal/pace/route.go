package pace

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/internal/tally"
)

// maxEvents is how many events of one handler are told apart. A program that makes up
// their names as it goes does not fill the memory with them.
const maxEvents = 256

// OtherEvents are the events beyond that.
const OtherEvents = "other"

// Route is what the connections of a handler count. It is safe from any goroutine.
type Route struct {
	Name string // the pattern of the path, never a path; it does not change

	Connections, Total atomic.Int64    // open now, and so far
	Inline, Workers    tally.Histogram // of runs, by where they were
	HandedOver         atomic.Int64    // runs so slow that another goroutine polls instead

	mu     sync.RWMutex // guards events
	events map[string]*tally.Histogram
}

// Opened counts a connection in.
func (r *Route) Opened() {
	r.Connections.Add(1)
	r.Total.Add(1)
}

// Ended counts it out.
func (r *Route) Ended() { r.Connections.Add(-1) }

// RanEvent takes how long the handlers of an event took.
func (r *Route) RanEvent(name string, d time.Duration) { r.event(name).Add(d) }

func (r *Route) event(name string) *tally.Histogram {
	r.mu.RLock()
	h := r.events[name]
	r.mu.RUnlock()
	if h != nil {
		return h
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.events[name] == nil && len(r.events) >= maxEvents {
		name = OtherEvents
	}
	if r.events == nil {
		r.events = make(map[string]*tally.Histogram)
	}
	if r.events[name] == nil {
		r.events[name] = new(tally.Histogram)
	}
	return r.events[name]
}

// Events calls f with each event that has run.
func (r *Route) Events(f func(name string, h *tally.Histogram)) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for name, h := range r.events {
		f(name, h)
	}
}
