package conn

import "time"

// voice is for a peer that sees no pings: it hears a text when nothing else has gone out
// for as long. It is guarded by the connection's mu.
type voice struct {
	spoke uint32 // when a message was sent last, in milliseconds of the loop's clock
	told  uint8  // what Config.Beat has said that the peer has been told
	on    bool
	whole bool // the peer gets all messages, or is closed
}

// Speak has c tell the peer that it lives, in texts from Config.Beat. told is what the
// peer is told by other means. It is for a connection that is not open yet.
func (c *Conn) Speak(told uint8) { c.voice.on, c.voice.told = true, told }

// KeepWhole has c closed, whatever the policy, if a message does not fit in its queue:
// the peer could not know that it is missing.
func (c *Conn) KeepWhole() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.voice.whole = true
}

// note notes that messages have been sent.
func (v *voice) note(now int64) { v.spoke = milliseconds(now) }

// due is when the peer is to hear something.
func (v *voice) due(now, every int64) int64 {
	silent := int64(milliseconds(now)-v.spoke) * int64(time.Millisecond) // also if the clock has wrapped
	return now + every - silent
}

func milliseconds(now int64) uint32 { return uint32(now / int64(time.Millisecond)) }

// speakLocked says that we live, if it is time to, and returns when to look again. What
// waits to be written will say it too.
func (c *Conn) speakLocked(now int64) (next int64) {
	if !c.voice.on || c.phase != Open || c.sealedLocked() {
		return never
	}
	every := c.cfg.pingEvery(c.jitter)
	if every <= 0 {
		return never
	}
	due := c.voice.due(now, every)
	f, told := c.cfg.Beat(c.voice.told)
	if now < due && told == c.voice.told {
		return due
	}
	c.voice.note(now)
	if c.out.box == nil || c.out.box.Messages(0) == 0 {
		c.voice.told = told
		c.out.need().Aside(f.plain)
	}
	return now + every
}
