package websocket

import (
	"time"

	"github.com/nextrush/nextrush/internal/transport"
)

// writer is the sending half of a socket, guarded by its mu.
type writer struct {
	out     *outbox // nil while nothing waits
	stalled int64   // when the peer took bytes last while blocked
	writes  uint32  // counts writes, to tell one from the next
	inHand  int     // bytes of a write that tells nothing before its end: the peer may have them
	writing bool    // a goroutine owns the front of out
	blocked bool    // the link is finishing a write in the background
	backlog bool    // OnDrain is owed
	greeted bool    // the 101 has left
	mute    bool    // nothing more may be queued: the close frame was
}

// flush writes what is queued, unless somebody is writing. The peer's slowness
// is waited for by the driver, never here.
func (s *Socket) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirty = false
	for !s.writing && s.out != nil && len(s.out.pieces) > 0 && s.state != StateConnecting {
		if !s.writeOnceLocked() {
			return
		}
	}
}

// writeOnceLocked lets go of the lock for one write, and reports whether another
// one may follow.
func (s *Socket) writeOnceLocked() bool {
	s.writing = true
	s.writes++
	turn := s.writes
	op := &s.out.op
	s.out.gather()
	if _, stream := s.link.(*transport.Stream); stream {
		s.inHand, s.stalled = s.out.gathered(), s.srv.loop.Now()
	}
	s.mu.Unlock()
	n, err := s.link.Write(op)
	s.mu.Lock()
	if err == transport.ErrAgain {
		s.waitingLocked(turn)
		return false
	}
	return s.tookLocked(n, err)
}

// waitingLocked notes that the link goes on with a write in the background,
// unless it has finished already.
func (s *Socket) waitingLocked(turn uint32) {
	if !s.writing || s.writes != turn {
		return
	}
	s.blocked = true
	s.backlog = s.backlog || s.inHand == 0 // else see progress
	s.stalled = s.srv.loop.Now()
	s.watchWriteLocked()
}

// watchWriteLocked has the wheel look at the write that waits.
func (s *Socket) watchWriteLocked() {
	if d := s.writeLimit(); d > 0 && s.blocked {
		s.srv.wheel.Schedule((*looped)(s), s.stalled+int64(d))
	}
}

// atOnce is how long a write may take that the peer takes at once: the driver
// that blocks in Write cannot tell in another way.
const atOnce = int64(2 * time.Millisecond)

// progress is called by the driver when bytes of a waiting write have left.
func (s *Socket) progress() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.srv.loop.Now()
	s.backlog = s.backlog || now-s.stalled > atOnce
	s.stalled = now
}

// written is called by the driver when a write that had to wait has ended.
func (s *Socket) written(n int, err error) {
	s.mu.Lock()
	s.blocked = false
	more := s.tookLocked(n, err)
	s.mu.Unlock()
	if more {
		s.flush()
	}
}

// tookLocked accounts for n written bytes, and reports whether the socket may
// write more. An error ends it.
func (s *Socket) tookLocked(n int, err error) bool {
	s.writing, s.inHand = false, 0
	s.greeted = s.greeted || n > 0
	messages, frames := s.out.wrote(n)
	st := &s.srv.stats
	st.bytesSent.Add(int64(frames))
	st.sent.Add(int64(messages))
	if s.state == StateClosed {
		s.out.release()
		s.out = nil
		return false
	}
	if err != nil {
		s.lostLocked(err)
		return false
	}
	if len(s.out.pieces) == 0 {
		s.out.release()
		s.out = nil
		s.emptiedLocked()
	}
	return true
}

// emptiedLocked does what waited for the queue to be written.
func (s *Socket) emptiedLocked() {
	if s.backlog {
		s.backlog = false
		if s.extra != nil && s.extra.drain != nil {
			s.wakeLocked(workDrain)
		}
	}
	s.closeFlushedLocked()
}

func (s *Socket) drained() {
	s.mu.Lock()
	var callbacks []func()
	if s.extra != nil {
		callbacks = s.extra.drain
	}
	s.mu.Unlock()
	for _, f := range callbacks {
		s.protect(f)
	}
}
