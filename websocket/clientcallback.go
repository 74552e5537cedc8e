package websocket

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"

	"github.com/nextrush/nextrush/websocket/internal/redial"
)

// program is a client's program, as the client behind it sees it.
type program Client

func (p *program) State(s redial.State) {
	state := publicState(s)
	for _, f := range registered((*Client)(p), &p.state) {
		p.protect(func() { f(state) })
	}
}

func (p *program) Gap(g redial.Gap) {
	gap := Gap{g.Room, (*Position)(g.From), (*Position)(g.To), g.Why}
	for _, f := range registered((*Client)(p), &p.gap) {
		p.protect(func() { f(gap) })
	}
}

func (p *program) Dropped(event string, why error) {
	if why == redial.ErrClosed {
		why = ErrClosed
	}
	for _, f := range registered((*Client)(p), &p.dropped) {
		p.protect(func() { f(Dropped{event, why}) })
	}
}

func (p *program) Failed(err error) {
	err = (*Client)(p).public(err)
	for _, f := range registered((*Client)(p), &p.err) {
		p.guard(func() { f(err) })
	}
}

func (p *program) Message(m redial.Message) {
	p.mu.Lock()
	f := p.message
	p.mu.Unlock()
	if f == nil {
		return
	}
	kind := Text
	if m.Binary {
		kind = Binary
	}
	p.protect(func() { f(Message{kind, m.Data}) })
}

func (p *program) Event(e *redial.Event) {
	ev := (*Client)(p).event(e)
	p.mu.Lock()
	list := p.handlers[handlerKey{"", e.Name}]
	if e.Room != "" {
		list = slices.Concat(list, p.handlers[handlerKey{e.Room, e.Name}])
	}
	p.mu.Unlock()
	for _, f := range list {
		p.protect(func() { f(ev) })
	}
}

func (p *program) Answer(e *redial.Event) (body redial.Body, refusal *redial.Refusal) {
	p.mu.Lock()
	f, ctx := p.requests[e.Name], p.ctx
	p.mu.Unlock()
	if f == nil {
		return body, &redial.Refusal{Message: "unknown event"}
	}
	err := errExited
	p.protect(func() {
		var out any
		if out, err = f(ctx, (*Client)(p).event(e)); err == nil {
			body, err = (*Client)(p).body([]any{out})
		}
	})
	if err != nil {
		if public := EventReplier(nil); !errors.As(err, &public) && err != errExited {
			p.Failed(fmt.Errorf("websocket: event %q: %w", e.Name, err))
		}
		r := (&Event{}).errorReply(err)
		return redial.Body{}, &redial.Refusal{Message: r.Message, Errors: r.Errors}
	}
	return body, nil
}

func (p *program) Presence(room string, change redial.PresenceChange) {
	p.mu.Lock()
	list := p.presence[room]
	p.mu.Unlock()
	for _, f := range list {
		p.protect(func() { f(PresenceChange(change)) })
	}
}

// protect runs a callback. A panic in it is told.
func (p *program) protect(f func()) {
	defer func() {
		if v := recover(); v != nil {
			p.Failed(&PanicError{v, debug.Stack()})
		}
	}()
	f()
}

// guard runs a callback that is told of errors. A panic in it is logged.
func (p *program) guard(f func()) {
	defer func() {
		if v := recover(); v != nil {
			cmp.Or(p.opts.Dial.Options.Logger, slog.Default()).Error("websocket: panic in OnError", "panic", v, "stack", string(debug.Stack()))
		}
	}()
	f()
}
