package conn

// Look is what tests wait for that the other methods do not show.
type Look struct {
	Paused    bool // reading has stopped before all was read
	Handling  bool // the handler has not returned
	Receivers int  // calls of Receive that wait
	Messages  int  // in the inbox
	Bytes     int  // that they take there
}

// Look tells how the connection is.
func (c *Conn) Look() Look {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := Look{Paused: c.runs.reading == inPaused, Handling: c.runs.handling}
	if in := c.inbox; in != nil {
		l.Receivers, l.Messages, l.Bytes = in.waiting, len(in.messages), in.bytes
	}
	return l
}
