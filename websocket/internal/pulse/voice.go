package pulse

import "time"

// Voice is for a peer that sees no pings: it hears a text when nothing else has gone out
// for as long. It is guarded by the connection's mu.
type Voice struct {
	spoke uint32 // when a message was sent last, in milliseconds of the loop's clock
	Told  uint8  // a number for what the peer has been told
	On    bool
	Whole bool // the peer gets all messages, or is closed
}

// Note notes that messages have been sent.
func (v *Voice) Note(now int64) { v.spoke = milliseconds(now) }

// Due is when the peer is to hear something.
func (v *Voice) Due(now, every int64) int64 {
	silent := int64(milliseconds(now)-v.spoke) * int64(time.Millisecond) // also if the clock has wrapped
	return now + every - silent
}

func milliseconds(now int64) uint32 { return uint32(now / int64(time.Millisecond)) }
