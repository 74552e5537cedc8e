package poll

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
)

const (
	batchSize  = 128 // events that are taken at once
	manyEvents = 16

	edge      = 1 << 31 // EPOLLET, which package syscall has as a negative number
	peerDone  = 0x2000  // EPOLLRDHUP, which it lacks on some processors
	interests = syscall.EPOLLIN | syscall.EPOLLOUT | peerDone | edge
)

// Poller polls with as many loops as it is made for. A loop has a goroutine and
// an epoll instance as long as it has descriptors; the goroutine waits in Go's
// own poller, and so costs no thread. All methods are safe from any goroutine.
type Poller struct {
	local func() any
	flush func(*Turn)
	loops []loop
	next  atomic.Uint32
}

// New makes a poller. Each Turn gets what local returns. flush is called after
// the last of the events that were found at once, before others are waited for.
func New(loops int, local func() any, flush func(*Turn)) *Poller {
	p := &Poller{local: local, flush: flush, loops: make([]loop, loops)}
	for i := range p.loops {
		p.loops[i].poller = p
	}
	return p
}

// loop is a set of descriptors that one goroutine at a time polls.
type loop struct {
	poller *Poller

	mu      sync.Mutex // guards the fields below
	turn    *Turn      // whose goroutine polls; nil without descriptors
	waiting bool       // that goroutine waits, or runs the flush
	passed  uint32     // calls of Turn.event so far
	seen    uint32     // passed, at the last look of Relieve
	conns   []*Conn    // by slot
	free    []int32    // slots
	open    int
	gen     uint32
}

// Turn is the time for which a goroutine polls a loop.
type Turn struct {
	Local any // the owners'

	loop    *loop
	file    *os.File
	raw     syscall.RawConn
	poll    func(fd uintptr) bool
	flushed bool

	at, n int // of batch: the next event, and how many there are; guarded by the loop's mu unless it waits
	batch [batchSize]syscall.EpollEvent
}

// begin opens the epoll instance of a loop that has its first descriptor; l.mu
// is held.
func (l *loop) begin() error {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return os.NewSyscallError("fcntl", err)
	}
	file := os.NewFile(uintptr(fd), "epoll")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return err
	}
	l.start(&Turn{file: file, raw: raw})
	return nil
}

// start has t poll in a goroutine of its own; l.mu is held.
func (l *loop) start(t *Turn) {
	t.loop, t.poll, t.Local = l, t.take, l.poller.local()
	l.turn, l.waiting = t, false
	go t.run()
}

func (t *Turn) run() {
	for {
		c, e := t.event()
		if c == nil {
			return
		}
		c.owner.Ready(t, e)
	}
}

// event returns what is next, or nil when another goroutine has the loop.
func (t *Turn) event() (*Conn, Event) {
	l := t.loop
	for {
		l.mu.Lock()
		if l.turn != t {
			l.mu.Unlock()
			t.flush()
			return nil, 0
		}
		l.waiting = false
		l.passed++
		if t.at < t.n {
			c, e := l.read(&t.batch[t.at])
			t.at++
			l.mu.Unlock()
			t.flushed = false
			if c != nil {
				return c, e
			}
			continue
		}
		l.waiting = t.flushed
		l.mu.Unlock()
		t.idle()
	}
}

// idle flushes, and the next time waits for events.
func (t *Turn) idle() {
	if t.flushed {
		if t.n >= manyEvents {
			runtime.Gosched() // there may be as many again, and others want to run
		}
		t.raw.Read(t.poll) // fails when the file is closed: the turn is another's then
		return
	}
	t.flush()
}

func (t *Turn) flush() {
	t.flushed = true
	t.loop.poller.flush(t)
}

// take fetches events, and reports false where there are none.
func (t *Turn) take(fd uintptr) bool {
	t.at, t.n = 0, wait(int(fd), t.batch[:])
	return t.n > 0
}

// read tells whose an event is; nil: of a descriptor that has been closed.
func (l *loop) read(ev *syscall.EpollEvent) (*Conn, Event) {
	c := l.conns[ev.Fd]
	if c == nil || c.gen != uint32(ev.Pad) {
		return nil, 0
	}
	var e Event
	if ev.Events&syscall.EPOLLIN != 0 {
		e |= Readable
	}
	if ev.Events&syscall.EPOLLOUT != 0 {
		e |= Writable
	}
	if ev.Events&peerDone != 0 {
		e |= Closed
	}
	if ev.Events&(syscall.EPOLLHUP|syscall.EPOLLERR) != 0 {
		e |= Closed | Failed
	}
	return c, e
}

// Relieve gives every loop whose present event began before the last call of
// Relieve to a new goroutine, and calls slow with the Turn that ends so.
func (p *Poller) Relieve(slow func(*Turn)) {
	for i := range p.loops {
		if t := p.loops[i].relieve(); t != nil {
			slow(t)
		}
	}
}

func (l *loop) relieve() (slow *Turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.turn == nil || l.waiting {
		return nil
	}
	if l.seen == l.passed {
		slow = l.turn
		t := &Turn{file: slow.file, raw: slow.raw}
		t.n = copy(t.batch[:], slow.batch[slow.at:slow.n])
		l.start(t)
	}
	l.seen = l.passed
	return slow
}

// Busy reports whether a loop has events that it works off.
func (p *Poller) Busy() bool {
	for i := range p.loops {
		if p.loops[i].busy() {
			return true
		}
	}
	return false
}

func (l *loop) busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.turn != nil && !l.waiting
}

func (p *Poller) add(fd int, c *Conn, owner Owner) error {
	l := &p.loops[p.next.Add(1)%uint32(len(p.loops))]
	*c = Conn{owner: owner, loop: l, fd: int32(fd)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == 0 {
		if err := l.begin(); err != nil {
			return err
		}
	}
	l.open++
	l.gen++
	c.slot, c.gen = l.slot(c), l.gen
	ev := syscall.EpollEvent{Events: interests, Fd: c.slot, Pad: int32(c.gen)}
	if err := l.turn.control(syscall.EPOLL_CTL_ADD, fd, &ev); err != nil {
		l.remove(c)
		return os.NewSyscallError("epoll_ctl", err)
	}
	return nil
}

func (t *Turn) control(op, fd int, ev *syscall.EpollEvent) (err error) {
	failed := t.raw.Control(func(epoll uintptr) { err = syscall.EpollCtl(int(epoll), op, fd, ev) })
	if failed != nil {
		return failed
	}
	return err
}

func (l *loop) slot(c *Conn) int32 {
	if n := len(l.free); n > 0 {
		slot := l.free[n-1]
		l.free = l.free[:n-1]
		l.conns[slot] = c
		return slot
	}
	l.conns = append(l.conns, c)
	return int32(len(l.conns) - 1)
}

// remove forgets c, and ends the loop with its last descriptor; l.mu is held.
func (l *loop) remove(c *Conn) {
	l.conns[c.slot] = nil
	l.free = append(l.free, c.slot)
	l.open--
	if l.open > 0 {
		return
	}
	l.turn.file.Close()
	l.turn, l.conns, l.free = nil, nil, nil
}
