package redial

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds = flag.Int("seeds", 300, "how many random schedules to run")
	seed  = flag.Uint64("seed", 1, "the first random schedule")
	trace = flag.Bool("tell", false, "print what happens in them")
)

// Random schedules against a model of the server: what a client promises holds whatever
// the network, the server and the program do.
func TestRandomSchedules(t *testing.T) {
	n := *seeds
	if testing.Short() {
		n = min(n, 50)
	}
	for i := range uint64(n) {
		ok := t.Run(fmt.Sprint("seed=", *seed+i), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newRun(t, *seed+i).run() })
		})
		if !ok {
			t.Fatalf("go test -run TestRandomSchedules -seeds 1 -seed %d -tell", *seed+i)
		}
	}
}

var legal = map[Phase][]Phase{
	Idle:       {Connecting, Closed},
	Connecting: {Open, Waiting, Closed},
	Open:       {Open, Waiting, Closed},
	Waiting:    {Waiting, Connecting, Closed},
	Closed:     {Connecting},
}

// run is one schedule. It is the program, too.
type run struct {
	*model
	t         *testing.T
	phase     Phase
	last      map[string]*Position // what the program has had of each room
	news      map[string]bool      // messages that it has had
	direct    map[int]bool
	known     map[string]bool // sessions
	gaps      int             // of the session
	emitted   []string        // and taken
	dropped   map[string]bool
	handovers int
	closes    int
	calm      bool // the program does nothing any more

	mu       sync.Mutex // guards the fields below
	requests []*question
}

type question struct {
	event   string
	keyed   bool
	settled bool
	reply   *Event
	err     error
}

func newRun(t *testing.T, seed uint64) *run {
	w, d := newWorld(t), newDice(seed)
	r := &run{model: newModel(w, d), t: t, last: map[string]*Position{}, news: map[string]bool{}, direct: map[int]bool{},
		known: map[string]bool{}, dropped: map[string]bool{}}
	r.seen, r.fail = r.look, r.t.Errorf
	r.resume = d.roll() < 0.6
	r.history, r.parked, r.latency, r.refuse = 200, 2*time.Minute, 1500*time.Millisecond, 0.3
	if d.roll() < 0.5 {
		r.history = 5
	}
	if d.roll() < 0.5 {
		r.newest = 3
	}
	if d.roll() < 0.5 {
		r.parked = 5 * time.Second
	}
	if d.roll() < 0.5 {
		r.latency = 50 * time.Millisecond
	}
	if d.roll() < 0.5 {
		r.refuse = 0
	}
	o := w.options(r)
	o.Messages, o.Random = 50, newDice(seed+1<<32).roll
	if d.roll() < 0.3 {
		o.Setup = func(ctx context.Context, first Manner) error {
			r.client.Request(ctx, "setup", Body{Data: args(1)}, first)
			return nil
		}
	}
	w.client = New(o)
	w.client.Listen(true)
	if d.roll() > 0.1 {
		w.client.Open()
	}
	return r
}

func (r *run) note(what ...any) {
	if *trace {
		fmt.Println(append([]any{r.now()}, what...)...)
	}
}

// ---- the program

func (r *run) State(s State) {
	r.note("state", s.Phase, s.Why.Code, s.Why.Reason)
	if !slices.Contains(legal[r.phase], s.Phase) {
		r.t.Errorf("%d became %d", r.phase, s.Phase)
	}
	r.phase = s.Phase
	r.sometimes(0.02)
}

func (r *run) Gap(g Gap) {
	r.note("gap", g)
	switch {
	case g.Room == "":
		r.gaps++
	case g.To != nil:
		r.last[g.Room] = g.To
	default:
		delete(r.last, g.Room)
	}
}

func (r *run) Dropped(event string, why error) {
	r.note("dropped", event, why)
	r.dropped[event] = true
}

func (r *run) Failed(err error)                { r.t.Error("failed:", err) }
func (r *run) Message(m Message)               { r.t.Errorf("message %s", m.Data) }
func (r *run) Presence(string, PresenceChange) {}
func (r *run) Answer(*Event) (Body, *Refusal)  { return Body{}, &Refusal{} }

func (r *run) Event(e *Event) {
	if e.Name == "news" {
		r.hear(e)
		return
	}
	var n int
	e.read(&n)
	if r.direct[n] {
		r.t.Errorf("direct message %d twice", n)
	}
	r.direct[n] = true
	r.sometimes(0.1)
}

// hear checks that a message of a room is the next one for us.
func (r *run) hear(e *Event) {
	var room, epoch string
	var offset int64
	json.Unmarshal(e.Args[0], &room)
	json.Unmarshal(e.Args[1], &epoch)
	json.Unmarshal(e.Args[2], &offset)
	k := key(epoch, offset)
	r.note("news", k)
	if r.news[k] {
		r.t.Errorf("%s twice", k)
	}
	r.news[k] = true
	if e.Room != room || e.Offset != offset {
		r.t.Errorf("%s has come as %d of %s", k, e.Offset, e.Room)
	}
	if last := r.last[room]; last != nil {
		if last.Epoch != epoch || offset <= last.Offset {
			r.t.Errorf("%s after %v", k, last)
		}
		r.skipped(epoch, last.Offset, offset)
	}
	r.last[room] = &Position{Epoch: epoch, Offset: offset}
	r.sometimes(0.03)
}

// skipped fails if a message between two offsets was for us. One that went to several
// rooms may have come by another.
func (r *run) skipped(epoch string, from, to int64) {
	for _, e := range r.record[epoch] {
		if e.offset > from && e.offset < to && !e.excluded && e.frame["mid"] == nil {
			r.t.Errorf("%s is missing, silently", key(epoch, e.offset))
		}
	}
}

// look sees what the client has got.
func (r *run) look(f msg) {
	r.note("<", f)
	synctest.Wait()
	switch f["type"] {
	case "hello":
		r.known[f["id"].(string)] = true
	case "goaway":
		r.handovers++
	case "left":
		delete(r.last, f["room"].(string))
	case "joined":
		name := f["room"].(string)
		if p := r.client.Room(name).Position; p != nil && r.last[name] == nil {
			r.last[name] = p
		}
	}
}

func (r *run) sometimes(p float64) {
	if r.dice.roll() < p {
		r.act()
	}
}

// act does what a program does.
func (r *run) act() {
	if r.calm {
		return
	}
	x := r.dice.roll()
	switch {
	case x < 0.45:
		event := fmt.Sprint("e", len(r.emitted)+len(r.dropped))
		err := r.client.Emit(event, Body{Data: args(1)}, Manner{Volatile: r.dice.roll() < 0.1})
		r.note("emit", event, err)
		if err != nil {
			r.dropped[event] = true
		} else {
			r.emitted = append(r.emitted, event)
		}
	case x < 0.8:
		r.ask()
	case x < 0.85:
		r.spawn("join", func(ctx context.Context) error { _, err := r.client.Join(ctx, "r3", nil); return err })
	case x < 0.87:
		r.spawn("leave", func(ctx context.Context) error { return r.client.Leave(ctx, "r3") })
	case x < 0.93:
		r.closes++
		r.note("close")
		r.client.Close(1000, "")
	default:
		r.note("open")
		r.client.Open()
	}
}

func (r *run) ask() {
	n := len(r.requests)
	m := Manner{}
	if r.dice.roll() < 0.5 {
		m.Retry, m.Key = true, fmt.Sprint("k", n)
	}
	if r.dice.roll() < 0.2 {
		m.Timeout = 500 * time.Millisecond
	}
	r.spawn(fmt.Sprint("q", n), func(ctx context.Context) error {
		q := r.requests[n]
		q.keyed = m.Retry
		reply, err := r.client.Request(ctx, q.event, Body{Data: args(n)}, m)
		q.reply = reply
		return err
	})
}

// spawn has something asked that has to settle.
func (r *run) spawn(event string, f func(context.Context) error) {
	q := &question{event: event}
	r.requests = append(r.requests, q)
	ctx, cancel := context.WithCancel(context.Background())
	if r.dice.roll() < 0.1 {
		cancel()
	}
	r.note("ask", event)
	go func() {
		defer cancel()
		err := f(ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		q.err, q.settled = err, true
	}()
	synctest.Wait() // until it has been asked
}

// befall does what the world does.
func (r *run) befall() {
	x := r.dice.roll()
	r.note("befalls", x)
	switch {
	case x < 0.3:
		rooms := [][]string{{"r1"}, {"r2"}, {"r3"}, {"r1", "r2"}}[int(r.dice.roll()*4)]
		r.publish(rooms, r.dice.roll() < 0.2)
	case x < 0.45:
		r.tell()
	case x < 0.55:
		r.count()
	case x < 0.65:
		r.ping()
	case x < 0.75:
		r.cut()
	case x < 0.78:
		r.stall()
	case x < 0.8:
		r.restart(r.dice.roll() < 0.5)
	case x < 0.84:
		r.goaway()
	case x < 0.88:
		r.close([]int{1000, 1011, 1012, 1013}[int(r.dice.roll()*4)])
	case x < 0.92:
		r.up = !r.up
	case x < 0.97:
		r.sleep(r.dice.upTo(100 * time.Second))
	default:
		r.setClock(r.dice.upTo(time.Minute) - 30*time.Second)
	}
}

func (r *run) run() {
	for range 20 + int(r.dice.roll()*80) {
		if r.dice.roll() < 0.5 {
			r.act()
		} else {
			r.befall()
		}
		pause := r.dice.upTo(time.Second)
		if r.dice.roll() > 0.9 {
			pause = r.dice.upTo(40 * time.Second)
		}
		r.advance(pause)
		most := 1
		if r.handovers > 0 {
			most = 2
		}
		if n := r.world.live(); n > most {
			r.t.Errorf("%d connections", n)
		}
		if r.t.Failed() {
			break
		}
	}
	r.heal()
	if !r.t.Failed() {
		r.check()
	}
	r.bury()
}

// heal brings a world in which all has to end well.
func (r *run) heal() {
	r.note("heal")
	r.up, r.refuse, r.calm = true, 0, true
	for range 20 {
		r.advance(10 * time.Second)
		if r.phase == Idle || r.phase == Closed {
			r.client.Open()
		}
		r.ping()
		r.count()
		r.advance(0)
	}
	if n := r.world.live(); r.phase != Open || n != 1 {
		r.t.Errorf("state %d, %d connections", r.phase, n)
	}
	r.advance(15 * time.Second)
	for _, q := range r.requests {
		if !q.settled {
			r.t.Errorf("%s has not settled", q.event)
		}
	}
}

func (r *run) check() {
	for _, name := range []string{"r1", "r2"} {
		room, p := r.rooms[name], r.client.Room(name).Position
		if p == nil || p.Epoch != room.epoch {
			r.t.Fatalf("%s is at %v, not in %s", name, p, room.epoch)
		}
		for _, e := range r.record[p.Epoch] {
			if e.offset > p.Offset && !e.excluded && e.frame["room"] == name {
				r.t.Errorf("%s has not come", key(p.Epoch, e.offset))
			}
		}
		r.skipped(room.epoch, r.last[name].Offset, math.MaxInt64)
	}
	r.checkEmits()
	r.checkDirects()
	for i, q := range r.requests {
		if strings.HasPrefix(q.event, "q") {
			if err := q.judge(i, r.ran[q.event]); err != nil {
				r.t.Errorf("%s: %v", q.event, err)
			}
		}
	}
	if n, _ := r.client.Buffered(); n > 0 {
		r.t.Errorf("%d messages wait", n)
	}
}

func (r *run) checkEmits() {
	arrived, before := map[string]bool{}, -1
	for _, e := range r.emits {
		n, _ := strconv.Atoi(e[1:])
		if arrived[e] {
			r.t.Errorf("%s came twice", e)
		}
		if n <= before && r.handovers == 0 { // else what is sent first may come last
			r.t.Errorf("%s after e%d", e, before)
		}
		arrived[e], before = true, n
	}
	if r.resume && r.closes+r.handovers == 0 {
		for _, e := range r.emitted {
			if !arrived[e] && !r.dropped[e] {
				r.t.Errorf("%s was lost, silently", e)
			}
		}
	}
}

func (r *run) checkDirects() {
	if r.gaps+r.closes+r.handovers > 0 {
		return
	}
	for _, s := range r.sessions {
		for _, n := range s.directs {
			if r.known[s.id] && !r.direct[n] {
				r.t.Errorf("direct message %d was lost, and no gap", n)
			}
		}
	}
}

// judge compares what a request came to with how often it ran.
func (q *question) judge(n, ran int) error {
	if !q.keyed && ran > 1 {
		return fmt.Errorf("ran %d times", ran)
	}
	if q.err == nil {
		var got int
		if q.reply.read(&got); got != 2*n {
			return fmt.Errorf("the reply is %d", got)
		}
		return nil
	}
	switch e := q.err.(type) {
	case *Refusal:
		if n%5 != 0 {
			return e
		}
	case *TimedOut:
		if !e.Sent && ran > 0 {
			return errors.New("it ran, and is said not to have been sent")
		}
	case *Lost:
		if e.Ran == No && ran > 0 || e.Ran == Yes && ran == 0 {
			return fmt.Errorf("it ran %d times, and %d is told", ran, e.Ran)
		}
	default:
		if !errors.Is(e, ErrClosed) && !errors.Is(e, context.Canceled) {
			return e
		}
	}
	return nil
}

func (r *run) bury() {
	r.client.Close(1000, "")
	r.advance(2 * time.Second)
	r.client.Wait()
	for range 2 {
		if n := r.timers(); n > 0 {
			r.t.Errorf("%d timers after close", n)
		}
		r.advance(time.Minute)
		if n := r.world.live(); n > 0 {
			r.t.Errorf("%d connections after close", n)
		}
	}
}
