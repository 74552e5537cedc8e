package conn

// Speak has c tell the peer that it lives, in texts from Config.Beat. told is what the
// peer is told by other means. It is for a connection that is not open yet.
func (c *Conn) Speak(told uint8) { c.voice.On, c.voice.Told = true, told }

// KeepWhole has c closed, whatever the policy, if a message does not fit in its queue:
// the peer could not know that it is missing.
func (c *Conn) KeepWhole() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.voice.Whole = true
}

// speakLocked says that we live, if it is time to, and returns when to look again. What
// waits to be written will say it too.
func (c *Conn) speakLocked(now int64) (next int64) {
	if !c.voice.On || c.phase != Open || c.sealedLocked() {
		return never
	}
	every := c.cfg.pingEvery(c.jitter)
	if every <= 0 {
		return never
	}
	due := c.voice.Due(now, every)
	f, told := c.cfg.Beat(c.voice.Told)
	if now < due && told == c.voice.Told {
		return due
	}
	c.voice.Note(now)
	if c.out.box == nil || c.out.box.Messages(0) == 0 {
		c.voice.Told = told
		c.out.need().Aside(f.plain)
	}
	return now + every
}
