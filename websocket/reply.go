package websocket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	maxRequests = 1024 // replies awaited at once by one socket
	manyPrefix  = "m"  // of the id of a request to many, which counts them; others are numbers of the socket
)

// Request sends an event and waits for the peer's reply. Its errors are
// ctx.Err(), a *CloseError when the socket ends, an *EventError when the peer
// answers with one, ErrTooManyRequests, and ErrInCallback in a callback of the
// same socket, where the reply could not be read: call it in a goroutine. A client
// also needs a consumer for earlier messages, or the reply is never read; see [Dial].
func (s *Socket) Request(ctx context.Context, event string, args ...any) (*Event, error) {
	if s.conn.InCallback() {
		return nil, ErrInCallback
	}
	if s.State() >= StateClosing {
		return nil, s.end()
	}
	e := s.useEvents()
	id, wait := e.nextID(), make(chan reply, 1)
	if err := e.await(id, func(r reply) { wait <- r }); err != nil {
		return nil, err
	}
	defer e.forget(id)
	if err := s.sendEnvelope(newEvent(event, []byte(id)), args); err != nil {
		return nil, err
	}
	s.conn.Begin()
	s.conn.Consume(func() {}) // what waits may be the reply, or keep us from reading it
	select {
	case r := <-wait:
		return r.event, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// reply is what answers a request.
type reply struct {
	event *Event
	err   error
}

func (e *events) nextID() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.requests++
	return strconv.FormatUint(e.requests, 10)
}

// await has take called with the reply to a request, once, under e's lock.
func (e *events) await(id string, take func(reply)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.replies) >= maxRequests {
		return ErrTooManyRequests
	}
	e.replies[id] = take
	return nil
}

// forget reports whether the reply was awaited until now.
func (e *events) forget(id string) (awaited bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, awaited = e.replies[id]
	delete(e.replies, id)
	return awaited
}

// answered hands a reply to the request that waits for it, and reports whether there
// was one: a reply that comes too late is dropped. many is how many requests to many
// there were.
func (e *events) answered(id json.RawMessage, r reply, many uint64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := string(bytes.Trim(id, `"`))
	if take, ok := e.replies[key]; ok {
		delete(e.replies, key)
		take(r)
	}
	asked := e.requests
	if number, ok := strings.CutPrefix(key, manyPrefix); ok {
		key, asked = number, many
	}
	n, err := strconv.ParseUint(key, 10, 64)
	return err == nil && 0 < n && n <= asked
}

// awaited reports whether somebody waits for a reply.
func (e *events) awaited() bool {
	if e == nil {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.replies) > 0
}

// fail answers all requests with an error.
func (e *events) fail(err error) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, take := range e.replies {
		delete(e.replies, id)
		take(reply{err: err})
	}
}

// refuse sends an error reply. An error that is not meant for the peer is called
// internal there, and reported here.
func (e *Event) refuse(err error) {
	env := envelope{Type: envelopeError, ID: e.id, Event: e.Name, Message: internalError}
	var public EventReplier
	if errors.As(err, &public) {
		env.Message, env.Errors = public.EventReply()
	} else {
		e.Socket.conn.Report(fmt.Errorf("websocket: event %q: %w", e.Name, err))
	}
	e.Socket.SendJSON(env)
}
