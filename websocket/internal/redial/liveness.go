package redial

import "time"

const (
	lookEvery   = 5 * time.Second  // at the clock
	silence     = 5 * time.Second  // on top of the longest that the server has announced
	jump        = 15 * time.Second // that a look comes too late, or early
	afterJump   = 2 * time.Second  // to answer in, when the machine has slept
	lateTimer   = time.Second      // a timer that comes later was kept from running
	defaultBeat = 30 * time.Second // of a server that has announced nothing: then pings keep the connection
)

// liveness finds out that a connection is dead. Silence is judged by the clock of the
// wall, which goes on while the machine sleeps. Suspicion never cuts the connection: it
// asks.
type liveness struct {
	c           *Client
	look, probe timer
	beat        time.Duration // the longest silence of the server
	heard       time.Time
	asked       time.Time
	running     bool
	deaf        bool // we do not read
	suspicious  bool
}

func (v *liveness) start(beat time.Duration) {
	v.beat, v.heard, v.running, v.deaf = beat, v.c.now(), true, false
	v.calm()
	v.watch()
}

func (v *liveness) end() {
	v.running = false
	v.calm()
	v.look.clear()
}

// hear notes that something has arrived, or that we read again.
func (v *liveness) hear() {
	v.heard, v.deaf = v.c.now(), false
	if v.suspicious {
		v.calm()
		v.c.flush()
	}
}

func (v *liveness) since(t time.Time) time.Duration { return v.c.now().Sub(t).Abs() } // clocks go back, too

// doubt asks if nothing has arrived for longer than that.
func (v *liveness) doubt(silence, patience time.Duration) {
	if v.running && !v.deaf && !v.suspicious && v.since(v.heard) > silence {
		v.suspicious = true
		v.question(patience)
	}
}

// question asks. A late timer says nothing of the server: the answer may be there, or
// the machine has slept.
func (v *liveness) question(patience time.Duration) {
	v.asked = v.c.now()
	v.c.conn.link.Ping()
	v.probe.set(patience, func() {
		if v.since(v.asked.Add(patience)) > lateTimer {
			v.question(patience)
		} else {
			v.c.conn.cut(4001, "stale")
		}
	})
}

// watch looks at the clock now and then, and when the silence has been too long.
func (v *liveness) watch() {
	now, wait := v.c.now(), lookEvery
	if rest := v.heard.Add(v.beat + silence).Sub(now); rest >= 0 && rest < wait {
		wait = rest + time.Millisecond
	}
	v.look.set(wait, func() {
		if v.since(now.Add(wait)) > jump {
			v.doubt(-1, min(afterJump, v.c.o.ProbeTimeout))
		} else {
			v.doubt(v.beat+silence, v.c.o.ProbeTimeout)
		}
		v.watch()
	})
}

func (v *liveness) calm() {
	v.suspicious = false
	v.probe.clear()
}
