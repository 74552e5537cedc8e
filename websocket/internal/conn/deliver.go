package conn

import "github.com/nextrush/nextrush/websocket/internal/wire"

// arrived hands a message to whoever consumes it. What waits and has found a
// consumer goes before.
func (r run) arrived(op wire.Opcode, data []byte) error {
	counts := r.c.keeps && r.c.owner.Counts(op, data) // not under the lock: the peer decides how long that takes
	r.c.mu.Lock()
	open := r.c.phase == Open
	waits := !r.c.inbox.empty()
	failed := r.c.rare != nil && len(r.c.rare.errs) > 0
	stale := r.c.countLocked(counts, len(data))
	r.c.mu.Unlock()
	if stale {
		return errStale
	}
	if !open {
		return nil
	}
	if err := r.c.in.allow(r.c.cfg, len(data)); err != nil {
		return err
	}
	if failed {
		r.tellErrors()
	}
	if !waits {
		if r.c.owner.Message(op, data) {
			return nil
		}
	} else if deliver := r.claimAfterOthers(op, data); deliver != nil {
		deliver()
		return nil
	}
	return r.keep(op, data)
}

// claimAfterOthers lets callbacks have what waits, and then finds those that want one
// message more.
func (r run) claimAfterOthers(op wire.Opcode, data []byte) (deliver func()) {
	claim := r.c.owner.Offer(op, data, true)
	for {
		r.drainInbox()
		if deliver, last := r.claimLast(claim); last {
			return deliver
		}
	}
}

// claimLast reports false if a callback has come meanwhile for what waits.
func (r run) claimLast(claim func() func()) (deliver func(), last bool) {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	if _, _, some := r.c.inbox.unseen(); some {
		return nil, false
	}
	return claim(), true
}

// keep puts a message into the inbox, and fails with errFull if none is to follow.
func (r run) keep(op wire.Opcode, data []byte) error {
	m := message{op, append([]byte(nil), data...)}
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	in := r.c.inboxLocked()
	if !in.push(m) {
		r.c.cfg.Counters.Drops.Unclaimed.Add(1)
		return nil
	}
	if r.c.owner.Consumes() { // callbacks may have come just now
		r.c.wakeLocked(workInbox)
	}
	return in.room()
}

// drainInbox gives waiting messages to the callbacks that have come for them, in
// their order. Those for Receive stay.
func (r run) drainInbox() {
	for {
		m, changes, ok := r.nextUnseen()
		if !ok {
			return
		}
		claim := r.c.owner.Offer(m.op, m.data, false) // not under the lock: the peer decides how long that takes
		if deliver := r.claimed(changes, claim); deliver != nil {
			deliver()
		}
	}
}

// nextUnseen is the first message that has not been offered to the callbacks.
func (r run) nextUnseen() (m message, changes int, ok bool) {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	return r.c.inbox.unseen()
}

// claimed takes that message out if a callback wants it, and passes over it
// otherwise, unless the inbox has changed meanwhile.
func (r run) claimed(changes int, claim func() func()) (deliver func()) {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	if deliver = r.c.inbox.claim(changes, claim); deliver != nil {
		r.c.resumeLocked()
	}
	return deliver
}
