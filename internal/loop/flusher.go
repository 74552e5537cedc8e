package loop

import "sync"

// flusher writes for broadcasts that no connection has sent. On a busy processor
// it runs when the batch that produced them yields, so that several of them leave
// together.
type flusher struct {
	mu      sync.Mutex // guards the fields below
	waiting []Flusher
	running bool
}

// Flush flushes the receivers in a goroutine of its own. The list is the loop's from
// then on.
func (l *Loop) Flush(receivers ...Flusher) {
	f := &l.flusher
	f.mu.Lock()
	f.waiting = joined(f.waiting, receivers)
	start := !f.running
	f.running = true
	f.mu.Unlock()
	if start {
		go f.run()
	}
}

func (f *flusher) run() {
	for {
		f.mu.Lock()
		list := f.waiting
		f.waiting = nil
		f.running = len(list) > 0
		f.mu.Unlock()
		if len(list) == 0 {
			return
		}
		for _, r := range list {
			r.Flush()
		}
	}
}

// joined adds a list to another, and takes it over if there is no room.
func joined(list, more []Flusher) []Flusher {
	if len(list) == 0 && cap(list) < len(more) {
		return more
	}
	return append(list, more...)
}
