package nats

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nextrush/nextrush/websocket/broker"
)

const (
	timeout     = 2 * time.Second // of what the server is to answer
	keptTimeout = 5 * time.Second // of what JetStream is to do
	silence     = 4 * time.Second // after which the connection is probed
	patience    = 2 * time.Second // for the probe to come
	tick        = 500 * time.Millisecond
	firstWait   = 100 * time.Millisecond
	longWait    = 5 * time.Second
	maxArrived  = 1 << 16 // messages that have come and wait
	maxBatch    = 256     // of one delivery
)

var errSilent = errors.New("nats: nothing has come for 6 s, not even a probe")

// connect connects, or goes on trying. Its error is one that trying does not mend.
func (b *Broker) connect(ctx context.Context) (err error) {
	first := make(chan error, 1)
	tell := func(err error) {
		select {
		case first <- err:
		default:
		}
	}
	b.conn, err = nats.Connect(b.opts.URL, append(append([]nats.Option{nats.Name("nextrush")}, b.opts.Connect...),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(), nats.CustomReconnectDelay(backoff),
		nats.ReconnectBufSize(-1), nats.Timeout(timeout), nats.FlusherTimeout(timeout), nats.PingInterval(time.Minute),
		nats.ConnectHandler(func(*nats.Conn) { b.state.kick(); tell(nil) }),
		nats.ReconnectHandler(func(*nats.Conn) { b.state.kick() }),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { tell(err) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { b.state.down(err) }),
		nats.ErrorHandler(b.failed))...)
	if err != nil {
		return fmt.Errorf("nats: %w", err)
	}
	for _, subject := range []string{b.allSubject(), b.nodeSubject(b.self), b.peersSubject(), b.peerSubject(b.self)} {
		if _, err := b.conn.ChanSubscribe(subject, b.arrived); err != nil {
			b.conn.Close()
			return fmt.Errorf("nats: %w", err)
		}
	}
	select {
	case err = <-first:
	case <-ctx.Done():
	}
	if err == nil && b.conn.IsConnected() {
		b.conn.Publish(b.peerSubject(b.self), []byte{probed}) // which may be refused, too
		err = b.flush(ctx)
	}
	if last := b.conn.LastError(); err == nil {
		err = last
	}
	if isRefused(err) {
		b.conn.Close()
		return fmt.Errorf("nats: %w", err)
	}
	return nil
}

func isRefused(err error) bool {
	for _, e := range []error{nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired, nats.ErrPermissionViolation,
		nats.ErrSecureConnRequired, nats.ErrSecureConnWanted, nats.ErrNkeysNotSupported} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// backoff is how long it takes until all servers are tried again.
func backoff(tries int) time.Duration {
	most := min(firstWait<<min(tries, 16), longWait)
	return firstWait + rand.N(most)
}

// failed tells of what the client has noticed by itself.
func (b *Broker) failed(_ *nats.Conn, sub *nats.Subscription, err error) {
	if sub == nil {
		b.state.lose("", err)
		return
	}
	if errors.Is(err, nats.ErrSlowConsumer) {
		b.rooms.slowed(sub)
	}
	b.lose(sub.Subject, err)
}

// lose tells that something of a subject is lost.
func (b *Broker) lose(subject string, err error) {
	rooms := b.rooms.of(subject)
	if len(rooms) == 0 {
		b.state.lose("", err)
	}
	for _, room := range rooms {
		b.state.lose(room, err)
	}
}

// keep probes the connection, and sees to it that the node hears of its state.
func (b *Broker) keep() {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-b.state.kicked:
		case <-b.ctx.Done():
			return
		}
		for _, subject := range b.rooms.stillSlow() {
			b.lose(subject, nats.ErrSlowConsumer)
		}
		switch {
		case !b.conn.IsConnected():
		case !b.state.isUp():
			b.settle()
		default:
			b.probe()
		}
	}
}

// settle has the node hear that the engine can be reached, when it is so.
func (b *Broker) settle() {
	number := b.state.number()
	if b.flush(b.ctx) != nil {
		return
	}
	b.Meet()
	b.heard.Store(b.now())
	b.state.setUp(number)
}

// now is a time that does not go with the clock of the wall, in nanoseconds.
func (b *Broker) now() int64 { return int64(time.Since(b.began)) }

// probe has a message come back by the path of all others if nothing has come, and ends
// the connection if that does not: a healthy connection proves nothing.
func (b *Broker) probe() {
	switch quiet := time.Duration(b.now() - b.heard.Load()); {
	case quiet >= silence+patience:
		b.state.down(errSilent)
		b.conn.ForceReconnect()
	case quiet >= silence:
		b.conn.Publish(b.peerSubject(b.self), []byte{probed})
	}
}

// receive makes all calls of the node.
func (b *Broker) receive() {
	told := false
	for {
		select {
		case m := <-b.arrived:
			b.take(m)
		case <-b.state.changed:
			told = b.tell(told)
		case <-b.ctx.Done():
			return
		}
	}
}

// tell tells the node what has changed, and returns whether it was told that the engine
// can be reached.
func (b *Broker) tell(told bool) bool {
	s := b.state.take()
	if s.lost {
		b.in.Lost(s.rooms, s.lostCause)
	}
	if s.up != told {
		b.in.Up(s.up, s.cause)
	}
	return s.up
}

// take delivers a message, and those that have come with it.
func (b *Broker) take(m *nats.Msg) {
	b.heard.Store(b.now())
	var batch []broker.Delivery
	for n := 1; ; n++ {
		batch = b.open(m, batch)
		if n == maxBatch {
			break
		}
		select {
		case m = <-b.arrived:
			continue
		default:
		}
		break
	}
	if len(batch) > 0 {
		b.in.Deliver(batch)
	}
}

// open appends what is in a message.
func (b *Broker) open(m *nats.Msg, batch []broker.Delivery) []broker.Delivery {
	switch m.Subject {
	case b.peersSubject(), b.peerSubject(b.self):
		b.heardOf(m.Data)
		return batch
	}
	list, err := b.envelopes(m)
	if err != nil {
		b.in.Invalid(err)
		return batch
	}
	if len(list) > 0 && m.Subject == b.allSubject() && list[0].From != b.self && !b.peers.knows(list[0].From) {
		b.say(b.peerSubject(list[0].From), hello, 0)
	}
	if len(list) == 0 || list[0].Room != "" && !b.rooms.has(list[0].Room) {
		return batch
	}
	return append(batch, list...)
}

// envelopes reads a message, which are all of the same room.
func (b *Broker) envelopes(m *nats.Msg) (list []broker.Delivery, err error) {
	if len(m.Data) > 0 && m.Data[0] == recordMark {
		list, err = b.record(m)
	} else {
		list = make([]broker.Delivery, 1)
		list[0].Envelope, err = b.codec.Decode(m.Data)
	}
	if err == nil && len(list) > 0 && b.subject(&list[0].Envelope) != m.Subject {
		err = errors.New("nats: an envelope has come by the subject of another")
	}
	return list, err
}

// record reads a record that JetStream has stored.
func (b *Broker) record(m *nats.Msg) ([]broker.Delivery, error) {
	r, err := parseRecord(m.Data)
	if err != nil {
		return nil, err
	}
	list, err := r.deliveries(&b.codec)
	if err == nil && len(list) > 0 {
		r.placed(placeOf(m))
		b.tops.newer(list[0].Room, r)
	}
	return list, err
}

// overhead is more than what a message has besides the body of an envelope: its other
// fields, and those of the record that it is kept in.
const overhead = 4 << 10

// MaxBody is what the max_payload of the server leaves for the body of an envelope; 0: there
// was no server yet.
func (b *Broker) MaxBody() int { return max(int(b.conn.MaxPayload())-overhead, 0) }

// fits says that a server does not take a message of that size.
func (b *Broker) fits(room string, size int) error {
	if most := b.conn.MaxPayload(); int64(size) > most {
		return fmt.Errorf("nats: a message of %d bytes to room %.40q is larger than the server takes: raise its max_payload, which is %d", size, room, most)
	}
	return nil
}

// state is what the node is to be told. Its methods do not block.
type state struct {
	changed, kicked chan struct{} // have room for one

	mu    sync.Mutex // guards the fields below
	ended int        // connections
	told
}

// told is what changes.
type told struct {
	up        bool
	cause     error
	lost      bool
	rooms     []string // nil: any
	lostCause error
}

const maxLost = 1000 // rooms of one call of Lost

func newState() state {
	return state{changed: make(chan struct{}, 1), kicked: make(chan struct{}, 1)}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// kick has the connection looked at.
func (s *state) kick() { signal(s.kicked) }

func (s *state) number() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

func (s *state) isUp() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.up
}

// setUp notes that the connection works, unless it has ended since number.
func (s *state) setUp(number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == number {
		s.up, s.cause = true, nil
		signal(s.changed)
	}
}

// down notes that the connection has ended.
func (s *state) down(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended++
	if s.up || s.cause == nil {
		s.cause = cause
	}
	s.up = false
	s.loseLocked("", cause)
}

// lose notes that something is lost; the empty room: in any.
func (s *state) lose(room string, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loseLocked(room, cause)
}

func (s *state) loseLocked(room string, cause error) {
	switch any := s.lost && s.rooms == nil; {
	case any || room == "" || len(s.rooms) == maxLost:
		s.rooms = nil
	default:
		s.rooms = append(s.rooms, room)
	}
	s.lost, s.lostCause = true, cause
	signal(s.changed)
}

func (s *state) take() told {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.told
	s.lost, s.rooms, s.lostCause = false, nil, nil
	return t
}
