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
	local func(*Turn) any
	flush func(*Turn)
	loops []loop
	next  atomic.Uint32
}

// New makes a poller. Each Turn gets what local returns for it. flush is called after
// the last of the events that were found at once, before others are waited for.
func New(loops int, local func(*Turn) any, flush func(*Turn)) *Poller {
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
	file    *os.File   // the epoll instance; nil: none
	raw     syscall.RawConn
	turn    *Turn   // whose goroutine polls; nil: none
	waiting bool    // that goroutine has no event, or has not taken its first
	passed  uint32  // calls of Turn.event so far
	seen    uint32  // passed, at the last look of Relieve
	conns   []*Conn // by slot
	free    []int32 // slots
	open    int
	gen     uint32
}

// Turn is the time for which a goroutine polls a loop.
type Turn struct {
	Local any // the owners'

	loop *loop
	raw  syscall.RawConn

	at, n int // of batch: the next event, and how many there are; guarded by the loop's mu unless it waits
	batch [batchSize]syscall.EpollEvent
}

// beginLocked opens the epoll instance and has a goroutine poll it.
func (l *loop) beginLocked() error {
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
	if err == nil {
		err = file.SetReadDeadline(time.Time{}) // fails where Go's poller has not taken the descriptor
	}
	if err != nil {
		file.Close()
		return err
	}
	l.file, l.raw = file, raw
	l.startLocked(nil)
	return nil
}

// startLocked has a new goroutine poll, which begins with the events in rest.
// It takes no descriptor and no time that grows with their number.
func (l *loop) startLocked(rest []syscall.EpollEvent) {
	t := &Turn{loop: l, raw: l.raw}
	t.Local = l.poller.local(t)
	t.n = copy(t.batch[:], rest)
	l.turn, l.waiting = t, true
	go t.run()
}

// run processes events and asks for more until another goroutine has the loop.
// Asking is all that happens under the lock of raw, so that the next turn can
// ask while an owner of this one still runs.
func (t *Turn) run() {
	defer t.loop.resume(t)
	for t.work() {
		if t.n == batchSize {
			runtime.Gosched() // there may be as many again, and others want to run
		}
		if t.raw.Read(t.ask) != nil && t.loop.end(t) {
			return
		}
	}
}

// ask fetches events without waiting. Where there are none, Go's poller waits:
// it has been made ready for the next edge before the call.
func (t *Turn) ask(epoll uintptr) bool {
	t.at, t.n = 0, wait(int(epoll), t.batch[:])
	return t.n > 0
}

// end ends the loop if it still has no descriptor when the time to linger is over.
// It reports whether t must stop polling.
func (l *loop) end(t *Turn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.turn != t {
		return true
	}
	if l.open == 0 {
		l.file.Close()
		l.file, l.raw, l.turn, l.conns, l.free = nil, nil, nil, nil, nil
		return true
	}
	l.file.SetReadDeadline(time.Time{})
	return false
}

// resume goes on where an owner has ended the goroutine of t (runtime.Goexit).
func (l *loop) resume(t *Turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.turn == t {
		l.startLocked(t.batch[t.at:t.n])
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
	c, e := l.readLocked(&t.batch[t.at])
	t.at++
	return c, e, true
}

// readLocked tells whose an event is; nil: of a descriptor that has been closed.
func (l *loop) readLocked(ev *syscall.EpollEvent) (*Conn, Event) {
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

// Relieve moves each loop that has been in one Ready or flush since the previous
// call to a new goroutine, and calls slow with the Turn that lost it.
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
		l.startLocked(slow.batch[slow.at:slow.n])
	}
	l.seen = l.passed
	return slow
}

// Leave has another goroutine poll from now on, for the owner that is running is going to
// wait. It reports false if another one does so already.
func (t *Turn) Leave() bool {
	l := t.loop
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.turn != t || l.waiting { // t runs no owner
		return false
	}
	l.startLocked(t.batch[t.at:t.n])
	return true
}

// Busy reports whether a loop is processing events.
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

// Add takes over a descriptor that does not block. Where that fails, it is closed.
func (p *Poller) Add(fd int, c *Conn, owner Owner) error {
	err := p.add(fd, c, owner)
	if err != nil {
		syscall.Close(fd)
	}
	return err
}

func (p *Poller) add(fd int, c *Conn, owner Owner) error {
	l := &p.loops[p.next.Add(1)%uint32(len(p.loops))]
	*c = Conn{owner: owner, loop: l, fd: int32(fd)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.turn == nil {
		if err := l.beginLocked(); err != nil {
			return err
		}
	}
	l.open++
	l.gen++
	c.slot, c.gen = l.slotLocked(c), l.gen
	ev := syscall.EpollEvent{Events: interests, Fd: c.slot, Pad: int32(c.gen)}
	if err := l.controlLocked(syscall.EPOLL_CTL_ADD, fd, &ev); err != nil {
		l.removeLocked(c)
		return os.NewSyscallError("epoll_ctl", err)
	}
	return nil
}

func (l *loop) controlLocked(op, fd int, ev *syscall.EpollEvent) (err error) {
	failed := l.raw.Control(func(epoll uintptr) { err = syscall.EpollCtl(int(epoll), op, fd, ev) })
	if failed != nil {
		return failed
	}
	return err
}

func (l *loop) slotLocked(c *Conn) int32 {
	if n := len(l.free); n > 0 {
		slot := l.free[n-1]
		l.free = l.free[:n-1]
		l.conns[slot] = c
		return slot
	}
	l.conns = append(l.conns, c)
	return int32(len(l.conns) - 1)
}

func (l *loop) removeLocked(c *Conn) {
	l.conns[c.slot] = nil
	l.free = append(l.free, c.slot)
	l.open--
	if l.open == 0 {
		l.file.SetReadDeadline(time.Now().Add(linger))
	}
}
