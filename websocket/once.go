package websocket

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/envelope"
	"github.com/nextrush/nextrush/websocket/internal/once"
)

const (
	minSharedKey = 16              // bytes of a key that nobody guesses
	onceWait     = 5 * time.Second // for the first of a key
)

// Once makes middleware for UseEvents that carries out a request once that a client sends
// again with the same key, because it did not see the answer: the handlers run for the
// first, and whatever they answer, an error too, answers the others. Those that come before
// the first is answered wait for that, 5 s at most, which does not block their sockets; then
// they are answered with the error "still being carried out". It is made once, for all
// sockets:
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
// socket has, or that closes it, is not remembered. One that is never answered holds its key
// for ttl.
func Once(ttl time.Duration, n int) func(e *Event, next func() error) error {
	return onceIn(nil, ttl, n)
}

func onceIn(store OnceStore, ttl time.Duration, n int) func(e *Event, next func() error) error {
	if ttl <= 0 || n <= 0 {
		panic("websocket: Once needs a time and a number above 0, such as Once(10*time.Minute, 10_000)")
	}
	answers := once.New[*Event, answered](ttl, n)
	return func(e *Event, next func() error) error {
		if e.Key() == "" || !e.WantsReply() {
			return next()
		}
		key := once.Key{Scope: scope(e), Event: e.Name, Key: e.Key()}
		a, first, err := answers.Find(key)
		switch {
		case err != nil:
			return &EventError{Message: err.Error()}
		case first && store != nil && !ofSocket(key):
			return (&oneAnswer{a, &kept{store, storeKey(key), ttl}}).carryOutOnOneNode(e, next)
		case first:
			return (&oneAnswer{a, nil}).carryOut(e, next)
		}
		if is, known := a.Get(e, onceWait, stillRuns); known {
			is.send(e)
		}
		return nil
	}
}

// stillRuns answers one that has waited for the first for long enough.
func stillRuns(e *Event) { e.refuse(&EventError{Message: runs}) }

const runs = "still being carried out"

// oneAnswer is the answer to all requests of a key.
type oneAnswer struct {
	*once.Answer[*Event, answered]
	kept *kept // for other nodes; nil: for none
}

// answered is what a request was answered with.
type answered struct {
	env  envelope.Out
	args []any
}

// carryOut runs the handlers for the first request.
func (a *oneAnswer) carryOut(e *Event, next func() error) error {
	e.rare.outcome = a
	returned := false
	defer func() {
		if !returned { // it has panicked, or ended its goroutine: nobody answers any more
			a.forget(e)
		}
	}()
	err := next()
	if err != nil && !e.answered.Load() {
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
	return socketScope + e.Socket.ID()
}

const socketScope = "socket "

// ofSocket reports whether no other socket has the key.
func ofSocket(key once.Key) bool { return strings.HasPrefix(key.Scope, socketScope) }

func (is answered) send(to ...*Event) {
	for _, e := range to {
		is.env.ID = e.id
		if is.env.Type == envelope.Error {
			e.Socket.SendJSON(is.env)
		} else {
			e.Socket.sendEnvelope(is.env, is.args)
		}
	}
}

// settle gives those that wait the answer, and those that will come. Other nodes know it
// first: who has got it, or has been cut off, can ask them.
func (a *oneAnswer) settle(e *Event, is answered) {
	a.kept.set(e, &is)
	is.send(a.Settle(is)...)
}

// answer answers the first request, and all others with the same.
func (a *oneAnswer) answer(e *Event, args []any) error {
	frozen, err := freeze(args)
	if err != nil {
		return err
	}
	is := answered{envelope.Out{Type: envelope.Ack}, frozen}
	a.settle(e, is)
	is.env.ID = e.id
	return e.Socket.sendEnvelope(is.env, frozen)
}

// failed has others get the error of the first, who gets it from whoever called the
// middleware.
func (a *oneAnswer) failed(e *Event, err error) {
	if a.Known() {
		return // it was answered, and cannot be told
	}
	var end *CloseError
	if errors.As(err, &end) || errors.Is(err, context.Canceled) || e.Socket.State() == StateClosed {
		a.forget(e)
		return
	}
	a.settle(e, answered{env: e.errorReply(err)})
}

// forget has the next request of the key carried out, unless this one was answered.
func (a *oneAnswer) forget(e *Event) {
	if a.Known() {
		return
	}
	a.kept.set(e, nil)
	a.tell("interrupted")
}

// tell answers those that wait with an error that is not kept.
func (a *oneAnswer) tell(message string) {
	is := answered{env: envelope.Out{Type: envelope.Error, Event: a.Key.Event, Message: message}}
	is.send(a.Forget(is)...)
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
