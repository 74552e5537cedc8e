package websocket

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/envelope"
	"github.com/nextrush/nextrush/websocket/internal/once"
)

// OnceStore keeps answers for [OnceIn], as a store of plugins/redis or plugins/nats does.
// Its methods are safe from any goroutine.
type OnceStore interface {
	// Get returns the value of a key; nil: there is none.
	Get(ctx context.Context, key string) ([]byte, error)
	// Set keeps a value for ttl; nil removes the one there is.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Add is Set if there is no value, in one step. If there is one, it changes nothing
	// and returns that.
	Add(ctx context.Context, key string, value []byte, ttl time.Duration) (existing []byte, err error)
}

// OnceIn is [Once] for several nodes that share a store: a request that was carried out on
// one node is answered from the store on all others. The socket waits while the store is
// asked, for each request with a key that this node does not know; keys of one socket alone
// are not shared. n is for the memory of this node.
//
// While the store fails, requests with a key are answered with the error "try again", and are
// not carried out. The key of a request whose node has died, or whose answer could not be
// stored, is held for ttl: nobody knows how far it came.
func OnceIn(store OnceStore, ttl time.Duration, n int) func(e *Event, next func() error) error {
	if store == nil {
		panic("websocket: OnceIn needs a store, such as one of plugins/redis; for one node there is Once")
	}
	return onceIn(store, ttl, n)
}

const (
	storeWait = 3 * time.Second        // for the store
	storePoll = 200 * time.Millisecond // between looks at whether another node has answered
	running   = "running"              // is kept until there is an answer
)

// kept is what other nodes know of an answer.
type kept struct {
	store OnceStore
	key   string
	ttl   time.Duration
}

// storeKey shows nobody who reads the store what is asked, nor by whom.
func storeKey(key once.Key) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q", key.Scope, key.Event, key.Key))
	return "once:" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// carryOutOnOneNode runs the handlers unless another node does or has.
func (a *oneAnswer) carryOutOnOneNode(e *Event, next func() error) error {
	existing, err := a.kept.add(e.Socket.Context())
	switch {
	case err != nil:
		e.Socket.conn.Report(fmt.Errorf("websocket: Once: %w", err))
		a.tell("try again")
		return &EventError{Message: "try again"}
	case existing == nil:
		return a.carryOut(e, next)
	}
	if is, known := parseAnswered(existing); known {
		a.give(e, is)
		return nil
	}
	go a.await(e)
	return nil
}

// give answers e, those that wait, and those that will come.
func (a *oneAnswer) give(e *Event, is answered) {
	waiters := a.Settle(is)
	is.send(e)
	is.send(waiters...)
}

// await waits for the answer of another node.
func (a *oneAnswer) await(e *Event) {
	ctx, cancel := context.WithTimeout(e.Socket.Context(), onceWait)
	defer cancel()
	for {
		select {
		case <-time.After(storePoll):
		case <-ctx.Done():
			a.tell(runs)
			stillRuns(e)
			return
		}
		value, err := a.kept.store.Get(ctx, a.kept.key)
		if err == nil && value == nil { // it was interrupted there
			a.tell("interrupted")
			e.refuse(&EventError{Message: "interrupted"})
			return
		}
		if is, known := parseAnswered(value); known {
			a.give(e, is)
			return
		}
	}
}

func (k *kept) add(ctx context.Context) (existing []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	return k.store.Add(ctx, k.key, []byte(running), k.ttl)
}

// set keeps an answer, or frees the key if it is nil.
func (k *kept) set(e *Event, is *answered) {
	if k == nil {
		return
	}
	var value []byte
	if is != nil {
		value = is.bytes()
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeWait)
	defer cancel()
	if err := k.store.Set(ctx, k.key, value, k.ttl); err != nil {
		e.Socket.conn.Report(fmt.Errorf("websocket: Once: keep the answer: %w", err))
	}
}

// storedAnswer is an answer as it is kept.
type storedAnswer struct {
	Out   envelope.Out      `json:"out"`
	Args  []json.RawMessage `json:"args,omitempty"`
	Bytes []byte            `json:"bytes,omitempty"` // the last argument, if that is bytes
	Has   bool              `json:"has,omitempty"`   // bytes
}

func (is answered) bytes() []byte {
	s := storedAnswer{Out: is.env}
	s.Out.ID = nil // of the first
	for _, arg := range is.args {
		switch arg := arg.(type) {
		case []byte:
			s.Bytes, s.Has = arg, true
		case json.RawMessage:
			s.Args = append(s.Args, arg)
		}
	}
	b, err := json.Marshal(s)
	if err != nil { // details of an error that are no JSON, which the first does not get either
		return []byte(running)
	}
	return b
}

// parseAnswered reports false if there is no answer yet.
func parseAnswered(b []byte) (is answered, known bool) {
	var s storedAnswer
	if json.Unmarshal(b, &s) != nil {
		return is, false
	}
	is.env = s.Out
	for _, arg := range s.Args {
		is.args = append(is.args, arg)
	}
	if s.Has {
		is.args = append(is.args, s.Bytes)
	}
	return is, true
}
