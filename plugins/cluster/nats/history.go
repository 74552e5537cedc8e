package nats

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nextrush/nextrush/websocket/broker"
)

// tops are the last records of rooms that this node has published to, without their
// envelopes. What is there may be old: JetStream refuses what follows an old one.
type tops struct {
	mu    sync.Mutex // guards the field below
	known map[string]*record
}

const maxTops = 1 << 16

func (t *tops) get(room string) *record {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known[room]
}

func (t *tops) put(room string, r *record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.known) >= maxTops || t.known == nil {
		t.known = make(map[string]*record)
	}
	light := *r
	light.envelopes = nil
	t.known[room] = &light
}

// newer notes what has arrived of a room that is known.
func (t *tops) newer(room string, r *record) {
	if old := t.get(room); old != nil && old.seq < r.seq {
		t.put(room, r)
	}
}

// expired reports whether nothing of a room is to be read any more.
func (b *Broker) expired(r *record) bool {
	return r.keep.Age > 0 && b.streams.now().Sub(r.at) >= r.keep.Age
}

// top is the last record of a room; one of no place in the stream if there is none.
func (b *Broker) top(ctx context.Context, room string) (*record, error) {
	if r := b.tops.get(room); r != nil {
		return r, nil
	}
	return b.refresh(ctx, room, &record{})
}

// refresh reads the last record of a room. If it is older than what was known, records
// are gone that others have seen, and their offsets would come twice: it begins an epoch.
func (b *Broker) refresh(ctx context.Context, room string, known *record) (r *record, err error) {
	r, err = b.last(ctx, room)
	switch {
	case errors.Is(err, errNone):
		r = &record{epoch: newEpoch()}
	case err != nil:
		return nil, err
	case r.seq < known.seq:
		r = &record{epoch: newEpoch(), seq: r.seq, nodes: r.nodes}
	}
	return r, nil
}

func newEpoch() string { return rand.Text()[:12] }

// adding is what is to be added to a room.
type adding struct {
	room  string
	batch []*broker.Envelope
	known *record
	next  *record
	n     int // envelopes in next
	ack   jetstream.PubAckFuture
}

// keepAll adds envelopes to rooms: each round the next record of all of them.
func (b *Broker) keepAll(ctx context.Context, rooms []*adding) error {
	if len(rooms) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, keptTimeout)
	defer cancel()
	if _, err := b.allStreams(ctx); err != nil {
		return err
	}
	for len(rooms) > 0 {
		for _, a := range rooms {
			if err := b.propose(ctx, a); err != nil {
				return err
			}
		}
		rest := rooms[:0]
		for _, a := range rooms {
			if err := b.settled(ctx, a); err != nil {
				return err
			}
			if len(a.batch) > 0 {
				rest = append(rest, a)
			}
		}
		rooms = rest
	}
	return nil
}

// propose sends the next record of a room. What is there already is left out.
func (b *Broker) propose(ctx context.Context, a *adding) (err error) {
	a.ack = nil
	if a.known, err = b.top(ctx, a.room); err != nil {
		return err
	}
	had := a.known.published(b.self)
	for len(a.batch) > 0 && a.batch[0].Seq != 0 && a.batch[0].Seq <= had { // 0: it has no number
		a.batch = a.batch[1:]
	}
	if len(a.batch) == 0 {
		return nil
	}
	a.next, a.n = a.known.next(a.batch, &b.codec, b.expired(a.known))
	data := a.next.append(nil)
	if err := b.fits(a.room, len(data)); err != nil {
		b.state.lose(a.room, err)
		a.batch = a.batch[a.n:]
		return nil
	}
	a.ack, err = b.add(a.room, a.known.seq, data)
	return err
}

// add stores a record if the last one of the room is at that place.
func (b *Broker) add(room string, after uint64, data []byte) (jetstream.PubAckFuture, error) {
	js, err := b.jetStream()
	if err != nil {
		return nil, err
	}
	return js.PublishMsgAsync(&nats.Msg{Subject: b.recordSubject(room), Data: data}, jetstream.WithExpectLastSequencePerSubject(after))
}

// settled waits for what became of a record.
func (b *Broker) settled(ctx context.Context, a *adding) error {
	if a.ack == nil {
		return nil
	}
	select {
	case ack := <-a.ack.Ok():
		a.next.placed(ack.Sequence, b.streams.now())
		b.tops.put(a.room, a.next)
		a.batch = a.batch[a.n:]
		b.trim(ctx, a)
		return nil
	case err := <-a.ack.Err():
		if !isConflict(err) {
			b.streams.forget()
			return fmt.Errorf("nats: keep: %w", err)
		}
		return b.behind(ctx, a)
	case <-ctx.Done():
		return ctx.Err()
	case <-b.ctx.Done():
		return errNotStarted
	}
}

// behind sees to it that the next record follows the last one, which is not the known one.
func (b *Broker) behind(ctx context.Context, a *adding) error {
	if r := b.tops.get(a.room); r != nil && r.seq > a.known.seq {
		return nil
	}
	r, err := b.refresh(ctx, a.room, a.known)
	if err == nil {
		b.tops.put(a.room, r)
	}
	return err
}

func isConflict(err error) bool {
	e, ok := errors.AsType[*jetstream.APIError](err)
	return ok && (e.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || e.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// trim removes what is not needed any more when a record has begun a span. If it fails the
// next does it.
func (b *Broker) trim(ctx context.Context, a *adding) {
	if a.next.now.seq != a.next.seq || a.known.seq == 0 {
		return
	}
	if s, err := b.stream(ctx, a.room); err == nil {
		s.Purge(ctx, jetstream.WithPurgeSubject(b.recordSubject(a.room)), jetstream.WithPurgeSequence(a.next.was.seq))
	}
}

// Since reads what a room has kept.
func (b *Broker) Since(ctx context.Context, room string, after broker.Position, limit int) (page broker.Page, err error) {
	if err := b.ready(ctx); err != nil {
		return page, err
	}
	ctx, cancel := context.WithTimeout(ctx, keptTimeout)
	defer cancel()
	for {
		page, err = b.since(ctx, room, after, limit)
		if !errors.Is(err, errMoved) {
			return page, err
		}
	}
}

// errMoved says that a room has changed while it was read.
var errMoved = errors.New("nats: a room changes faster than it can be read")

func (b *Broker) since(ctx context.Context, room string, after broker.Position, limit int) (page broker.Page, err error) {
	top, err := b.born(ctx, room)
	if err != nil {
		return page, err
	}
	page.Top = broker.Position{Epoch: top.epoch, Offset: top.top}
	low := top.before(b.expired(top))
	whole := after != broker.Position{}
	switch {
	case limit == 0:
		return page, nil
	case whole && (after.Epoch != top.epoch || after.Offset < low || after.Offset > top.top):
		return page, broker.ErrGone
	case whole:
		low = after.Offset
	}
	if low >= top.top {
		return page, nil
	}
	from := top.was.seq
	if low+1 >= top.now.first {
		from = top.now.seq
	}
	records, err := b.read(ctx, room, from, top.seq)
	if err != nil {
		return page, err
	}
	list, err := b.tail(records, top, low)
	switch {
	case err != nil:
		return page, err
	case whole && list[0].Position.Offset != low+1:
		return page, broker.ErrGone
	}
	page.Deliveries = list[:min(limit, len(list))]
	return page, nil
}

// born is the last record of a room. A room without one gets one that has an epoch alone.
func (b *Broker) born(ctx context.Context, room string) (*record, error) {
	for {
		r, err := b.last(ctx, room)
		if !errors.Is(err, errNone) {
			return r, err
		}
		a := &adding{room: room, next: &record{epoch: newEpoch()}, known: &record{}}
		if a.ack, err = b.add(room, 0, a.next.append(nil)); err != nil {
			return nil, err
		}
		if err := b.settled(ctx, a); err != nil {
			return nil, err
		}
	}
}

// tail lists what records have after an offset, in a row up to the top, and of that what
// the top's limit of bytes allows.
func (b *Broker) tail(records []*record, top *record, low int64) (list []broker.Delivery, err error) {
	for _, r := range records {
		if r.seq > top.seq || r.epoch != top.epoch {
			continue
		}
		part, err := r.deliveries(&b.codec)
		if err != nil {
			return nil, err
		}
		list = append(list, part...)
	}
	n, size, offset := len(list), 0, top.top
	for n > 0 && list[n-1].Position.Offset == offset && offset > low {
		if size += len(list[n-1].Body); size > top.keep.Bytes {
			break
		}
		n--
		offset--
	}
	if list = list[n:]; len(list) == 0 {
		return nil, errMoved
	}
	return list, nil
}
