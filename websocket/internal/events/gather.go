package events

import "context"

// Gathering is a request to many receivers S whose replies are awaited. Only Answer is safe
// from any goroutine.
type Gathering[S comparable, E any] struct {
	ID      string
	forget  func(s S, id string)
	open    map[S]struct{} // whose replies have not been taken from the channel
	replies chan answer[S, E]
}

type answer[S comparable, E any] struct {
	from S
	Reply[E]
}

// NewGathering makes a request to most receivers. forget has no reply of one awaited any
// more.
func NewGathering[S comparable, E any](id string, most int, forget func(s S, id string)) *Gathering[S, E] {
	return &Gathering[S, E]{id, forget, make(map[S]struct{}, most), make(chan answer[S, E], most)}
}

// Add adds a receiver, which is answered once.
func (g *Gathering[S, E]) Add(s S) { g.open[s] = struct{}{} }

// Answer answers for a receiver.
func (g *Gathering[S, E]) Answer(s S, r Reply[E]) { g.replies <- answer[S, E]{s, r} }

// Collect yields the replies as they come, and ctx's error for those that have none when
// it ends. No reply is awaited when it has returned.
func (g *Gathering[S, E]) Collect(ctx context.Context, yield func(S, Reply[E]) bool) {
	defer g.forgetAll()
	for len(g.open) > 0 {
		select {
		case a := <-g.replies:
			if !g.yield(a, yield) {
				return
			}
		case <-ctx.Done():
			g.rest(ctx.Err(), yield)
			return
		}
	}
}

func (g *Gathering[S, E]) yield(a answer[S, E], yield func(S, Reply[E]) bool) bool {
	delete(g.open, a.from)
	return yield(a.from, a.Reply)
}

// rest yields the replies that have come, and err for the others.
func (g *Gathering[S, E]) rest(err error, yield func(S, Reply[E]) bool) {
	g.forgetAll()
	for len(g.replies) > 0 {
		if !g.yield(<-g.replies, yield) {
			return
		}
	}
	for s := range g.open {
		if !yield(s, Reply[E]{Err: err}) {
			return
		}
	}
}

func (g *Gathering[S, E]) forgetAll() {
	for s := range g.open {
		g.forget(s, g.ID)
	}
}
