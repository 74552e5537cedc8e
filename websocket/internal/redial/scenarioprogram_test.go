package redial

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
)

// What a player is told as the program, and what it answers.

func (p *player) State(State)                     {}
func (p *player) Failed(err error)                { p.note("error", err.Error()) }
func (p *player) Message(m Message)               { p.note("message", string(m.Data)) }
func (p *player) Presence(string, PresenceChange) {}

func (p *player) Gap(g Gap) {
	var room any
	if g.Room != "" {
		room = g.Room
	}
	p.note("gap", map[string]any{"room": room, "from": g.From, "to": g.To, "why": g.Why})
}

var reasons = map[error]string{ErrFull: "full", ErrTooOld: "old", ErrVolatile: "volatile", ErrTooBig: "too big", ErrClosed: "closed"}

func (p *player) Dropped(event string, why error) {
	p.note("dropped", map[string]any{"event": event, "why": reasons[why]})
}

func (p *player) Event(e *Event) {
	for _, name := range p.s.Listen {
		if name == e.Name {
			meta := map[string]any{"replayed": e.Replayed, "hex": hex.EncodeToString(e.Bytes)}
			if e.Room != "" {
				meta["room"], meta["offset"] = e.Room, e.Offset
			}
			p.note("event", []any{e.Name, value(e), meta})
		}
	}
}

// value is the first argument.
func value(e *Event) any {
	if e == nil || len(e.Args) == 0 {
		return nil
	}
	return e.Args[0]
}

func (p *player) Answer(e *Event) (Body, *Refusal) {
	out, ok := p.s.Handle[e.Name]
	if !ok {
		return Body{}, &Refusal{Message: "unknown event"}
	}
	if special, ok := out.(map[string]any); ok {
		if text, fails := special["throws"].(string); fails {
			return Body{}, &Refusal{Message: text}
		}
		if text, ok := special["hex"].(string); ok {
			b, _ := hex.DecodeString(text)
			return Body{Data: args(), Bytes: b}, nil
		}
	}
	return Body{Data: args(out)}, nil
}

func args(v ...any) json.RawMessage {
	if v == nil {
		v = []any{}
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

func (p *player) token(_ context.Context, why Why) (string, error) {
	p.note("auth", [...]string{"first", "again", "expiring", "expired"}[why])
	p.mu.Lock()
	defer p.mu.Unlock()
	next := p.auth[0]
	if len(p.auth) > 1 {
		p.auth = p.auth[1:]
	}
	switch c := next.(type) {
	case string:
		return c, nil
	case map[string]any:
		return "", errors.New(c["throws"].(string))
	}
	return "", ErrNoCredential
}

func (p *player) setup(ctx context.Context, first Manner) error {
	for _, call := range p.s.Options.Setup {
		var err error
		if event, body := call[1].(string), (Body{Data: args(call[2])}); call[0] == "emit" {
			err = p.client.Emit(event, body, first)
		} else {
			_, err = p.client.Request(ctx, event, body, first)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
