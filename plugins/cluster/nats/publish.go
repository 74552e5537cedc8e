package nats

import (
	"context"

	"github.com/nextrush/nextrush/websocket/broker"
)

// Publish sends a batch, and waits until the server has it. What is kept leaves together
// at the end, or before something else to the same room.
func (b *Broker) Publish(ctx context.Context, batch []broker.Envelope) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	var kept []*adding
	of := make(map[string]*adding)
	for i := range batch {
		e := &batch[i]
		a := of[e.Room]
		switch {
		case e.Keep == (broker.Retention{}) && a != nil:
			if err := b.keepAll(ctx, kept); err != nil {
				return err
			}
			kept = kept[:0]
			clear(of)
			fallthrough
		case e.Keep == (broker.Retention{}):
			if err := b.send(e); err != nil {
				return err
			}
		case a == nil:
			a = &adding{room: e.Room}
			of[e.Room] = a
			kept = append(kept, a)
			fallthrough
		default:
			a.batch = append(a.batch, e)
		}
	}
	if err := b.keepAll(ctx, kept); err != nil {
		return err
	}
	return b.flush(ctx)
}

// send sends an envelope that is not kept. One that the server would refuse is told.
func (b *Broker) send(e *broker.Envelope) error {
	message := b.codec.Append(nil, e)
	if err := b.fits(e.Room, len(message)); err != nil {
		b.state.lose(e.Room, err)
		return nil
	}
	return b.conn.Publish(b.subject(e), message)
}
