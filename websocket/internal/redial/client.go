package redial

import (
	"context"
	"sync"
	"time"
)

// Client is a client of one server. Its exported methods are safe from any goroutine.
type Client struct {
	o    Options
	wait sync.WaitGroup // for all goroutines

	mu       sync.Mutex // guards the fields below
	room     sync.Cond  // on mu: calls has room, or a link is left
	life     context.Context
	end      context.CancelFunc // of life
	calls    calls
	conn     connection
	live     liveness
	queue    queue
	requests requests
	rooms    rooms
	session  *session // nil: none
	old      *session // that a hand-over leaves behind, until it has settled; nil: none
	linger   timer    // of old
	max      int      // bytes of a message that the server takes; 0: any
	rtt      time.Duration
}

// New makes a client that is idle.
func New(o Options) *Client {
	c := &Client{o: o}
	c.room.L = &c.mu
	c.life, c.end = context.WithCancel(context.Background())
	c.calls.woken = make(chan struct{}, 1)
	c.conn = connection{c: c, waiting: timer{c: c}, handover: timer{c: c}, expiry: timer{c: c}}
	c.live = liveness{c: c, look: timer{c: c}, probe: timer{c: c}}
	c.queue = queue{c: c, age: timer{c: c}}
	c.requests = requests{c: c, pending: make(map[uint64]*Pending)}
	c.rooms = rooms{c: c, all: make(map[string]*room), mids: make(map[string]bool)}
	c.linger = timer{c: c}
	return c
}

func (c *Client) now() time.Time { return c.o.Clock.Now() }

// Open has a client that is idle or closed connect, and one that waits try at once.
func (c *Client) Open() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.conn.state.Phase {
	case Idle, Closed:
		c.life, c.end = context.WithCancel(context.Background())
		c.conn.begin()
	case Waiting:
		c.conn.waiting.clear()
		c.conn.tryNow()
	}
}

// Close ends everything at once; Wait waits for the server's answer.
func (c *Client) Close(code int, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.conn.link
	c.conn.link = nil
	if c.conn.state.Phase != Closed {
		c.conn.finish(closing(code, reason))
	}
	was.part(code, reason)
}

// Wait waits until nothing runs any more. It is called when the client is closed.
func (c *Client) Wait() { c.wait.Wait() }

// State tells what the client does.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn.state
}

// ID is what the server calls this client; empty: it has no session.
func (c *Client) ID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return ""
	}
	return c.session.id
}

// RTT is how long the server took to answer the last ping; 0: it was not asked.
func (c *Client) RTT() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rtt
}

// Buffered is how many messages, and bytes of them, wait to be sent.
func (c *Client) Buffered() (messages, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue.entries), c.queue.bytes
}

func (c *Client) opened(l *link, hello *frame) {
	before := c.session
	c.max = int(min(hello.Max, 1<<31-1))
	if hello.Resumed && before != nil && before.token != "" {
		before.resume(l, hello.Session, hello.Got)
		c.flush()
		return
	}
	var history, resumes bool
	for _, what := range hello.Can {
		history, resumes = history || what == "history", resumes || what == "resume"
	}
	token := ""
	if resumes {
		token = hello.Session
	}
	s := c.newSession(l, hello.name(), token)
	c.session = s
	was := ""
	if before != nil {
		was = before.id
		c.replace(before)
	}
	if ask := c.rooms.lost(history); c.rooms.isSyncing() {
		s.send(out{Type: "sync", Was: was, Rooms: ask}.entry(nil))
	}
	c.prepare(s)
	c.retire()
}

// replace leaves a session behind: one with a link goes on until it has settled.
func (c *Client) replace(before *session) {
	if before.link != nil {
		c.old = before
		c.linger.set(c.o.ConnectTimeout, c.leave)
		return
	}
	c.endSession(before)
	c.tell(0, func(app App) { app.Gap(Gap{Why: "session"}) })
}

// prepare runs Setup, and then lets what waits leave.
func (c *Client) prepare(s *session) {
	if c.o.Setup == nil {
		c.prepared(s)
		return
	}
	c.wait.Go(func() {
		err := c.setup(s)
		c.mu.Lock()
		defer c.mu.Unlock()
		if err == nil {
			c.prepared(s)
		} else if !s.over {
			c.tellFailed(err)
			s.token = ""
			c.conn.cut(1000, "setup failed")
		}
	})
}

// setup waits for Setup.
func (c *Client) setup(s *session) (err error) {
	defer catch(&err)
	return c.o.Setup(s.ctx, Manner{setup: s})
}

func (c *Client) prepared(s *session) {
	s.ready = true
	if c.session == s {
		c.flush()
		c.rooms.rejoin()
	}
}

// received takes a message that is not the connection's.
func (c *Client) received(l *link, m Message, f *frame) {
	s := c.session
	if s == nil || s.link != l {
		if s = c.old; s == nil || s.link != l {
			return
		}
	}
	if f != nil && f.Type == "got" && !c.o.Plain {
		s.got(f.N)
	} else {
		s.count(len(m.Data))
		c.take(s, m, f)
	}
	c.flush()
	c.retire()
}

// take takes a message that counts. In a hand-over the new session knows better.
func (c *Client) take(s *session, m Message, f *frame) {
	current := s == c.session
	switch {
	case f == nil:
		c.tell(len(m.Data), func(app App) { app.Message(m) })
	case f.Type == "event" && answerable(f.ID):
		c.answer(s, f)
	case f.Type == "event":
		c.rooms.event(f, !current)
	case f.Type == "ack", f.Type == "error":
		c.requests.reply(f)
	case !c.o.Plain && isOfRooms(f.Type):
		if current {
			c.rooms.take(f)
		}
	default:
		c.tell(len(m.Data), func(app App) { app.Message(m) })
	}
}

// answer has a request of the server answered, in the session that it came in.
func (c *Client) answer(s *session, f *frame) {
	e := f.event()
	e.Asks = true
	c.tell(len(f.Data)+len(f.bytes), func(app App) {
		body, refusal := app.Answer(e)
		o := out{Type: "ack", ID: f.ID, Data: body.Data}
		if refusal != nil {
			o = out{Type: "error", ID: f.ID, Event: f.Event, Message: refusal.Message, Errors: refusal.Errors}
		}
		reply := o.entry(body.Bytes)
		reply.event = ""
		c.mu.Lock()
		defer c.mu.Unlock()
		s.send(reply)
	})
}

// gone tells that a link is.
func (c *Client) gone(l *link) {
	if s := c.session; s != nil && s.link == l {
		s.pause()
		if s.token == "" {
			c.endSession(s)
		}
	}
	if s := c.old; s != nil && s.link == l {
		c.old = nil
		c.endSession(s)
	}
}

// retire says good-bye to the old session when nothing more is awaited from it.
func (c *Client) retire() {
	if c.old != nil && !c.rooms.isSyncing() && !c.requests.some(c.old) && len(c.old.kept) == 0 {
		c.leave()
	}
}

func (c *Client) leave() {
	c.linger.clear()
	if s := c.old; s != nil {
		s.link.part(1000, "")
		c.old = nil
		c.endSession(s)
	}
}

func (c *Client) endSession(s *session) {
	kept := s.kept
	s.kept, s.bytes = nil, 0
	s.end()
	for _, e := range kept {
		if e.request == nil {
			c.drop(e, ErrClosed)
		}
	}
	c.queue.putBack(c.requests.lost(s))
}

func (c *Client) closed() {
	c.end()
	c.requests.fail(ErrClosed)
	c.queue.clear(ErrClosed, func(*entry) bool { return true })
	c.leave()
	if c.session != nil {
		c.session.end()
	}
	c.session = nil
	c.rooms.end()
}

// resumes is what asks for the session again, or empty. In a hand-over the old one goes
// on, and another server waits.
func (c *Client) resumes() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leave() // if that of the last hand-over has not settled
	if s := c.session; s != nil && s.token != "" && s.link == nil {
		return s.offer()
	}
	return ""
}
