package redial

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"time"
)

func (p *player) do(s step) error {
	c := p.at
	if name := s.text("on"); name != "" {
		c = p.named[name]
	}
	switch s.verb {
	case "open":
		p.client.Open()
	case "close":
		code, _ := s.it.(float64)
		p.client.Close(cmp.Or(int(code), 1000), "")
		p.track("close", func() (*Event, error) { p.client.Wait(); return nil, nil })
	case "emit":
		return p.emit(s)
	case "send":
		return p.taken(s, "", p.client.Send(Message{Data: []byte(s.it.(string))}))
	case "request":
		event, body := eventOf(s)
		m := Manner{Timeout: s.ms("timeout"), Retry: s.is("retry"), Key: s.text("key")}
		p.track(cmp.Or(s.text("as"), event), func() (*Event, error) { return p.client.Request(context.Background(), event, body, m) })
	case "join":
		p.track(cmp.Or(s.text("as"), "join"), func() (*Event, error) {
			ok, err := p.client.Join(context.Background(), s.it.(string), position(s.all["since"]))
			return &Event{Args: []json.RawMessage{json.RawMessage(fmt.Sprintf(`{"recovered":%v}`, ok))}}, err
		})
	case "leave":
		p.track(cmp.Or(s.text("as"), "leave"), func() (*Event, error) { return nil, p.client.Leave(context.Background(), s.it.(string)) })
	case "since":
		p.client.Since(s.it.([]any)[0].(string), *position(s.it.([]any)[1]))
	case "dial":
		return p.dialled(s)
	case "accept":
		c.accept(s.it.(string))
	case "hello":
		c.accept(protocol)
		c.say(p.hello(s.it.(map[string]any)))
	case "server":
		return p.server(c, s)
	case "cut":
		c.cut(int(s.it.([]any)[0].(float64)), s.it.([]any)[1].(string))
	case "refuse":
		c.refuse(errNetwork)
	case "advance":
		p.advance(ms(s.it.(float64)))
	case "sleep":
		p.sleep(ms(s.it.(float64)))
	default:
		return p.expect(c, s)
	}
	return nil
}

func position(v any) *Position {
	if v == nil {
		return nil
	}
	var p Position
	text, _ := json.Marshal(v)
	if err := json.Unmarshal(text, &p); err != nil {
		panic(err)
	}
	return &p
}

func eventOf(s step) (event string, b Body) {
	list := s.it.([]any)
	b.Data = args(list[1:]...)
	if h := s.text("hex"); h != "" {
		b.Bytes, _ = hex.DecodeString(h)
		if list[1] == nil { // bytes alone
			b.Data = args()
		}
	}
	return list[0].(string), b
}

func (p *player) emit(s step) error {
	event, body := eventOf(s)
	return p.taken(s, event, p.client.Emit(event, body, Manner{Volatile: s.is("volatile"), Age: s.ms("age")}))
}

// taken compares what became of a message. What is refused is told by an error, and by
// nothing else.
func (p *player) taken(s step, event string, err error) error {
	if want := s.all["is"] != false; want != (err == nil) {
		return fmt.Errorf("it is taken: %v", err)
	}
	if err != nil {
		p.Dropped(event, err)
	}
	return nil
}

func (p *player) track(name string, f func() (*Event, error)) {
	p.mu.Lock()
	p.pending[name] = true
	p.mu.Unlock()
	go func() {
		reply, err := f()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.settled[name] = outcome{reply, err}
		p.pending[name] = false
	}()
}

func (p *player) dialled(s step) error {
	p.dialt++
	if n := p.dials(); n != p.dialt {
		return fmt.Errorf("%d dialings, not %d", n, p.dialt)
	}
	p.at = p.last()
	if name := s.text("as"); name != "" {
		p.named[name] = p.at
	}
	want, ok := s.it.(map[string]any)["offer"]
	if !ok {
		return nil
	}
	offer := []string{}
	if !p.s.Options.Plain {
		offer = append(offer, protocol)
	}
	if p.at.offer.Resume != "" {
		offer = append(offer, p.at.offer.Resume)
	}
	if p.at.offer.Token != "" {
		offer = append(offer, "bearer", p.at.offer.Token)
	}
	return equal(plain(offer), want)
}

func (p *player) hello(more map[string]any) map[string]any {
	hello := map[string]any{"type": "hello", "id": "s1", "session": "t1", "resumed": false, "got": 0, "beat": 30000,
		"spread": 2000, "max": 1048576, "can": []string{}}
	maps.Copy(hello, p.absolute(more))
	return hello
}

// absolute makes "+5000" five seconds after the scenario's start.
func (p *player) absolute(m map[string]any) map[string]any {
	if text, ok := m["expires"].(string); ok {
		n, _ := strconv.Atoi(text)
		m["expires"] = p.begin.UnixMilli() + int64(n)
	}
	return m
}

func (p *player) server(c *fakeConn, s step) error {
	frame, ok := s.it.(map[string]any)
	if !ok {
		c.say(s.it)
		return nil
	}
	if frame["type"] == "pong" {
		c.offer.Alive()
		return nil
	}
	for _, arg := range asList(frame["data"]) {
		if m, ok := arg.(map[string]any); ok {
			p.absolute(m)
		}
	}
	if h := s.text("hex"); h != "" {
		head, _ := json.Marshal(frame)
		b, _ := hex.DecodeString(h)
		c.write(Message{true, append(append(binary.BigEndian.AppendUint16(nil, uint16(len(head))), head...), b...)})
		return nil
	}
	c.say(frame)
	return nil
}

func asList(v any) []any { list, _ := v.([]any); return list }

func (p *player) expect(c *fakeConn, s step) error {
	switch s.verb {
	case "settled":
		return p.outcome(s)
	case "pending":
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.pending[s.it.(string)] {
			return errors.New("it has settled")
		}
	case "quiet":
		return p.quiet()
	case "state":
		return match(p.state(), s.it)
	case "socket":
		messages, bytes := p.client.Buffered()
		return match(plain(map[string]any{"id": p.client.ID(), "buffered": map[string]int{"messages": messages, "bytes": bytes}}), s.it)
	case "room":
		r := p.client.Room(s.it.(string))
		return match(plain(map[string]any{"joined": r.Joined, "position": r.Position}), s.all["is"])
	case "ended":
		c.mu.Lock()
		defer c.mu.Unlock()
		return equal(float64(c.code), s.it)
	case "frame", "event", "gap", "dropped", "message", "auth", "error":
		p.take()
		got, err := p.next(s.verb)
		if err != nil {
			return err
		}
		return p.told(got, s)
	default:
		return errors.New("unknown step")
	}
	return nil
}

func (p *player) told(got any, s step) error {
	switch want := s.it.(type) {
	case []any: // an event, with fields of its meta
		meta := got.([]any)[2]
		if len(want) > 2 {
			if err := match(meta, want[2]); err != nil {
				return err
			}
		}
		return equal(got.([]any)[:2], want[:2])
	case map[string]any:
		if want["t"] == "*" {
			want["t"] = got.(map[string]any)["t"]
		}
	}
	return equal(got, s.it)
}

func (p *player) state() any {
	s := p.client.State()
	m := map[string]any{"name": [...]string{"idle", "connecting", "open", "waiting", "closed"}[s.Phase]}
	since := func(t time.Time) int64 { return t.Sub(p.begin).Milliseconds() }
	switch s.Phase {
	case Connecting:
		m["attempt"] = s.Attempt
	case Open:
		m["since"], m["resumed"] = since(s.Since), s.Resumed
	case Waiting:
		m["attempt"], m["until"] = s.Attempt, since(s.Until)
	}
	if s.Phase >= Waiting {
		m["why"] = map[string]any{"code": s.Why.Code, "reason": s.Why.Reason, "final": s.Why.Final,
			"by": [...]string{"us", "server", "network"}[s.Why.By]}
	}
	return plain(m)
}

func (p *player) outcome(s step) error {
	p.mu.Lock()
	got, ok := p.settled[s.it.(string)]
	delete(p.settled, s.it.(string))
	p.mu.Unlock()
	switch {
	case !ok:
		return errors.New("it has not settled")
	case s.text("hex") != "":
		return equal(hex.EncodeToString(got.reply.Bytes), s.text("hex"))
	case s.text("error") == "":
		return errors.Join(got.err, equal(plain(value(got.reply)), s.all["value"]))
	}
	fields := fieldsOf(got.err)
	for _, name := range []string{"error", "message", "ran", "sent", "errors"} {
		if want, ok := s.all[name]; ok && !reflect.DeepEqual(fields[name], want) {
			return fmt.Errorf("%s is %v, not %v", name, fields[name], want)
		}
	}
	return nil
}

// fieldsOf describes an error as the JavaScript client does.
func fieldsOf(err error) map[string]any {
	switch e := err.(type) {
	case *Refusal:
		return map[string]any{"error": "RequestError", "message": e.Message, "errors": plain(e.Errors)}
	case *TimedOut:
		return map[string]any{"error": "TimeoutError", "sent": e.Sent}
	case *Lost:
		return map[string]any{"error": "LostError", "ran": [...]string{"unknown", "no", "yes"}[e.Ran]}
	}
	if err == ErrClosed {
		return map[string]any{"error": "ClosedError"}
	}
	return map[string]any{"error": fmt.Sprint(err)}
}

// match looks for the fields that are expected.
func match(got, want any) error {
	fields, _ := got.(map[string]any)
	for k, v := range want.(map[string]any) {
		var err error
		if _, ok := v.(map[string]any); ok {
			err = match(fields[k], v)
		} else {
			err = equal(fields[k], v)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
	}
	return nil
}

func equal(got, want any) error {
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("%v, not %v", got, want)
	}
	return nil
}
