package nats

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/nextrush/nextrush/websocket/broker"
)

// A server that is not ours learns after a while that we have subscribed to something, and
// until then does not send us what its clients publish. Servers pass on subscriptions and
// messages in order: who answers what we have sent after a subscription is a client of a
// server that knows of it. So one watches a room when the brokers on all other servers have
// answered.

const (
	probed   = 'p' // nothing follows
	hello    = 'h' // is answered
	answer   = 'a' // to a hello
	farewell = 'b'
	sizePeer = 1 + 8 + 16 // kind, token, node, and the server's name
)

const (
	peerPatience = time.Second // for answers
	meeting      = 250 * time.Millisecond
)

var errUnanswered = errors.New("nats: another node does not answer, whose server may not know yet what this one receives")

// peers are the brokers of other nodes.
type peers struct {
	mu     sync.Mutex // guards the fields below
	server map[broker.NodeID]string
	asked  map[uint64]*question
	token  uint64
}

// question is a hello that is not answered by all yet.
type question struct {
	open map[broker.NodeID]struct{}
	done chan struct{}
}

func newPeers() peers {
	return peers{server: make(map[broker.NodeID]string), asked: make(map[uint64]*question)}
}

// ask makes a question to the peers on other servers; nil: there are none.
func (p *peers) ask(server string) (token uint64, q *question) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q = &question{open: make(map[broker.NodeID]struct{}), done: make(chan struct{})}
	for id, its := range p.server {
		if its != server {
			q.open[id] = struct{}{}
		}
	}
	if len(q.open) == 0 {
		return 0, nil
	}
	p.token++
	p.asked[p.token] = q
	return p.token, q
}

// end forgets a question, and who has not answered it.
func (p *peers) end(token uint64, forget bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q := p.asked[token]; forget {
		for id := range q.open {
			delete(p.server, id)
		}
	}
	delete(p.asked, token)
}

// met notes where a peer is; token is that of the question it has answered.
func (p *peers) met(id broker.NodeID, server string, token uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.server[id] = server
	p.answeredLocked(token, id)
}

func (p *peers) answeredLocked(token uint64, id broker.NodeID) {
	q := p.asked[token]
	if q == nil {
		return
	}
	if _, is := q.open[id]; is {
		if delete(q.open, id); len(q.open) == 0 {
			close(q.done)
		}
	}
}

// gone forgets a peer, which will answer nothing.
func (p *peers) gone(id broker.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.server, id)
	for token := range p.asked {
		p.answeredLocked(token, id)
	}
}

// knows reports whether a peer is known.
func (p *peers) knows(id broker.NodeID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.server[id]
	return ok
}

// greet waits until the peers on other servers have answered. It forgets those that do not.
func (b *Broker) greet(ctx context.Context) error {
	token, q := b.peers.ask(b.conn.ConnectedServerId())
	if q == nil {
		return nil
	}
	err := b.say(b.peersSubject(), hello, token)
	if err == nil {
		err = b.await(ctx, q)
	}
	b.peers.end(token, errors.Is(err, errUnanswered))
	return err
}

func (b *Broker) await(ctx context.Context, q *question) error {
	late := time.NewTimer(peerPatience)
	defer late.Stop()
	select {
	case <-q.done:
		return nil
	case <-late.C:
		return errUnanswered
	case <-ctx.Done():
		return ctx.Err()
	case <-b.ctx.Done():
		return errNotStarted
	}
}

// Meet looks for the nodes of other servers, and waits a little until they have answered: how
// many will is not known. It is for package embedded, which knows when a server is new.
func (b *Broker) Meet() {
	if b.in == nil || b.say(b.peersSubject(), hello, 0) != nil || b.conn.ConnectedClusterName() == "" {
		return
	}
	select {
	case <-time.After(meeting):
	case <-b.ctx.Done():
	}
}

// say sends something to other brokers.
func (b *Broker) say(subject string, kind byte, token uint64) error {
	m := append(make([]byte, 0, 96), kind)
	m = binary.BigEndian.AppendUint64(m, token)
	m = append(m, b.self[:]...)
	return b.conn.Publish(subject, append(m, b.conn.ConnectedServerId()...))
}

// leave tells the peers that this node goes, when they have what it has published.
func (b *Broker) leave(ctx context.Context) {
	if b.conn.IsConnected() && b.greet(ctx) == nil && b.say(b.peersSubject(), farewell, 0) == nil {
		b.flush(b.ctx)
	}
}

// heardOf takes what another broker has said.
func (b *Broker) heardOf(m []byte) {
	if len(m) < sizePeer {
		return
	}
	token, id := binary.BigEndian.Uint64(m[1:]), broker.NodeID(m[9:sizePeer])
	if id == b.self {
		return
	}
	switch m[0] {
	case hello:
		b.peers.met(id, string(m[sizePeer:]), 0)
		b.say(b.peerSubject(id), answer, token)
	case answer:
		b.peers.met(id, string(m[sizePeer:]), token)
	case farewell:
		b.peers.gone(id)
	}
}
