package websocket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const maxRequests = 1024 // replies awaited at once by one socket

// Request sends an event and waits for the peer's reply. Its errors are
// ctx.Err(), a *CloseError when the socket ends, an *EventError when the peer
// answers with one, ErrTooManyRequests, and ErrInCallback in a callback of the
// same socket, where the reply could not be read: call it in a goroutine. A client
// also needs a consumer for earlier messages, or the reply is never read; see [Dial].
func (s *Socket) Request(ctx context.Context, event string, args ...any) (*Event, error) {
	if s.conn.InCallback() {
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
	if err := s.conn.Send(wire.OpText, data); err != nil {
		return nil, err
	}
	s.conn.Begin()
	s.conn.Consume()
	select {
	case r := <-wait:
		return r.event, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *Socket) await() (id string, wait chan reply, err error) {
	if s.State() >= StateClosing {
		return "", nil, s.end()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
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
	delete(s.events.Load().replies, id)
}

// answeredLocked hands a reply to the request that waits for it, and reports
// whether there was one: a reply that comes too late is dropped.
func (s *Socket) answeredLocked(id json.RawMessage, r reply) bool {
	key, e := string(bytes.Trim(id, `"`)), s.events.Load()
	if wait, ok := e.replies[key]; ok {
		delete(e.replies, key)
		wait <- r
	}
	n, err := strconv.ParseUint(key, 10, 64)
	return err == nil && 0 < n && n <= e.next
}

// awaitsReply reports whether somebody waits for a reply.
func (s *Socket) awaitsReply() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.events.Load()
	return e != nil && len(e.replies) > 0
}

// refuse sends an error reply. An error that is not meant for the peer is
// called internal there, and reported here.
func (s *Socket) refuse(e *Event, err error) {
	env := envelope{Type: envelopeError, ID: e.id, Event: e.Name, Message: internalError}
	var public EventReplier
	if errors.As(err, &public) {
		env.Message, env.Errors = public.EventReply()
	} else {
		s.conn.Report(fmt.Errorf("websocket: event %q: %w", e.Name, err))
	}
	s.SendJSON(env)
}
