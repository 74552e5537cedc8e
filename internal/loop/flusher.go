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

// Flush flushes the receivers in a goroutine of its own.
func (l *Loop) Flush(receivers ...Flusher) {
	f := &l.flusher
	f.mu.Lock()
	f.waiting = append(f.waiting, receivers...)
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
