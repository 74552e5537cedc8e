package pace

import (
	"sync"

	"github.com/nextrush/nextrush/internal/tally"
)

// Known are the paces of a server. The zero value has none. Its methods are safe from any
// goroutine.
type Known struct{ paces sync.Map } // *Pace by ofHandler, or, if it was added, by itself

type ofHandler struct {
	code uintptr
	name string
}

// Of is the pace of all handlers on the route of that name that share their code, as
// closures do.
func (k *Known) Of(code uintptr, name string) *Pace {
	p, ok := k.paces.Load(ofHandler{code, name})
	if !ok {
		p, _ = k.paces.LoadOrStore(ofHandler{code, name}, New(name))
	}
	return p.(*Pace)
}

// Add adds a pace that somebody else has made.
func (k *Known) Add(p *Pace) { k.paces.LoadOrStore(p, p) }

// Counts are what the handlers of one route have counted together.
type Counts struct {
	Connections, Total, HandedOver int64
	Inline, Workers                tally.Counts
	Events                         map[string]*tally.Counts
}

func (c *Counts) add(r *Route) {
	c.Connections += r.Connections.Load()
	c.Total += r.Total.Load()
	c.HandedOver += r.HandedOver.Load()
	c.Inline.Add(&r.Inline)
	c.Workers.Add(&r.Workers)
	r.Events(func(name string, h *tally.Histogram) {
		if c.Events[name] == nil {
			c.Events[name] = new(tally.Counts)
		}
		c.Events[name].Add(h)
	})
}

// Counts are those of all routes, by name.
func (k *Known) Counts() map[string]*Counts {
	counts := make(map[string]*Counts)
	k.paces.Range(func(_, v any) bool {
		r := &v.(*Pace).Route
		if counts[r.Name] == nil {
			counts[r.Name] = &Counts{Events: make(map[string]*tally.Counts)}
		}
		counts[r.Name].add(r)
		return true
	})
	return counts
}
