package room

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/history"
)

// Options is what rooms of a kind have. A nil one has nothing besides its members.
type Options[S comparable] struct {
	Limits     history.Limits // without Messages there is no history
	Private    bool           // clients may not read back
	Presence   bool
	LeaveDelay time.Duration
	Join       func(s S, room string) error // nil: clients may not join
}

const (
	defaultBytes      = 1 << 20
	defaultAge        = 5 * time.Minute
	defaultLeaveDelay = 5 * time.Second
)

// Keeps reports whether there is a history.
func (o *Options[S]) Keeps() bool { return o != nil && o.Limits.Messages > 0 }

// Shows reports whether there is presence.
func (o *Options[S]) Shows() bool { return o != nil && o.Presence }

// Joinable reports whether clients may ask to join.
func (o *Options[S]) Joinable() bool { return o != nil && o.Join != nil }

// Told reports whether clients are told of their joining.
func (o *Options[S]) Told() bool { return o.Keeps() || o.Shows() }

// complete checks the options of a pattern, and fills in defaults.
func (o *Options[S]) complete(pattern string) error {
	h := &o.Limits
	switch {
	case h.Messages < 0 || h.Bytes < 0 || h.Age < 0:
		return fmt.Errorf("websocket: Rooms: the History of %q must not be negative", pattern)
	case h.Messages == 0 && (h.Bytes > 0 || h.Age > 0 || o.Private):
		return fmt.Errorf("websocket: Rooms: the History of %q keeps nothing: set Messages", pattern)
	case h.Messages == 0:
		*h = history.Limits{}
	default:
		h.Bytes, h.Age = orDefault(h.Bytes, defaultBytes), orDefault(h.Age, defaultAge)
	}
	o.LeaveDelay = max(orDefault(o.LeaveDelay, defaultLeaveDelay), 0)
	return nil
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// kinds finds the options of a room.
type kinds[S comparable] struct {
	exact    map[string]*Options[S]
	prefixes []kind[S] // the longest first
}

type kind[S comparable] struct {
	prefix string
	opts   *Options[S]
}

// parse checks the patterns and fills in defaults.
func (k *kinds[S]) parse(patterns map[string]Options[S]) error {
	k.exact = make(map[string]*Options[S])
	for pattern, opts := range patterns {
		prefix, wild := strings.CutSuffix(pattern, "*")
		if strings.Contains(prefix, "*") || pattern == "" {
			return fmt.Errorf(`websocket: Rooms: pattern %q must be a name, or the beginning of names and a "*" at its end`, pattern)
		}
		if err := opts.complete(pattern); err != nil {
			return err
		}
		if wild {
			k.prefixes = append(k.prefixes, kind[S]{prefix, &opts})
		} else {
			k.exact[pattern] = &opts
		}
	}
	slices.SortFunc(k.prefixes, func(a, b kind[S]) int { return len(b.prefix) - len(a.prefix) })
	return nil
}

// of is nil for a room that has nothing besides its members.
func (k *kinds[S]) of(room string) *Options[S] {
	if opts := k.exact[room]; opts != nil {
		return opts
	}
	for _, p := range k.prefixes {
		if strings.HasPrefix(room, p.prefix) {
			return p.opts
		}
	}
	return nil
}

// some reports whether a kind of rooms has something.
func (k *kinds[S]) some(has func(*Options[S]) bool) bool {
	for _, opts := range k.exact {
		if has(opts) {
			return true
		}
	}
	return slices.ContainsFunc(k.prefixes, func(p kind[S]) bool { return has(p.opts) })
}
