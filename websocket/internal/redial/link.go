package redial

// link is a connection as the client uses it. A nil one is none.
type link struct {
	Conn
	c      *Client
	parted bool // nothing that comes counts any more
}

// offer is what the connection is to begin with.
func (l *link) offer(resume, token string) *Offer {
	return &Offer{
		Token: token, Resume: resume,
		Alive:   func() { l.locked(l.c.conn.alive) },
		Drained: func() { l.locked(func(*link) { l.c.flush() }) },
	}
}

func (l *link) locked(f func(*link)) {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	f(l)
}

func (l *link) send(m Message) {
	if l != nil && !l.parted {
		l.Send(m)
	}
}

// part says good-bye, and hears nothing more.
func (l *link) part(code int, reason string) {
	if l != nil && !l.parted {
		l.parted = true
		l.Close(code, reason)
		l.c.room.Broadcast()
	}
}

// mostWaiting is how many bytes may wait in a connection before messages wait with us,
// where they are counted.
const mostWaiting = 256 << 10

// takes reports whether so many bytes may be sent now.
func (l *link) takes(size int) bool {
	n := l.Buffered()
	return n == 0 || n+size <= mostWaiting
}

// read waits for what comes over a link, until its end.
func (c *Client) read(l *link) {
	for {
		m, end := l.Receive()
		if end != nil {
			l.locked(func(*link) { c.conn.ended(l, *end) })
			return
		}
		f := parse(m)
		l.locked(func(*link) {
			if !l.parted {
				c.conn.received(l, m, f)
				c.awaitRoom(l)
			}
		})
	}
}

// drain waits until a link has ended that was left.
func (l *link) drain() {
	for l != nil {
		if _, end := l.Receive(); end != nil {
			return
		}
	}
}
