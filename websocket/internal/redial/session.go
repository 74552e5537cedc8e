package redial

import (
	"context"
	"strconv"
	"time"
)

const (
	reportBytes = 32 << 10        // received, after which the server is told the count
	reportTime  = 5 * time.Second // or after that time
)

// session is what the server knows this client by. With resuming agreed on, so that
// there is a token, it outlives its link: both sides count the messages of each other,
// and keep their own until counted. No message carries its number: both count from the
// same.
type session struct {
	c         *Client
	link      *link // nil: none
	id, token string
	ready     bool // set up, so that what waits may leave
	over      bool

	received   uint64 // messages of the server
	unreported int    // bytes of them
	report     timer

	kept    []*entry // sent and not counted
	bytes   int      // of them
	counted uint64   // of ours, by the server

	ctx    context.Context // ends with it
	cancel context.CancelFunc
}

func (c *Client) newSession(l *link, id, token string) *session {
	s := &session{c: c, link: l, id: id, token: token, report: timer{c: c}}
	s.ctx, s.cancel = context.WithCancel(c.life)
	return s
}

// full reports whether the server has to count before more may leave.
func (s *session) full() bool { return s.bytes >= s.c.o.Bytes }

// send sends now, or after the session was resumed.
func (s *session) send(e *entry) {
	if s.token != "" {
		s.kept = append(s.kept, e)
		s.bytes += e.size()
	}
	if p := e.request; p != nil {
		p.session, p.ran = s, Unknown
	}
	s.link.send(e.Message)
}

// got takes the server's count. One that cannot be is taken for the nearest that can.
func (s *session) got(n uint64) {
	if n <= s.counted {
		return
	}
	most := min(n-s.counted, uint64(len(s.kept)))
	for _, e := range s.kept[:most] {
		s.bytes -= e.size()
		if e.request != nil {
			e.request.ran = Yes
		}
	}
	clear(s.kept[:most])
	s.kept = s.kept[most:]
	s.counted += most
}

func (s *session) resume(l *link, token string, got uint64) {
	s.link, s.token = l, token
	s.got(got)
	for _, e := range s.kept {
		l.send(e.Message)
	}
}

// offer is what asks for the session, or empty.
func (s *session) offer() string {
	return "resume." + s.token + "." + strconv.FormatUint(s.received, 10)
}

// count counts a message that has come.
func (s *session) count(size int) {
	s.received++
	if s.token == "" {
		return
	}
	if s.unreported == 0 {
		s.report.set(reportTime, s.tell)
	}
	if s.unreported += size; s.unreported >= reportBytes {
		s.tell()
	}
}

func (s *session) tell() {
	s.unreported = 0
	s.report.clear()
	s.link.send(Message{Data: []byte(`{"type":"got","n":` + strconv.FormatUint(s.received, 10) + `}`)})
}

// pause notes that the link is gone.
func (s *session) pause() {
	s.link = nil
	s.unreported = 0
	s.report.clear()
}

func (s *session) end() {
	s.pause()
	s.over, s.token = true, ""
	s.cancel()
}
