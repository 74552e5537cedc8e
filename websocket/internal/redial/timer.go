package redial

import "time"

// timer waits for one thing at a time.
type timer struct {
	c    *Client
	turn int // counts what was waited for
	stop func() bool
}

// set calls f under the client's lock after d, unless the timer is set again or cleared first.
func (t *timer) set(d time.Duration, f func()) {
	t.clear()
	turn := t.turn
	t.stop = t.c.o.Clock.AfterFunc(max(d, 0), func() {
		t.c.mu.Lock()
		defer t.c.mu.Unlock()
		if t.turn == turn {
			t.stop = nil
			f()
		}
	})
}

func (t *timer) clear() {
	t.turn++
	if t.stop != nil {
		t.stop()
		t.stop = nil
	}
}
