package redial

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// program is one that keeps what it is told.
type program struct {
	events   []string
	messages []string
	failed   []error
	changes  []PresenceChange
	busy     func() // called for each event; may be nil
}

func (p *program) State(State)                         {}
func (p *program) Gap(Gap)                             {}
func (p *program) Dropped(string, error)               {}
func (p *program) Failed(err error)                    { p.failed = append(p.failed, err) }
func (p *program) Message(m Message)                   { p.messages = append(p.messages, string(m.Data)) }
func (p *program) Answer(*Event) (Body, *Refusal)      { return Body{}, nil }
func (p *program) Presence(_ string, c PresenceChange) { p.changes = append(p.changes, c) }
func (p *program) Event(e *Event) {
	p.events = append(p.events, e.Name)
	if p.busy != nil {
		p.busy()
	}
}

// inWorld runs f with a client that has just been made, and ends both.
func inWorld(t *testing.T, change func(*Options), f func(w *world, p *program)) {
	synctest.Test(t, func(t *testing.T) {
		w, p := newWorld(t), new(program)
		o := w.options(p)
		if change != nil {
			change(&o)
		}
		w.client = New(o)
		w.client.Listen(true)
		f(w, p)
		w.client.Close(1000, "")
		w.client.Listen(false)
		w.advance(time.Second)
		w.client.Wait()
		if n := w.timers(); n > 0 {
			t.Errorf("%d timers after close", n)
		}
	})
}

// open opens a client, with more in the hello.
func (w *world) open(more msg) *fakeConn {
	w.client.Open()
	w.settle()
	c := w.last()
	hello := msg{"type": "hello", "id": "s1", "beat": 30000, "can": []string{"history", "presence"}}
	maps.Copy(hello, more)
	c.accept(protocol)
	c.say(hello)
	w.settle()
	return c
}

func TestTheStatusOfARefusalDecides(t *testing.T) {
	for name, c := range map[string]struct {
		refused Refused
		final   bool
		wait    time.Duration
	}{
		"403 of the server is final":      {Refused{Status: 403, Problem: true}, true, 0},
		"403 of a proxy is not":           {Refused{Status: 403}, false, 500 * time.Millisecond},
		"500 is not":                      {Refused{Status: 500, Problem: true}, false, 500 * time.Millisecond},
		"408 is not":                      {Refused{Status: 408, Problem: true}, false, 500 * time.Millisecond},
		"503 waits as long as it says":    {Refused{Status: 503, RetryAfter: "10"}, false, 15 * time.Second},
		"429 too":                         {Refused{Status: 429, Problem: true, RetryAfter: "2"}, false, 3 * time.Second},
		"503 may say nothing":             {Refused{Status: 503, RetryAfter: "soon"}, false, 500 * time.Millisecond},
		"a wait is an hour at most":       {Refused{Status: 503, RetryAfter: "99999999999999999999"}, false, 500 * time.Millisecond},
		"401 is tried again at once":      {Refused{Status: 401, Problem: true}, false, 0},
		"a redirect is not followed, yet": {Refused{Status: 302}, false, 500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(w *world, _ *program) {
				w.client.Open()
				w.settle()
				w.last().refuse(&c.refused)
				w.settle()
				s := w.client.State()
				if final := s.Phase == Closed; final != c.final || s.Why.Final != c.final || s.Why.Status != c.refused.Status {
					t.Fatalf("%+v", s)
				}
				if wait := s.Until.Sub(w.Now()); !c.final && wait != c.wait {
					t.Errorf("it waits %v", wait)
				}
			})
		})
	}
}

func TestASecondRefusalOfCredentialsIsFinal(t *testing.T) {
	inWorld(t, nil, func(w *world, _ *program) {
		w.client.Open()
		for range 2 {
			w.advance(0)
			w.last().refuse(&Refused{Status: 401})
		}
		w.settle()
		if s := w.client.State(); s.Phase != Closed || s.Why.Status != 401 {
			t.Errorf("%+v", s)
		}
	})
}

// Waits are uniform: a tenth of them falls into each tenth of the window, after any
// number of failures.
func TestWaitsAreSpreadEvenly(t *testing.T) {
	const draws = 100_000
	o := Options{Base: time.Second, Cap: 30 * time.Second, First: time.Second, Random: rand.New(rand.NewPCG(1, 2)).Float64}
	for name, c := range map[string]struct {
		end           End
		failed        int
		good          bool
		spread        time.Duration
		least, beyond time.Duration
	}{
		"after a good connection":       {ending(1006, "", ByNetwork), 0, true, 0, 0, time.Second},
		"in the window that was told":   {ending(1006, "", ByNetwork), 0, true, 8 * time.Second, 0, 8 * time.Second},
		"after three failures":          {ending(1006, "", ByNetwork), 3, false, 0, 0, 8 * time.Second},
		"after one, to many clients":    {ending(1006, "", ByNetwork), 1, false, 8 * time.Second, 0, 12 * time.Second},
		"after many":                    {ending(1006, "", ByNetwork), 500, false, 0, 0, 30 * time.Second},
		"in the window of a reason":     {ending(1012, "x retry=2000-5000", ByServer), 9, false, 0, 2 * time.Second, 5 * time.Second},
		"after Retry-After":             {End{Code: 1006, RetryAfter: 4 * time.Second}, 0, false, 0, 4 * time.Second, 8 * time.Second},
		"of a server that is too busy":  {ending(1013, "", ByServer), 0, true, 0, 0, 4 * time.Second},
		"of one that has always failed": {ending(1013, "", ByServer), 1, false, 0, 0, 8 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			var tenths [10]int
			for range draws {
				d := o.backoff(&c.end, c.failed, c.good, c.spread)
				i := int((d - c.least) * 10 / (c.beyond - c.least))
				if d < c.least || i > 9 {
					t.Fatalf("it waits %v", d)
				}
				tenths[i]++
			}
			chi := 0.0
			for _, n := range tenths {
				d := float64(n) - draws/10
				chi += d * d / (draws / 10)
			}
			if chi > 40 { // 9 degrees of freedom: once in 100,000 times
				t.Errorf("χ² is %.1f: %v", chi, tenths)
			}
		})
	}
}

// A program that is slow makes the server wait, and is not taken for a dead server.
func TestWhatTheProgramDoesNotTakeIsNotRead(t *testing.T) {
	inWorld(t, nil, func(w *world, p *program) {
		c := w.open(nil)
		var block atomic.Bool
		block.Store(true)
		p.busy = func() {
			if block.Swap(false) {
				for range mostCalls + 100 {
					c.say(msg{"type": "event", "event": "more"})
				}
				synctest.Wait()
				if n := len(c.in); n != 100 {
					t.Errorf("%d messages are not read", n)
				}
				w.sleepless(10 * time.Minute)
				if s := w.client.State(); s.Phase != Open {
					t.Errorf("state %d", s.Phase)
				}
			}
		}
		c.say(msg{"type": "event", "event": "first"})
		w.settle()
		if len(p.events) != mostCalls+101 {
			t.Errorf("%d events", len(p.events))
		}
		if s := w.client.State(); s.Phase != Open || w.client.live.suspicious {
			t.Errorf("state %d", s.Phase)
		}
	})
}

// sleepless has timers run, but not the program.
func (w *world) sleepless(d time.Duration) {
	until := w.Now().Add(d)
	for f := w.next(until); f != nil; f = w.next(until) {
		f()
		synctest.Wait()
	}
	w.set(until)
}

func TestARequestMayBeWaitedForInAHandler(t *testing.T) {
	inWorld(t, nil, func(w *world, p *program) {
		c := w.open(nil)
		p.busy = func() {
			p.busy = nil
			c.mu.Lock()
			c.onSent = func(Message) { w.later(time.Second, func() { c.say(`{"type":"ack","id":1,"data":["yes"]}`) }) }
			c.mu.Unlock()
			done := make(chan error)
			go func() {
				_, err := w.client.Request(context.Background(), "q", Body{}, Manner{})
				done <- err
			}()
			synctest.Wait()
			w.sleepless(2 * time.Second)
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		c.say(msg{"type": "event", "event": "x"})
		w.settle()
	})
}

func TestPresence(t *testing.T) {
	inWorld(t, nil, func(w *world, p *program) {
		c := w.open(nil)
		w.client.Watch("r")
		w.client.Show("r", []byte(`{"name":"me"}`))
		c.say(`{"type":"presence","room":"r","set":{"ann":{"data":null,"sockets":1},"bob":{"data":{"name":"Bob"},"sockets":2}}}`)
		c.say(`{"type":"presence","room":"r","join":{"carl":{"data":null,"sockets":1},"bob":{"data":1,"sockets":1}},"leave":["ann","nobody"]}`)
		c.say(`{"type":"presence","room":"r","count":501}`)
		c.say(`{"type":"presence","room":"other","count":9}`)
		w.settle()
		want := []PresenceChange{
			{[]string{"ann", "bob"}, nil, true},
			{[]string{"carl"}, []string{"ann"}, false},
			{nil, []string{"bob", "carl"}, true},
		}
		if got := fmt.Sprint(p.changes); got != fmt.Sprint(want) {
			t.Errorf("changes %v, not %v", got, want)
		}
		if members, n := w.client.Members("r"); n != 501 || len(members) != 0 {
			t.Errorf("%d, %v", n, members)
		}
		var sent []string
		for _, m := range c.sent {
			sent = append(sent, string(m.Data))
		}
		told := `{"type":"presence","data":{"name":"me"},"room":"r"}`
		if got, want := strings.Join(sent, ""), `{"type":"presence","room":"r"}`+told+told; got != want {
			t.Errorf("sent %s", got)
		}
	})
}

func TestACallThatPanicsFailsTheTry(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"Token": func(o *Options) { o.Token = func(context.Context, Why) (string, error) { panic("boom") } },
		"Setup": func(o *Options) { o.Setup = func(context.Context, Manner) error { panic("boom") } },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, change, func(w *world, p *program) {
				w.client.Open()
				w.settle()
				if name == "Setup" {
					w.open(nil)
				}
				if s := w.client.State(); s.Phase != Waiting {
					t.Errorf("state %d", s.Phase)
				}
				if len(p.failed) != 1 {
					t.Fatal(p.failed)
				}
				if _, ok := errors.AsType[*PanicError](p.failed[0]); !ok {
					t.Error(p.failed)
				}
			})
		})
	}
}

// What a server sends cannot make a client panic, or keep it from ending.
func FuzzFrames(f *testing.F) {
	for _, seed := range []string{
		`{"type":"event","event":"x","data":[1],"id":"a","room":"r","offset":7,"mid":"m"}`,
		`{"type":"hello","resumed":true,"got":99,"max":-1,"spread":1e300,"expires":1e300,"can":["resume"]}`,
		`{"type":"joined","room":"r","epoch":"e","offset":1}`, `{"type":"left","room":"r"}`,
		`{"type":"synced","room":"r","recovered":true,"epoch":"e","offset":18446744073709551615}`,
		`{"type":"got","n":18446744073709551615}`, `{"type":"goaway","retry":true,"after":[-1,1e300]}`,
		`{"type":"goaway","retry":true,"after":[]}`, `{"type":"goaway"}`, `{"type":"ack","id":1,"data":{}}`,
		`{"type":"error","id":"1","message":7}`, `{"type":"presence","room":"r","set":{"a":null},"count":-1}`,
		`{"type":"ping","t":1e9,"spread":-1}`, `{"type":"pong","t":{}}`, "null", "[]", "\x00\x02{}x",
	} {
		f.Add(seed, seed, false)
		f.Add(`{"type":"joined","room":"r","epoch":"e","offset":1}`, seed, true)
	}
	f.Fuzz(func(t *testing.T, first, second string, lose bool) {
		inWorld(t, nil, func(w *world, _ *program) {
			c := w.open(msg{"can": []string{"resume", "history"}, "session": "t"})
			w.client.Watch("r")
			w.client.Emit("e", Body{Data: args(1)}, Manner{})
			go w.client.Request(context.Background(), "q", Body{Data: args(1)}, Manner{})
			for _, text := range []string{first, second} {
				for _, isBinary := range []bool{false, true} {
					c.write(Message{isBinary, []byte(text)})
				}
				w.settle()
			}
			if lose {
				c.cut(1006, "")
				w.advance(time.Minute)
				if c := w.last(); c != nil {
					c.accept(protocol)
					c.say(first)
					c.say(second)
					w.settle()
				}
			}
			w.advance(time.Minute)
		})
	})
}
