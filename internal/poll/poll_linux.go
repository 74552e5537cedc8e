package poll

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	batchSize = 128 // events that are taken at once

	edge      = 1 << 31 // EPOLLET, which package syscall has as a negative number
	peerDone  = 0x2000  // EPOLLRDHUP, which it lacks on some processors
	interests = syscall.EPOLLIN | syscall.EPOLLOUT | peerDone | edge

	linger = 100 * time.Millisecond // for the next descriptor after the last
)

// Poller polls with as many loops as it is made for. A loop has a goroutine and
// an epoll instance as long as it has descriptors, and a little longer; the
// goroutine waits in Go's own poller, and so costs no thread. All methods are safe
// from any goroutine.
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
	turn    *Turn      // whose goroutine polls; nil: none
	waiting bool       // that goroutine has nothing to do
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

	loop *loop
	file *os.File // the epoll instance; each Turn has a descriptor of its own for it
	raw  syscall.RawConn

	at, n int // of batch: the next event, and how many there are; guarded by the loop's mu unless it waits
	batch [batchSize]syscall.EpollEvent
}

// begin opens the epoll instance of a loop; l.mu is held.
func (l *loop) begin() error {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	return l.start(fd, nil)
}

// start has a new goroutine poll, which begins with the events in rest; l.mu is
// held. It closes fd where it fails.
func (l *loop) start(fd int, rest []syscall.EpollEvent) error {
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
	t := &Turn{Local: l.poller.local(), loop: l, file: file, raw: raw}
	t.n = copy(t.batch[:], rest)
	l.turn, l.waiting = t, false
	go t.run()
	return nil
}

// run stays in Go's poller for the whole turn, so that readiness which shows
// while events are worked off is not forgotten.
func (t *Turn) run() {
	for t.work() && t.raw.Read(t.round) != nil && !t.loop.end(t) {
	}
	t.file.Close()
}

// end ends the loop if it still has no descriptor when the time to linger is over.
// It reports whether t is not to poll any more.
func (l *loop) end(t *Turn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.turn != t {
		return true
	}
	if l.open == 0 {
		l.turn, l.conns, l.free = nil, nil, nil
		return true
	}
	t.file.SetReadDeadline(time.Time{})
	return false
}

// round works off what there is, and reports true when the turn has ended.
func (t *Turn) round(fd uintptr) (ended bool) {
	for {
		n := wait(int(fd), t.batch[:])
		if n == 0 {
			return false
		}
		t.loop.mu.Lock()
		t.at, t.n = 0, n
		t.loop.mu.Unlock()
		if !t.work() {
			return true
		}
		if n < batchSize {
			return false
		}
		runtime.Gosched() // there may be as many again, and others want to run
	}
}

// work runs the owners of the events and then the flush. It reports false when
// another goroutine has the loop.
func (t *Turn) work() bool {
	for {
		c, e, more := t.event()
		if !more {
			break
		}
		if c != nil {
			c.owner.Ready(t, e)
		}
	}
	t.loop.poller.flush(t)
	t.loop.mu.Lock()
	defer t.loop.mu.Unlock()
	ours := t.loop.turn == t
	if ours {
		t.loop.waiting = true
	}
	return ours
}

// event returns what is next, and false where there is no more for this turn.
func (t *Turn) event() (*Conn, Event, bool) {
	l := t.loop
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.turn != t {
		return nil, 0, false
	}
	l.waiting = false
	l.passed++
	if t.at == t.n {
		return nil, 0, false
	}
	c, e := l.read(&t.batch[t.at])
	t.at++
	return c, e, true
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
	if l.open == 0 || l.waiting {
		return nil
	}
	if l.seen == l.passed {
		slow = l.handOver()
	}
	l.seen = l.passed
	return slow
}

// handOver gives the rest of the events to a new goroutine, and returns the Turn
// that ends so, or nil where no descriptor can be had for that; l.mu is held.
func (l *loop) handOver() *Turn {
	old := l.turn
	fd, err := -1, error(nil)
	failed := old.raw.Control(func(epoll uintptr) { fd, err = duplicate(int(epoll)) })
	if failed != nil || err != nil || l.start(fd, old.batch[old.at:old.n]) != nil {
		return nil
	}
	return old
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
	if l.turn == nil {
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

// remove forgets c; l.mu is held.
func (l *loop) remove(c *Conn) {
	l.conns[c.slot] = nil
	l.free = append(l.free, c.slot)
	l.open--
	if l.open == 0 {
		l.turn.file.SetReadDeadline(time.Now().Add(linger))
	}
}
