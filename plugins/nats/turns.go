package nats

import (
	"context"
	"sync"
)

// turns has the changes of a key that are made here wait for one another. Its zero value
// is ready.
type turns struct {
	mu  sync.Mutex // guards what follows
	all map[string]*turn
}

type turn struct {
	free  chan struct{} // holds a value while nobody has it
	users int           // who have it or wait for it
}

// take waits for the turn of a key, which its result ends.
func (t *turns) take(ctx context.Context, key string) (end func(), err error) {
	turn := t.join(key)
	select {
	case <-turn.free:
		return func() {
			turn.free <- struct{}{}
			t.leave(key, turn)
		}, nil
	case <-ctx.Done():
		t.leave(key, turn)
		return nil, ctx.Err()
	}
}

func (t *turns) join(key string) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = make(map[string]*turn)
	}
	if t.all[key] == nil {
		t.all[key] = &turn{free: make(chan struct{}, 1)}
		t.all[key].free <- struct{}{}
	}
	t.all[key].users++
	return t.all[key]
}

func (t *turns) leave(key string, turn *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if turn.users--; turn.users == 0 {
		delete(t.all, key)
	}
}
