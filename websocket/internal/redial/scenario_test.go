package redial

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const scenarios = "../../../clients/scenarios/"

// notOurs are scenarios that this client does not run, besides those about pages.
var notOurs = map[string]string{
	"ticket.json": "programs send a token in a header, and need no ticket in the address",
}

// Both clients run the same files; their README says what the steps mean.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob(scenarios + "*.json")
	if err != nil || len(files) < 60 {
		t.Fatal(len(files), "scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var s scenario
			if err := json.Unmarshal(text, &s); err != nil {
				t.Fatal(err)
			}
			switch why := notOurs[filepath.Base(file)]; {
			case s.Only == "pages":
				t.Skip("it is about browsers")
			case why != "":
				t.Skip(why)
			}
			synctest.Test(t, func(t *testing.T) { play(t, &s) })
		})
	}
}

type scenario struct {
	Rule    string
	Options options
	Listen  []string
	Handle  map[string]any
	Random  any
	Only    string
	Steps   []json.RawMessage
}

type options struct {
	Backoff                                              struct{ Base, Cap, First float64 }
	Stable, ConnectTimeout, ProbeTimeout, RequestTimeout float64
	Buffer                                               struct {
		Messages, Bytes int
		Age             float64
	}
	Auth  []any
	Setup [][]any
	Plain bool
}

func (o options) fill(out *Options) {
	out.Plain = o.Plain
	for _, x := range []struct {
		to *time.Duration
		ms float64
	}{
		{&out.Base, o.Backoff.Base}, {&out.Cap, o.Backoff.Cap}, {&out.First, o.Backoff.First},
		{&out.Stable, o.Stable}, {&out.ConnectTimeout, o.ConnectTimeout},
		{&out.ProbeTimeout, o.ProbeTimeout}, {&out.RequestTimeout, o.RequestTimeout}, {&out.Age, o.Buffer.Age},
	} {
		*x.to = cmp.Or(ms(x.ms), *x.to)
	}
	out.Messages, out.Bytes = cmp.Or(o.Buffer.Messages, out.Messages), cmp.Or(o.Buffer.Bytes, out.Bytes)
}

// step is one step: its verb, what the verb is about, and what is added.
type step struct {
	verb string
	it   any
	all  map[string]any
}

func (s step) text(key string) string { text, _ := s.all[key].(string); return text }
func (s step) ms(key string) time.Duration {
	n, _ := s.all[key].(float64)
	return ms(n)
}
func (s step) is(key string) bool { return s.all[key] == true }

// player runs a scenario. It is the program, too.
type player struct {
	*world
	t     *testing.T
	s     *scenario
	at    *fakeConn // that steps of the server are about
	named map[string]*fakeConn
	dialt int // dialings that were expected

	mu      sync.Mutex // guards the fields below
	seen    map[string][]any
	settled map[string]outcome
	pending map[string]bool
	auth    []any
}

var verbs = []string{"frame", "event", "gap", "dropped", "message", "auth", "error"}

func play(t *testing.T, s *scenario) {
	p := &player{world: newWorld(t), t: t, s: s, named: map[string]*fakeConn{}, seen: map[string][]any{},
		settled: map[string]outcome{}, pending: map[string]bool{}, auth: s.Options.Auth}
	o := p.options(p)
	s.Options.fill(&o)
	o.Random = p.random()
	if p.auth != nil {
		o.Token = p.token
	}
	if s.Options.Setup != nil {
		o.Setup = p.setup
	}
	p.client = New(o)
	p.client.Listen(true)
	for i, text := range s.Steps {
		st := readStep(t, text)
		if err := p.do(st); err != nil {
			t.Fatalf("step %d, %s: %v", i+1, text, err)
		}
		p.settle()
	}
	p.finish()
}

// readStep finds the verb, which is the first field.
func readStep(t *testing.T, text json.RawMessage) step {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.Token()
	verb, err := dec.Token()
	if err != nil {
		t.Fatal(err)
	}
	s := step{verb: verb.(string)}
	if err := json.Unmarshal(text, &s.all); err != nil {
		t.Fatal(err)
	}
	s.it = s.all[s.verb]
	return s
}

func (p *player) random() func() float64 {
	draws, ok := p.s.Random.([]any)
	if !ok {
		one, ok := p.s.Random.(float64)
		if !ok {
			one = 0.5
		}
		return func() float64 { return one }
	}
	return func() float64 {
		x := draws[0].(float64)
		if len(draws) > 1 {
			draws = draws[1:]
		}
		return x
	}
}

func (p *player) finish() {
	if err := p.quiet(); err != nil {
		p.t.Fatal("at the end: ", err)
	}
	p.client.Close(1000, "")
	p.advance(time.Second)
	p.client.Wait()
	for name, pending := range p.pending {
		if pending {
			p.t.Errorf("request %s has not settled", name)
		}
	}
	if n := p.timers(); n > 0 {
		p.t.Errorf("%d timers after close", n)
	}
}

func (p *player) quiet() error {
	p.take()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, verb := range verbs {
		if len(p.seen[verb]) > 0 {
			return fmt.Errorf("%s that nobody expected: %v", verb, p.seen[verb])
		}
	}
	if n := p.dials(); n != p.dialt {
		return fmt.Errorf("%d dialings, not %d", n, p.dialt)
	}
	return nil
}

// take moves what the client has sent to where the steps look for it.
func (p *player) take() {
	for _, c := range p.conns {
		c.mu.Lock()
		sent := c.sent
		c.sent = nil
		c.mu.Unlock()
		for _, m := range sent {
			p.note("frame", readFrame(m))
		}
	}
}

// readFrame is a message as scenarios have it: a binary event has the field hex.
func readFrame(m Message) any {
	var v map[string]any
	if !m.Binary {
		if json.Unmarshal(m.Data, &v) != nil {
			return string(m.Data)
		}
		return v
	}
	n := 2 + int(binary.BigEndian.Uint16(m.Data))
	json.Unmarshal(m.Data[2:n], &v)
	v["hex"] = hex.EncodeToString(m.Data[n:])
	return v
}

func (p *player) note(verb string, v any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen[verb] = append(p.seen[verb], plain(v))
}

func (p *player) next(verb string) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.seen[verb]) == 0 {
		return nil, fmt.Errorf("no %s", verb)
	}
	v := p.seen[verb][0]
	p.seen[verb] = p.seen[verb][1:]
	return v, nil
}

// plain is a value as encoding/json reads it.
func plain(v any) (out any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	json.Unmarshal(text, &out)
	return out
}
