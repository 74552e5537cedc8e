package websocket

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/cluster"
	"github.com/nextrush/nextrush/websocket/internal/envelope"
)

// askCall is an Emitter.Request that another node is to carry out.
type askCall struct {
	Event    string          `json:"event"`
	Args     json.RawMessage `json:"args"`
	Wait     time.Duration   `json:"wait"`
	Volatile bool            `json:"volatile,omitempty"`
}

// askAnswer is a reply to it.
type askAnswer struct {
	ID      string            `json:"id"`
	Name    string            `json:"name,omitempty"`
	Args    []json.RawMessage `json:"args,omitempty"`
	Failed  string            `json:"failed,omitempty"` // one of failures, or empty
	Message string            `json:"message,omitempty"`
	Errors  json.RawMessage   `json:"errors,omitempty"`
}

// failures are errors of a reply that have a name among nodes.
var failures = map[string]error{
	"closed": ErrClosed, "large": ErrTooLarge, "requests": ErrTooManyRequests, "slow": ErrSlowConsumer, "dropped": ErrDropped,
	"deadline": context.DeadlineExceeded, "canceled": context.Canceled,
}

// requestAll is Request for the receivers of all nodes. What one yields does not wait for
// another.
func (e Emitter) requestAll(ctx context.Context, n *cluster.Node, event string, args []any) iter.Seq[Reply] {
	return func(yield func(Reply) bool) {
		data, err := envelope.Args(args)
		if err != nil {
			yield(Reply{Err: err})
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		replies, left := make(chan Reply), make(chan struct{})
		defer close(left)
		give := func(r Reply) bool {
			select {
			case replies <- r:
				return true
			case <-left:
				return false
			}
		}
		var both sync.WaitGroup
		both.Go(func() { e.requestAbroad(ctx, n, askCall{Event: event, Args: data, Volatile: e.volatile}, give) })
		here := e.requestHere(ctx, event, args)
		both.Go(func() { here(give) })
		go func() {
			both.Wait()
			close(replies)
		}()
		for r := range replies {
			if !yield(r) {
				return
			}
		}
	}
}

// requestAbroad is Request for the receivers of other nodes, which end a little earlier, so
// that they can say so. Nodes that have not answered come as a *PartialError without an ID.
func (e *Emitter) requestAbroad(ctx context.Context, n *cluster.Node, call askCall, give func(Reply) bool) {
	if end, has := ctx.Deadline(); has {
		call.Wait = time.Until(end) * 9 / 10
	}
	p := cluster.Parcel{Op: opAsk, Data: asJSON(call)}
	e.address(&p)
	asking := n.Ask(&p)
	defer asking.Close()
	for {
		data, ok := asking.Next(ctx)
		if !ok {
			break
		}
		var a askAnswer
		if json.Unmarshal(data, &a) == nil && !give(a.reply()) {
			return
		}
	}
	if err := partial(ctx, n, asking); err != nil {
		give(Reply{Err: err})
	}
}

// answerAsk carries out another node's request.
func (e *Emitter) answerAsk(ctx context.Context, data []byte, answer func([]byte) error) {
	var call askCall
	var args []any
	if json.Unmarshal(data, &call) != nil || json.Unmarshal(call.Args, (*rawArgs)(&args)) != nil {
		return
	}
	if call.Wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, call.Wait)
		defer cancel()
	}
	e.volatile = call.Volatile
	for r := range e.requestHere(ctx, call.Event, args) {
		if errors.Is(answer(asJSON(newAskAnswer(r))), cluster.ErrTooLarge) {
			answer(asJSON(newAskAnswer(Reply{ID: r.ID, Err: ErrTooLarge})))
		}
	}
}

// rawArgs are arguments that are JSON already.
type rawArgs []any

func (list *rawArgs) UnmarshalJSON(data []byte) error {
	var raw []json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	for _, arg := range raw {
		*list = append(*list, arg)
	}
	return nil
}

func newAskAnswer(r Reply) askAnswer {
	a := askAnswer{ID: r.ID}
	if r.Event != nil {
		a.Name, a.Args = r.Event.Name, r.Event.args
	}
	if r.Err == nil {
		return a
	}
	a.Message = r.Err.Error()
	for name, err := range failures {
		if errors.Is(r.Err, err) {
			a.Failed = name
		}
	}
	var public *EventError
	if errors.As(r.Err, &public) {
		a.Failed, a.Message, a.Errors = "event", public.Message, asJSON(public.Errors)
	}
	return a
}

func (a *askAnswer) reply() Reply {
	switch err := failures[a.Failed]; {
	case err != nil:
		return Reply{ID: a.ID, Err: err}
	case a.Failed == "event":
		return Reply{ID: a.ID, Err: &EventError{Message: a.Message, Errors: details(a.Errors)}}
	case a.Message != "":
		return Reply{ID: a.ID, Err: errors.New(a.Message)}
	}
	return Reply{ID: a.ID, Event: &Event{Name: a.Name, args: a.Args}}
}

// details are those of an error, nil if there are none.
func details(raw json.RawMessage) any {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	return raw
}
