package main

import (
	"context"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/nextrush/nextrush"
)

const (
	maxSockets = 40      // of a match, with those who watch
	quick      = "open-" // begins the names of matches that anybody is sent to
)

var matchName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// lobby has the matches that go on. A match goes on while there are sockets in it, those
// included that wait for their clients to come back.
type lobby struct {
	app     *nextrush.App
	bots    int
	ctx     context.Context // of all matches
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex // guards what follows
	matches map[string]*match
}

func newLobby(app *nextrush.App, bots int) *lobby {
	l := &lobby{app: app, bots: bots, matches: map[string]*match{}}
	l.ctx, l.stop = context.WithCancel(context.Background())
	return l
}

// close ends all matches.
func (l *lobby) close(context.Context) error {
	l.stop()
	l.running.Wait()
	return nil
}

// enter counts a socket into the match of that name, which begins if need be; without a
// name, into one that has room for a player.
func (l *lobby) enter(name string) (*match, error) {
	if name != "" && !matchName.MatchString(name) {
		return nil, nextrush.NewError(400, "no match has such a name")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.matches[name]
	if name == "" {
		m = l.openLocked()
	}
	if m == nil {
		m = l.beginLocked(name)
	}
	if m.sockets == maxSockets {
		return nil, nextrush.NewError(403, "this match is full")
	}
	m.sockets++
	return m, nil
}

// openLocked finds the open match with the most visitors that has room for one who plays.
func (l *lobby) openLocked() (best *match) {
	for name, m := range l.matches {
		if strings.HasPrefix(name, quick) && m.sockets < maxPlayers && (best == nil || m.sockets > best.sockets) {
			best = m
		}
	}
	return best
}

func (l *lobby) beginLocked(name string) *match {
	if name == "" {
		name = quick + strconv.FormatUint(uint64(rand.Uint32()), 36)
	}
	ctx, stop := context.WithCancel(l.ctx)
	m := &match{
		name: name, all: l.app.WSTo(name), bots: l.bots,
		todo: make(chan func()), stop: stop, stopped: ctx.Done(), arena: newArena(),
	}
	l.matches[name] = m
	m.invite()
	l.running.Go(func() { m.run(ctx) })
	return m
}

// leave counts a socket out. The last one ends the match.
func (l *lobby) leave(m *match, v *visitor) {
	m.do(func() { m.rise(v) })
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.sockets--; m.sockets == 0 {
		delete(l.matches, m.name)
		m.stop()
	}
}
