package room

import "time"

// alarm rings once at the earliest of the times that were set. It is guarded as what it is
// for is, whose lock a ring waits for: by then the alarm may have been set anew, so a ring
// counts only if rung says so. There is one timer, of which one ring is due at most.
type alarm struct {
	timer *time.Timer // nil: it was never set
	at    int64       // when it rings, in nanoseconds of the caller's clock; 0: it is off
}

// set makes the alarm call ring at the given time, unless it is set to an earlier one. All
// calls of set must give the same function.
func (a *alarm) set(at, now int64, ring func()) {
	if a.at != 0 && a.at <= at {
		return
	}
	a.at = at
	a.start(now, ring)
}

func (a *alarm) start(now int64, ring func()) {
	wait := time.Duration(a.at - now)
	if a.timer == nil {
		a.timer = time.AfterFunc(wait, ring)
	} else {
		a.timer.Reset(wait)
	}
}

// rung reports whether the time has come, once. Who rings too early was meant for a time
// that does not count any more, or has another clock: the alarm goes on.
func (a *alarm) rung(now int64) bool {
	switch {
	case a.at == 0:
		return false
	case now < a.at:
		a.start(now, nil)
		return false
	}
	a.at = 0
	return true
}

// stop has it ring no more.
func (a *alarm) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
	a.at = 0
}
