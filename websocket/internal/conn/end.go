package conn

import "time"

// Close codes (RFC 6455 §7.4.1).
const (
	normalClosure   = 1000
	goingAway       = 1001
	protocolError   = 1002
	noStatus        = 1005 // never on the wire
	abnormalClosure = 1006 // never on the wire
	invalidPayload  = 1007
	policyViolation = 1008
	messageTooBig   = 1009
	internalError   = 1011
	tryAgainLater   = 1013
	unauthorized    = 4401 // for applications: 4000 and a status of HTTP
)

const (
	// After a close that we started because of a failure, what the peer still sends is
	// read and dropped, so that it reads our code and not a reset.
	lingerTime  = time.Second
	lingerBytes = 1 << 20
)

// End is how a connection ended.
type End struct {
	Code   uint16
	Reason string
	Remote bool  // the peer sent it
	Cut    bool  // we have ended it without a handshake
	Err    error // the failure behind it; may be nil
}

// ending is how a connection ends, guarded by its mu.
type ending struct {
	End
	sealed   bool  // nothing may be queued any more, though the phase does not say so
	broken   error // why nothing can be sent any more; what has come is still read
	sent     bool  // our close frame is queued
	received bool  // the peer's has come
	linger   bool  // drop what still comes, until the peer has closed
	half     bool  // our side of the connection is shut
	told     bool  // the owner is told the end, or has been
	gone     bool  // it has been, and the loop is let go; of the goroutine of the run
	dropped  int   // bytes dropped while lingering
	deadline int64 // on the loop's clock, when waiting ends
}

// notEnding is the shared ending of connections that have not begun to end. It is
// only read.
var notEnding ending

// deaf reports whether what still comes is dropped.
func (e *ending) deaf() bool { return e.linger || e.received }

// discard counts dropped bytes, and reports whether these are too many.
func (e *ending) discard(n int) bool {
	e.dropped += n
	return e.dropped > lingerBytes
}

// answered notes the peer's close frame, which tells the end if it is the first.
func (e *ending) answered(end End, first bool) {
	e.received = true
	if first {
		end.Err = e.Err
		e.End = end
	}
}

// await sets the deadline for what the peer is still to send, once our close frame
// has left. It reports false if there is an earlier one, or none.
func (e *ending) await(now int64, timeout time.Duration) bool {
	if e.linger {
		timeout = lingerTime
	}
	at := now + int64(timeout)
	if timeout <= 0 || e.deadline != 0 && e.deadline <= at {
		return false
	}
	e.deadline = at
	return true
}

// due is when waiting ends.
func (e *ending) due() int64 {
	if e.deadline == 0 {
		return never
	}
	return e.deadline
}

// lost tells how a connection has ended with err: open, or while it closed; unsent
// tells that messages still waited.
func (e *ending) lost(err error, open, unsent bool) {
	if open {
		e.Code, e.Err = abnormalClosure, err
	} else if !e.received && !e.linger && e.sent && err != nil && e.Err == nil {
		e.Err = err
	}
	if e.cutShort(unsent) {
		e.Code, e.Reason = abnormalClosure, ""
	}
}

// cutShort reports whether a normal close was to follow messages that the peer has
// not got.
func (e *ending) cutShort(unsent bool) bool {
	return unsent && !e.Remote && (e.Code == normalClosure || e.Code == goingAway)
}
