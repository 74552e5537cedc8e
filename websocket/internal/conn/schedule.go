package conn

import "github.com/nextrush/nextrush/internal/loop"

// schedule says when a connection runs, and what for. It is guarded by the
// connection's mu.
type schedule struct {
	worker   *loop.Worker // of the run; nil: none
	pending  work         // for the next run
	state    runState
	reading  inState
	handling bool // the handler has not returned
}

// runState tells where a run is.
type runState uint8

const (
	atRest   runState = iota
	queued            // a worker has been asked
	batching          // what callbacks send is held back for the end of the batch
	unheld            // the run goes on, and nothing is held back
)

// work is a set of reasons for a run.
type work uint8

const (
	workError work = 1 << iota // errors are to be told
	workRead                   // bytes may be there
	workInbox                  // a consumer has come for what waits
	workDrain                  // the queue has emptied
	workEnd                    // the end is to be told
)

// inState tells whether bytes are read.
type inState uint8

const (
	inNotBegun inState = iota
	inReading
	inPaused // a run has stopped before all was read
)

// note adds to what is pending, and reports whether the caller must see to a run.
func (s *schedule) note(w work) bool {
	s.pending |= w
	if s.state != atRest || s.due() == 0 {
		return false
	}
	s.state = queued
	return true
}

// due is what of the pending work can be done now.
func (s *schedule) due() work {
	todo := s.pending
	if s.reading == inNotBegun {
		todo &^= workRead
	}
	if s.handling {
		todo &^= workEnd
	}
	return todo
}

// next takes what is pending, to be done by w; with nothing, the run is over.
func (s *schedule) next(w *loop.Worker) work {
	todo := s.due()
	s.pending &^= todo
	if todo == 0 {
		s.rest()
	} else {
		s.state, s.worker = batching, w
	}
	return todo
}

// rest ends the run.
func (s *schedule) rest() { s.state, s.worker = atRest, nil }

// again puts back what a run has not done that has lost its goroutine. The caller
// sees to another run.
func (s *schedule) again(todo work) {
	s.pending |= todo
	s.state, s.worker = queued, nil
}

// holds reports whether what callbacks send is held back for the end of the batch.
func (s *schedule) holds() bool { return s.state == batching }

// unhold ends that.
func (s *schedule) unhold() {
	if s.state == batching {
		s.state = unheld
	}
}

// begin begins to read, if that has not begun.
func (s *schedule) begin() bool {
	if s.reading != inNotBegun {
		return false
	}
	s.reading = inReading
	return true
}

// resume goes on reading if that had paused.
func (s *schedule) resume() bool {
	if s.reading != inPaused {
		return false
	}
	s.reading = inReading
	return true
}

// deaf reports whether what the peer has sent may not have been seen yet.
func (s *schedule) deaf() bool { return s.reading != inReading || s.state != atRest }
