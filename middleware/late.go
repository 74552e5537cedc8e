package middleware

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/nextrush/nextrush"
)

var errTooLate = errors.New("as many abandoned handlers of the route go on as may")

// late knows the handlers that were abandoned and go on.
type late struct {
	max int // of a route

	mu      sync.Mutex // guards what follows
	routes  map[string]int
	watches bool // for the end of the app
}

// full reports whether no more handlers of a route may be started.
func (l *late) full(route string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.routes[route] >= l.max
}

// count adds n to the handlers of a route. The first one has Shutdown log who is left.
func (l *late) count(app *nextrush.App, route string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.routes == nil {
		l.routes = make(map[string]int)
	}
	if l.routes[route] += n; l.routes[route] == 0 {
		delete(l.routes, route)
	}
	if !l.watches {
		l.watches = true
		context.AfterFunc(app.Context(), func() {
			if names := l.names(); names != "" {
				app.Log().Warn("abandoned handlers go on: Shutdown does not wait for them", "handlers", names)
			}
		})
	}
}

func (l *late) names() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var names []string
	for _, route := range slices.Sorted(maps.Keys(l.routes)) {
		names = append(names, fmt.Sprintf("%d of %s", l.routes[route], route))
	}
	return strings.Join(names, ", ")
}
