package redial

const (
	mostCalls     = 1024    // that wait for the program before nothing more is read
	mostCallBytes = 1 << 20 // of messages in them
)

// call is something to tell the program.
type call struct {
	f    func(App)
	size int // bytes
}

// calls waits for Work.
type calls struct {
	on    bool
	list  []call
	bytes int
	woken chan struct{}
}

func (q *calls) full() bool { return len(q.list) >= mostCalls || q.bytes >= mostCallBytes }

// tell queues f for Work, which calls the functions in the order in which they were queued.
func (c *Client) tell(size int, f func(App)) {
	q := &c.calls
	if !q.on {
		return
	}
	q.list = append(q.list, call{f, size})
	q.bytes += size
	select {
	case q.woken <- struct{}{}:
	default:
	}
}

func (c *Client) tellFailed(err error) { c.tell(0, func(app App) { app.Failed(err) }) }

// Listen begins or ends to note what there is to tell. Without it, nothing is told.
func (c *Client) Listen(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls.on, c.calls.list, c.calls.bytes = on, nil, 0
	c.room.Broadcast()
}

// Woken gets a value when there is something for Work to do.
func (c *Client) Woken() <-chan struct{} { return c.calls.woken }

// Work tells the program what waits, and reports whether there was anything.
func (c *Client) Work() (some bool) {
	for {
		f := c.nextCall()
		if f == nil {
			return some
		}
		f(c.o.App)
		some = true
	}
}

func (c *Client) nextCall() func(App) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := &c.calls
	if len(q.list) == 0 {
		q.list = nil
		return nil
	}
	next := q.list[0]
	q.list[0] = call{}
	q.list = q.list[1:]
	q.bytes -= next.size
	c.room.Broadcast()
	return next.f
}

// awaitRoom waits while so much is to be told that nothing more is to be read.
func (c *Client) awaitRoom(l *link) {
	for c.calls.on && c.calls.full() && !l.parted {
		if l == c.conn.link {
			c.live.deaf = true
		}
		c.room.Wait()
	}
	if c.live.deaf && l == c.conn.link {
		c.live.hear()
	}
}
