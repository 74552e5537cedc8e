package redial

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// model is a server of nextrush.v1, behind a network that delays, stalls and cuts. It
// remembers all that a client could be told, so that a test can compare.
type model struct {
	*world
	fail func(format string, args ...any)
	seen func(f msg) // is told of what the client has got

	resume  bool
	history int           // messages that a room keeps
	newest  int           // of those that the server replays by itself when it lets the client in
	parked  time.Duration // that a session waits for its client
	latency time.Duration // at most
	refuse  float64       // probability

	dice     *dice
	sessions []*modelSession
	conns    []*modelConn
	rooms    map[string]*modelRoom
	up       bool
	emits    []string       // events that the client sent, in the order of arrival
	ran      map[string]int // requests by event: how often
	directs  int            // messages to a session alone
	record   map[string][]modelEntry
	ids      int
}

type msg = map[string]any

// dice is a generator that several goroutines use.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

func newDice(seed uint64) *dice { return &dice{r: rand.New(rand.NewPCG(seed, 0))} }

func (d *dice) roll() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.Float64()
}

func (d *dice) upTo(t time.Duration) time.Duration {
	return time.Duration(d.roll() * float64(t)).Truncate(time.Microsecond)
}

type modelEntry struct {
	offset   int64
	frame    msg
	excluded bool // not for this client
}

type modelRoom struct {
	epoch  string
	ring   []modelEntry
	offset int64
}

type modelSession struct {
	id       string
	conn     *modelConn
	tokens   []string // the last one, and those before until the client uses it
	received int      // counted messages of the client
	outbox   []msg    // counted messages that the client has not counted
	base     int      // of the outbox
	rooms    map[string]bool
	directs  []int // messages to it alone
	claims   map[string]*Position
	over     bool
}

// modelConn is one connection as the server sees it.
type modelConn struct {
	m       *model
	c       *fakeConn
	s       *modelSession
	stalled bool
	dead    bool // nothing goes either way any more
	last    [2]time.Time
}

// to has f run when a message arrives: in order, unless the connection is lost before.
func (k *modelConn) to(direction int, f func()) {
	now := k.m.Now()
	at := now.Add(k.m.dice.upTo(k.m.latency))
	if at.Before(k.last[direction]) {
		at = k.last[direction]
	}
	k.last[direction] = at
	k.m.later(at.Sub(now), func() {
		if !k.stalled && !k.dead {
			f()
		}
	})
}

func newModel(w *world, d *dice) *model {
	m := &model{world: w, dice: d, up: true, rooms: map[string]*modelRoom{}, ran: map[string]int{}, record: map[string][]modelEntry{}}
	for _, name := range []string{"r1", "r2", "r3"} {
		m.rooms[name] = &modelRoom{epoch: "e" + name}
	}
	w.made = m.dialled
	return m
}

func (m *model) id(prefix string) string {
	m.ids++
	return prefix + strconv.Itoa(m.ids)
}

func (m *model) current() *modelSession {
	for _, s := range slices.Backward(m.sessions) {
		if !s.over {
			return s
		}
	}
	return nil
}

// ---- connections

func (m *model) dialled(c *fakeConn) {
	m.later(m.dice.upTo(m.latency), func() {
		c.mu.Lock()
		gone := c.code != 0 || c.end != nil
		c.mu.Unlock()
		switch {
		case gone:
		case !m.up || m.dice.roll() < m.refuse:
			c.refuse(errNetwork)
		default:
			m.accept(c)
		}
	})
}

// known is the session that an offer asks for, and what the client has of it.
func (m *model) known(offer string) (s *modelSession, seen int) {
	parts := strings.Split(offer, ".")
	if len(parts) != 3 {
		return nil, 0
	}
	seen, _ = strconv.Atoi(parts[2])
	i := slices.IndexFunc(m.sessions, func(s *modelSession) bool { return !s.over && slices.Contains(s.tokens, parts[1]) })
	if i < 0 {
		return nil, 0
	}
	return m.sessions[i], seen
}

func (m *model) accept(c *fakeConn) {
	known, seen := m.known(c.offer.Resume)
	s := known
	if s == nil {
		s = &modelSession{id: m.id("s"), rooms: map[string]bool{}, claims: map[string]*Position{}}
		m.sessions = append(m.sessions, s)
	}
	k := &modelConn{m: m, c: c, s: s}
	m.conns = append(m.conns, k)
	c.mu.Lock()
	c.onSent = func(x Message) { k.to(0, func() { m.received(k, x.Data) }) }
	c.onClose = func(code int) {
		k.to(0, func() {
			m.gone(k, code == 1000)
			c.over(Ended(code, "", true, nil))
		})
	}
	c.mu.Unlock()
	if s.conn != nil {
		m.end(s.conn, 4409, "")
	}
	s.conn = k
	can, token := []string{"history"}, ""
	if m.resume {
		token = m.id("t")
		s.tokens, can = append(s.tokens, token), append(can, "resume")
	}
	c.accept(protocol)
	if known != nil {
		m.counted(s, seen)
	}
	m.raw(k, msg{"type": "hello", "id": s.id, "session": token, "resumed": known != nil, "got": s.received,
		"beat": 30_000, "spread": 2_000, "max": 1 << 20, "can": can})
	if known != nil {
		for _, f := range s.outbox {
			m.raw(k, f)
		}
		return
	}
	join := func() {
		for _, name := range []string{"r1", "r2"} {
			if !s.over {
				m.join(s, name, m.newest)
			}
		}
	}
	if m.dice.roll() < 0.5 {
		join()
	} else {
		m.later(m.dice.upTo(300*time.Millisecond), join)
	}
}

// counted frees what the client has.
func (m *model) counted(s *modelSession, n int) {
	if n < s.base || n > s.base+len(s.outbox) {
		m.fail("the client has %d of %d+%d", n, s.base, len(s.outbox))
		return
	}
	s.outbox = s.outbox[n-s.base:]
	s.base = n
}

// gone: a connection has ended; its session does, too, or waits.
func (m *model) gone(k *modelConn, final bool) {
	k.dead = true
	s := k.s
	if s.conn != k {
		return
	}
	s.conn = nil
	if final || !m.resume {
		s.over = true
		return
	}
	m.later(m.parked, func() { s.over = s.over || s.conn == nil })
}

func (m *model) end(k *modelConn, code int, reason string) {
	m.gone(k, false)
	if !k.stalled {
		m.later(m.dice.upTo(m.latency), func() { k.c.over(Ended(code, reason, true, nil)) })
	}
}

// ---- what goes wrong

func (m *model) setClock(by time.Duration) {
	m.adjust(by)
	for _, k := range m.conns {
		for i := range k.last {
			k.last[i] = k.last[i].Add(by)
		}
	}
}

func (m *model) live() (list []*modelConn) {
	for _, k := range m.conns {
		if !k.dead && !k.stalled {
			list = append(list, k)
		}
	}
	return list
}

func (m *model) cut() {
	for _, k := range m.live() {
		m.gone(k, false)
		k.c.cut(1006, "")
	}
}

// stall loses everything that goes over the present connections, without a word.
func (m *model) stall() {
	for _, k := range m.live() {
		k.stalled = true
		m.later(40*time.Second, func() { m.gone(k, false) })
	}
}

func (m *model) restart(forget bool) {
	m.cut()
	for _, s := range m.sessions {
		s.over = true
	}
	if forget {
		for _, r := range m.rooms {
			*r = modelRoom{epoch: m.id("e")}
		}
	}
}

func (m *model) goaway() {
	for _, k := range m.live() {
		m.raw(k, msg{"type": "goaway", "retry": true, "after": []int{0, 3000}, "reason": "restart"})
		m.later(6*time.Second, func() {
			if !k.dead {
				m.end(k, 1012, "restart retry=0-1000")
			}
		})
	}
}

func (m *model) close(code int) {
	for _, k := range m.live() {
		m.end(k, code, "")
	}
}

// ---- messages

// raw sends what is not counted, or again.
func (m *model) raw(k *modelConn, f msg) {
	k.to(1, func() {
		k.c.mu.Lock()
		gone := k.c.code != 0 || k.c.end != nil
		k.c.mu.Unlock()
		if !gone {
			k.c.say(f)
			m.seen(f)
		}
	})
}

func (m *model) send(s *modelSession, f msg) {
	if m.resume {
		s.outbox = append(s.outbox, f)
	}
	if s.conn != nil {
		m.raw(s.conn, f)
	} else if len(s.outbox) > 40 {
		s.over = true
	}
}

// asked is a message from the client.
type asked struct {
	Type, Event, Room string
	ID, T             json.RawMessage
	N                 int
	Data              []int
	Rooms             map[string]*Position
	Since             *Position
}

func (m *model) received(k *modelConn, data []byte) {
	s := k.s
	if s.conn != k {
		return
	}
	var a asked
	if err := json.Unmarshal(data, &a); err != nil {
		m.fail("the client has sent %s: %v", data, err)
	}
	if n := len(s.tokens); n > 1 {
		s.tokens = s.tokens[n-1:]
	}
	switch a.Type {
	case "ping":
		k.to(1, k.c.offer.Alive)
		return
	case "pong":
		return
	case "got":
		m.counted(s, a.N)
		return
	}
	s.received++
	switch {
	case a.Type == "event" && a.ID == nil:
		m.emits = append(m.emits, a.Event)
	case a.Type == "event":
		m.run(s, &a)
	case a.Type == "sync":
		for _, name := range slices.Sorted(maps.Keys(a.Rooms)) {
			if p := a.Rooms[name]; s.rooms[name] {
				m.replay(s, name, p)
			} else {
				s.claims[name] = p
			}
		}
	case a.Type == "join":
		m.join(s, a.Room, 0)
		recovered := a.Since == nil || m.replay(s, a.Room, a.Since)
		m.send(s, msg{"type": "ack", "id": a.ID, "data": []any{msg{"recovered": recovered}}})
	case a.Type == "leave":
		delete(s.rooms, a.Room)
		m.send(s, msg{"type": "left", "room": a.Room})
		m.send(s, msg{"type": "ack", "id": a.ID, "data": []any{}})
	}
}

func (m *model) run(s *modelSession, a *asked) {
	m.ran[a.Event]++
	answer := func() {
		switch {
		case s.over:
		case a.Data[0]%5 == 0:
			m.send(s, msg{"type": "error", "id": a.ID, "event": a.Event, "message": "five"})
		default:
			m.send(s, msg{"type": "ack", "id": a.ID, "data": []int{a.Data[0] * 2}})
		}
	}
	if m.dice.roll() < 0.3 {
		answer()
	} else {
		m.later(m.dice.upTo(2*time.Second), answer)
	}
}

// join has the newest n events replayed, or what comes after the position that the client
// has told; or, if that cannot be, those behind a gap.
func (m *model) join(s *modelSession, name string, n int) {
	if s.rooms[name] {
		return
	}
	s.rooms[name] = true
	r, p := m.rooms[name], s.claims[name]
	last := Position{Epoch: r.epoch, Offset: r.offset - int64(min(n, len(r.ring)))}
	joined := msg{"type": "joined", "room": name, "epoch": r.epoch, "offset": last.Offset}
	switch {
	case n > 0 && p == nil:
		joined["replayed"] = true
		m.send(s, joined)
		m.replay(s, name, &last)
	case n > 0 && !r.reaches(p):
		m.send(s, joined)
		m.send(s, msg{"type": "synced", "room": name, "recovered": false, "epoch": r.epoch, "offset": last.Offset})
		m.replay(s, name, &last)
	default:
		joined["offset"] = r.offset
		m.send(s, joined)
		if p != nil {
			m.replay(s, name, p)
		}
	}
}

// reaches reports whether the room keeps all that came after a position.
func (r *modelRoom) reaches(p *Position) bool {
	first := r.offset - int64(len(r.ring)) // before the ring's first
	return p.Epoch == r.epoch && p.Offset >= first && p.Offset <= r.offset
}

func (m *model) replay(s *modelSession, name string, p *Position) (recovered bool) {
	r := m.rooms[name]
	if recovered = r.reaches(p); recovered {
		for _, e := range r.ring {
			if e.offset > p.Offset && !e.excluded {
				f := maps.Clone(e.frame)
				f["replayed"] = true
				m.send(s, f)
			}
		}
	}
	m.send(s, msg{"type": "synced", "room": name, "recovered": recovered, "epoch": r.epoch, "offset": r.offset})
	return recovered
}

func (m *model) publish(names []string, excluded bool) {
	mid := ""
	if len(names) > 1 {
		mid = m.id("m")
	}
	for _, name := range names {
		r := m.rooms[name]
		r.offset++
		f := msg{"type": "event", "event": "news", "data": []any{name, r.epoch, r.offset}, "timestamp": 1, "room": name, "offset": r.offset}
		if mid != "" {
			f["mid"] = mid
		}
		e := modelEntry{r.offset, f, excluded}
		r.ring = append(r.ring, e)
		m.record[r.epoch] = append(m.record[r.epoch], e)
		r.ring = r.ring[max(0, len(r.ring)-m.history):]
		for _, s := range m.sessions {
			if !s.over && s.rooms[name] && !excluded {
				m.send(s, f)
			}
		}
	}
}

// tell sends to the client alone.
func (m *model) tell() {
	if s := m.current(); s != nil {
		m.directs++
		s.directs = append(s.directs, m.directs)
		m.send(s, msg{"type": "event", "event": "direct", "data": []int{m.directs}})
	}
}

func (m *model) count() {
	for _, k := range m.live() {
		if m.resume {
			m.raw(k, msg{"type": "got", "n": k.s.received})
		}
	}
}

func (m *model) ping() {
	for _, k := range m.live() {
		m.raw(k, msg{"type": "ping"})
	}
}

// key names a message of a room.
func key(epoch string, offset int64) string { return fmt.Sprint(epoch, ":", offset) }
