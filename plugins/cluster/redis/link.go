package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/nextrush/nextrush/websocket/broker"
)

const (
	silence    = 5 * time.Second // after which a link is probed
	patience   = 2 * time.Second // for the probe to come
	echoWait   = 300 * time.Millisecond
	partLooks  = 15 // each after gateLook, so that a node that is not run does not count them
	firstWait  = 100 * time.Millisecond
	longWait   = 5 * time.Second
	shortWait  = 500 * time.Millisecond // the longest at first: most outages are short
	shortSpan  = 10 * time.Second
	perCommand = 500 // channels
)

var errAnother = errors.New("the server is another, or has started anew")

var errMoved = errors.New("the slot has moved to another server")

var errSilent = errors.New("nothing has come for 7 s, not even a probe")

// link is one connection that receives. It opens another when that ends, or is silent: a
// healthy connection proves nothing.
type link struct {
	b      *Broker
	number int
	base   []string     // channels besides rooms
	up     bool         // guarded by the broker
	heard  atomic.Int64 // when something has come last

	mu      sync.Mutex // guards the fields below
	rooms   map[string]struct{}
	sub     *redis.PubSub              // nil: there is no connection
	pending map[string]struct{}        // channels that Redis has not confirmed since it was opened
	waiting map[string][]chan struct{} // to be closed when it has
	cause   error                      // why sub was closed by us
	closed  bool
	conn    int                      // the number of the last connection
	over    int                      // and of the last that has ended
	echoes  map[string]chan struct{} // of probes that are awaited
}

// change is what a link is to subscribe to, and what not any more.
type change struct{ add, drop []string }

func newLink(b *Broker, number int) *link {
	l := &link{b: b, number: number, rooms: make(map[string]struct{}), waiting: make(map[string][]chan struct{}), echoes: make(map[string]chan struct{})}
	l.base = []string{b.probeChannel(l)}
	return l
}

// run keeps a connection open until the broker is closed.
func (l *link) run() {
	wait, lost := firstWait, time.Now()
	for l.b.ctx.Err() == nil {
		began := time.Now()
		err := l.receive()
		if l.b.ctx.Err() != nil {
			return
		}
		l.b.connected(l, false, err)
		l.b.in.Lost(nil, err)
		l.b.reload()
		if time.Since(began) > longWait {
			wait, lost = firstWait, time.Now()
		}
		select {
		case <-time.After(time.Duration(rand.Int64N(int64(wait)))):
		case <-l.b.ctx.Done():
		}
		if wait = min(2*wait, longWait); time.Since(lost) < shortSpan {
			wait = min(wait, shortWait)
		}
	}
}

// receive opens a connection, and delivers what comes until it ends.
func (l *link) receive() error {
	sub, channels := l.open()
	if sub == nil {
		return context.Canceled
	}
	defer l.drop(sub)
	l.heard.Store(l.b.now())
	for len(channels) > 0 {
		n := min(perCommand, len(channels))
		if err := l.subscribe(l.b.ctx, sub, channels[:n]); err != nil {
			return l.reason(err)
		}
		channels = channels[n:]
	}
	for {
		m, err := sub.Receive(l.b.ctx)
		if err != nil {
			return l.reason(err)
		}
		l.heard.Store(l.b.now())
		switch m := m.(type) {
		case *redis.Subscription:
			if l.confirmed(m); l.taken(m) {
				return l.reason(errMoved)
			}
		case *redis.Message:
			l.arrived(m)
		}
	}
}

func (l *link) reason(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause != nil {
		return l.cause
	}
	return err
}

// open makes a connection, and lists the channels that it is to be subscribed to.
func (l *link) open() (sub *redis.PubSub, channels []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, nil
	}
	channels = append(channels, l.base...)
	for channel := range l.rooms {
		channels = append(channels, channel)
	}
	l.pending = make(map[string]struct{}, len(channels))
	for _, channel := range channels {
		l.pending[channel] = struct{}{}
	}
	if l.b.cluster {
		l.sub = l.b.client.SSubscribe(l.b.ctx)
	} else {
		l.sub = l.b.client.Subscribe(l.b.ctx)
	}
	l.cause = nil
	l.conn++
	return l.sub, channels
}

func (l *link) drop(sub *redis.PubSub) {
	sub.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sub, l.over = nil, l.conn
}

// settle waits until nothing comes any more of what was published before: what is published
// now comes back, or else the connection, which is that of another server, is ended. First it
// is read to its end: of what has been sent to this node others may have got nothing.
func (l *link) settle(ctx context.Context) error {
	number, open := l.current()
	if !open || l.echo(ctx) {
		return ctx.Err()
	}
	l.part(ctx, number)
	for looks := 0; ; looks++ { // a server that does not answer, and has sent nothing
		now, open := l.current()
		if now > number || !open {
			return nil
		}
		if looks >= partLooks {
			l.end(errAnother)
		}
		select {
		case <-time.After(gateLook):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// part ends the connection to a server that may be there still, when all has been read that
// it has sent.
func (l *link) part(ctx context.Context, number int) {
	if sub := l.parting(number); sub != nil {
		l.unsubscribe(ctx, sub, nil) // from all
	}
}

func (l *link) parting(number int) *redis.PubSub {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != number || l.sub == nil {
		return nil // it has ended, and this is another
	}
	l.cause = errAnother
	return l.sub
}

// current is the number of the last connection; open is false if it has ended.
func (l *link) current() (number int, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn, l.over < l.conn
}

// echo reports whether what is published now comes soon.
func (l *link) echo(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, echoWait)
	defer cancel()
	word, came := newEpoch(), make(chan struct{})
	l.mu.Lock()
	l.echoes[word] = came
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.echoes, word)
		l.mu.Unlock()
	}()
	if l.b.publish(ctx, l.b.client, l.base[0], []byte(word)).Err() != nil {
		return false
	}
	select {
	case <-came:
		return true
	case <-ctx.Done():
		return false
	}
}

// echoed tells echo of a probe.
func (l *link) echoed(word string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if came := l.echoes[word]; came != nil {
		close(came)
		delete(l.echoes, word)
	}
}

func (l *link) subscribe(ctx context.Context, sub *redis.PubSub, channels []string) error {
	if l.b.cluster {
		return sub.SSubscribe(ctx, channels...)
	}
	return sub.Subscribe(ctx, channels...)
}

func (l *link) unsubscribe(ctx context.Context, sub *redis.PubSub, channels []string) error {
	if l.b.cluster {
		return sub.SUnsubscribe(ctx, channels...)
	}
	return sub.Unsubscribe(ctx, channels...)
}

// change subscribes and unsubscribes, and waits until Redis has confirmed what is new.
func (l *link) change(ctx context.Context, c *change) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	sub, waits := l.note(c)
	if sub == nil {
		return errors.New("redis: not connected")
	}
	if len(c.drop) > 0 {
		if err := l.unsubscribe(ctx, sub, c.drop); err != nil {
			return err
		}
	}
	if len(c.add) > 0 {
		if err := l.subscribe(ctx, sub, c.add); err != nil {
			return err
		}
	}
	for _, wait := range waits {
		select {
		case <-wait:
		case <-ctx.Done():
			return fmt.Errorf("redis: a subscription is not confirmed: %w", ctx.Err())
		case <-l.b.ctx.Done():
			return l.b.ctx.Err()
		}
	}
	return nil
}

func (l *link) note(c *change) (sub *redis.PubSub, waits []chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, channel := range c.drop {
		delete(l.rooms, channel)
		delete(l.waiting, channel)
	}
	for _, channel := range c.add {
		l.rooms[channel] = struct{}{}
		wait := make(chan struct{})
		l.waiting[channel] = append(l.waiting[channel], wait)
		waits = append(waits, wait)
	}
	return l.sub, waits
}

// confirmed notes that Redis sends what is published to a channel.
func (l *link) confirmed(s *redis.Subscription) {
	if s.Kind != "subscribe" && s.Kind != "ssubscribe" {
		return
	}
	if l.confirm(s.Channel) {
		l.b.connected(l, true, nil)
		g := l.b.gates[l.number]
		g.forget(nil)
		g.look()
	}
}

// taken reports whether Redis does not send any more what is published to a channel: its
// slot is another server's now, or we part.
func (l *link) taken(s *redis.Subscription) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case s.Kind == "unsubscribe":
		return s.Count == 0 && l.cause != nil
	case s.Kind != "sunsubscribe":
		return false
	}
	_, room := l.rooms[s.Channel]
	return room || slices.Contains(l.base, s.Channel)
}

func (l *link) confirm(channel string) (all bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, wait := range l.waiting[channel] {
		close(wait)
	}
	delete(l.waiting, channel)
	if len(l.pending) == 0 {
		return false
	}
	delete(l.pending, channel)
	return len(l.pending) == 0
}

// arrived delivers a message.
func (l *link) arrived(m *redis.Message) {
	if m.Channel == l.base[0] {
		l.echoed(m.Payload)
		return
	}
	d, err := l.b.open(m)
	if err != nil {
		l.b.in.Invalid(err)
		return
	}
	l.b.in.Deliver([]broker.Delivery{d})
}

// watchdog probes a connection on which nothing comes, and ends it if the probe does not.
func (l *link) watchdog() {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-l.b.ctx.Done():
			return
		}
		switch quiet := time.Duration(l.b.now() - l.heard.Load()); {
		case quiet >= silence+patience:
			l.end(errSilent)
		case quiet >= silence:
			l.probe()
		}
	}
}

// probe has a message come back by the path of all others.
func (l *link) probe() {
	ctx, cancel := context.WithTimeout(l.b.ctx, patience)
	defer cancel()
	l.b.publish(ctx, l.b.client, l.base[0], []byte("probe"))
}

// end ends the connection, so that run opens another.
func (l *link) end(cause error) {
	l.mu.Lock()
	sub := l.sub
	l.cause = cause
	l.mu.Unlock()
	if sub != nil {
		sub.Close()
	}
}

func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.end(context.Canceled)
}
