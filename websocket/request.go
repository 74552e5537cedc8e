package websocket

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
)

const maxRequests = 1024 // replies awaited at once by one socket

// Request sends an event and waits for the peer's reply. Its errors are
// ctx.Err(), a *CloseError when the socket ends, an *EventError when the peer
// answers with one, ErrTooManyRequests, and ErrInCallback in a callback of the
// same socket, where the reply could not be read: call it in a goroutine. Nor can
// it by a client while a message before it waits for a consumer; see [Dial].
func (s *Socket) Request(ctx context.Context, event string, args ...any) (*Event, error) {
	if s.inCallback() {
		return nil, ErrInCallback
	}
	id, wait, err := s.await()
	if err != nil {
		return nil, err
	}
	defer s.forget(id)
	data, err := encodeEvent(event, args, []byte(id))
	if err != nil {
		return nil, err
	}
	if err := s.send(Text, data); err != nil {
		return nil, err
	}
	s.begin()
	s.consume()
	select {
	case r := <-wait:
		return r.event, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *Socket) await() (id string, wait chan reply, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state >= StateClosing {
		return "", nil, s.closing.err()
	}
	e := s.eventsLocked()
	if len(e.replies) >= maxRequests {
		return "", nil, ErrTooManyRequests
	}
	e.next++
	id = strconv.FormatUint(e.next, 10)
	wait = make(chan reply, 1)
	e.replies[id] = wait
	return id, wait, nil
}

func (s *Socket) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.events.replies, id)
}

// failRequestsLocked ends the waiting for replies.
func (s *Socket) failRequestsLocked() {
	if s.events == nil {
		return
	}
	for id, wait := range s.events.replies {
		delete(s.events.replies, id)
		wait <- reply{err: s.closing.err()}
	}
}

// answeredLocked hands a reply to the request that waits for it, and reports
// whether there was one: a reply that comes too late is dropped.
func (s *Socket) answeredLocked(id json.RawMessage, r reply) bool {
	key := string(bytes.Trim(id, `"`))
	if wait, ok := s.events.replies[key]; ok {
		delete(s.events.replies, key)
		wait <- r
	}
	n, err := strconv.ParseUint(key, 10, 64)
	return err == nil && 0 < n && n <= s.events.next
}
