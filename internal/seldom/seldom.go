// Package seldom keeps a log readable where a peer decides how often something
// happens.
package seldom

import (
	"sync"
	"time"
)

const interval = time.Second // between two lines of one kind

// Log says which lines to write. The zero value is ready; it is safe from any
// goroutine. Its memory grows with the number of kinds, which are the program's.
type Log struct {
	mu    sync.Mutex // guards kinds
	kinds map[string]*kind
}

type kind struct {
	last    time.Time
	skipped int
}

// Due reports whether a line of this kind is due, and how many were skipped since
// the last one.
func (l *Log) Due(of string) (skipped int, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.kinds[of]
	if k == nil {
		if l.kinds == nil {
			l.kinds = make(map[string]*kind)
		}
		k = new(kind)
		l.kinds[of] = k
	}
	now := time.Now()
	if now.Sub(k.last) < interval {
		k.skipped++
		return 0, false
	}
	skipped, k.last, k.skipped = k.skipped, now, 0
	return skipped, true
}
