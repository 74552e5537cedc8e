package websocket

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/envelope"
)

const (
	minSharedKey = 16 // bytes of a key that nobody guesses
	maxWaiters   = 16 // requests that wait for the answer to the first of their key
)

// Once makes middleware for UseEvents that carries out a request once that a client sends
// again with the same key, because it did not see the answer: the handlers run for the
// first, and whatever they answer, an error too, answers the others. Those that come while
// the first runs wait for it, which does not block their sockets. It is made once, for
// all sockets:
//
//	once := websocket.Once(10*time.Minute, 10_000)
//	app.WS("/shop", func(s *websocket.Socket, c *nextrush.Context) error {
//		s.UseEvents(once)
//		…
//
// Answers are kept for ttl, and the newest n of them at most; if n requests are being
// carried out, the next is refused. A key is of one event and one user; see
// [Socket.SetUser]. Sockets without a user share keys of at least 16 bytes, which must be
// random; a shorter one is of its socket alone. A request that ends because its
// socket has, or that closes it, is not remembered.
func Once(ttl time.Duration, n int) func(e *Event, next func() error) error {
	if ttl <= 0 || n <= 0 {
		panic("websocket: Once needs a time and a number above 0, such as Once(10*time.Minute, 10_000)")
	}
	o := &answers{ttl: ttl, max: n, byKey: make(map[answerKey]*oneAnswer)}
	return o.middleware
}

// answers are those that Once remembers.
type answers struct {
	ttl time.Duration
	max int

	mu    sync.Mutex // guards the fields below and those of every answer
	byKey map[answerKey]*oneAnswer
	order []*oneAnswer // the oldest first
}

type answerKey struct{ scope, event, key string }

// oneAnswer is the answer to all requests of a key.
type oneAnswer struct {
	of  *answers
	key answerKey
	end time.Time

	known   bool
	env     envelope.Out
	args    []any
	waiters []*Event
}

func (o *answers) middleware(e *Event, next func() error) error {
	if e.Key() == "" || !e.WantsReply() {
		return next()
	}
	a, first, err := o.find(e)
	if err != nil {
		return err
	}
	if !first {
		a.give(e)
		return nil
	}
	e.rare.outcome = a
	returned := false
	defer func() {
		if !returned { // it has panicked, or ended its goroutine: nobody answers any more
			a.forget()
		}
	}()
	if err = next(); err != nil {
		a.failed(e, err)
	}
	returned = true
	return err
}

// scope is whose keys are meant.
func scope(e *Event) string {
	if id, _ := e.Socket.User(); id != "" {
		return "user " + id
	}
	if len(e.Key()) >= minSharedKey {
		return ""
	}
	return "socket " + e.Socket.ID()
}

// find returns the answer to a request, and whether it is the first of its key.
func (o *answers) find(e *Event) (a *oneAnswer, first bool, err error) {
	key, now := answerKey{scope(e), e.Name, e.Key()}, time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.expireLocked(now)
	if a := o.byKey[key]; a != nil {
		if !a.known && len(a.waiters) >= maxWaiters {
			return nil, false, &EventError{Message: "too many requests with this key"}
		}
		return a, false, nil
	}
	if len(o.byKey) >= o.max {
		return nil, false, &EventError{Message: "too many requests"}
	}
	a = &oneAnswer{of: o, key: key, end: now.Add(o.ttl)}
	o.byKey[key] = a
	o.order = append(o.order, a)
	return a, true, nil
}

// expireLocked forgets answers that are too old, and, if there is no room, the oldest that
// is known.
func (o *answers) expireLocked(now time.Time) {
	n := 0
	for n < len(o.order) && !now.Before(o.order[n].end) {
		o.dropLocked(o.order[n])
		n++
	}
	clear(o.order[:n])
	o.order = o.order[n:]
	if len(o.byKey) < o.max {
		return
	}
	if i := slices.IndexFunc(o.order, func(a *oneAnswer) bool { return a.known }); i >= 0 {
		o.dropLocked(o.order[i])
		o.order = slices.Delete(o.order, i, i+1)
	}
}

func (o *answers) dropLocked(a *oneAnswer) {
	if o.byKey[a.key] == a {
		delete(o.byKey, a.key)
	}
}

// give answers a request, now or when the answer is known.
func (a *oneAnswer) give(e *Event) {
	a.of.mu.Lock()
	known := a.known
	if !known {
		a.waiters = append(a.waiters, e)
	}
	a.of.mu.Unlock()
	if known {
		a.send(e)
	}
}

func (a *oneAnswer) send(e *Event) {
	env := a.env
	env.ID = e.id
	if env.Type == envelope.Error {
		e.Socket.SendJSON(env)
		return
	}
	e.Socket.sendEnvelope(env, a.args)
}

// answer answers the first request, and all others with the same.
func (a *oneAnswer) answer(e *Event, args []any) error {
	frozen, err := freeze(args)
	if err != nil {
		return err
	}
	for _, waiter := range a.settle(envelope.Out{Type: envelope.Ack}, frozen) {
		a.send(waiter)
	}
	return e.Socket.sendEnvelope(envelope.Out{Type: envelope.Ack, ID: e.id}, frozen)
}

// settle makes the answer known, unless it is, and returns who waits for it.
func (a *oneAnswer) settle(env envelope.Out, args []any) (waiters []*Event) {
	a.of.mu.Lock()
	defer a.of.mu.Unlock()
	if a.known {
		return nil
	}
	waiters, a.waiters = a.waiters, nil
	a.known, a.env, a.args = true, env, args
	return waiters
}

// failed has others get the error of the first, who gets it from whoever called the
// middleware.
func (a *oneAnswer) failed(e *Event, err error) {
	var end *CloseError
	if errors.As(err, &end) || errors.Is(err, context.Canceled) || e.Socket.State() == StateClosed {
		a.forget()
		return
	}
	for _, waiter := range a.settle(e.errorReply(err), nil) {
		a.send(waiter)
	}
}

// forget has the next request of the key carried out.
func (a *oneAnswer) forget() {
	waiters := a.settle(envelope.Out{Type: envelope.Error, Event: a.key.event, Message: "interrupted"}, nil)
	a.of.mu.Lock()
	a.of.dropLocked(a)
	a.of.mu.Unlock()
	for _, waiter := range waiters {
		a.send(waiter)
	}
}

// freeze encodes arguments, which may change after the reply.
func freeze(args []any) ([]any, error) {
	frozen := make([]any, len(args))
	for i, arg := range args {
		if b, ok := arg.([]byte); ok && i == len(args)-1 {
			frozen[i] = bytes.Clone(b)
			continue
		}
		data, err := envelope.Args([]any{arg})
		if err != nil {
			return nil, err
		}
		frozen[i] = data[1 : len(data)-1]
	}
	return frozen, nil
}
