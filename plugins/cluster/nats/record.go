package nats

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/nextrush/nextrush/websocket/broker"
)

// record is what one message of a stream says of a room: its state, and the envelopes that
// have led to it. So who has the last record of a room knows what the next one is, and
// JetStream takes that only if no other has come between.
type record struct {
	epoch string
	top   int64            // the offset of the last envelope
	floor int64            // what is up to it has expired
	keep  broker.Retention // of the last envelope
	now   span             // the records that are being added to
	was   span             // those before; what is older is not needed
	nodes []mark

	envelopes [][]byte // of top and those before it

	seq uint64    // the message's place in the stream
	at  time.Time // by the clock of the server
}

// span is records in a row.
type span struct {
	seq   uint64 // of the first; 0: the record itself
	first int64  // its first offset
	bytes int    // of bodies
}

// mark is the number of the last envelope that a node has published to the room.
type mark struct {
	node broker.NodeID
	seq  uint64
}

const (
	recordMark = 'K'     // envelopes begin with another byte
	maxMarks   = 64      // of nodes, those that have published last
	maxRecord  = 1 << 17 // bytes of bodies, if they are of more than one envelope
	minSpan    = 64      // envelopes, after which a span may end
)

// published is the number of the last envelope that a node has published.
func (r *record) published(node broker.NodeID) uint64 {
	for _, m := range r.nodes {
		if m.node == node {
			return m.seq
		}
	}
	return 0
}

// next is the record after r with the first of the envelopes, and how many those are.
func (r *record) next(batch []*broker.Envelope, codec *broker.Codec, expired bool) (x *record, n int) {
	x = &record{epoch: r.epoch, top: r.top, floor: r.floor, now: r.now, was: r.was}
	size := 0
	for _, e := range batch {
		if n > 0 && size+len(e.Body) > maxRecord {
			break
		}
		size += len(e.Body)
		x.envelopes = append(x.envelopes, codec.Append(nil, e))
		n++
	}
	last := batch[n-1]
	x.keep, x.top = last.Keep, r.top+int64(n)
	switch {
	case expired || r.seq == 0:
		x.floor, x.now = r.top, span{first: r.top + 1}
		x.was = x.now
	case r.top-r.now.first+1 >= max(int64(x.keep.Messages), minSpan) || r.now.bytes >= x.keep.Bytes:
		x.was, x.now = r.now, span{first: r.top + 1}
	}
	x.now.bytes += size
	x.nodes = slices.DeleteFunc(slices.Clone(r.nodes), func(m mark) bool { return m.node == last.From })
	x.nodes = append(x.nodes, mark{last.From, max(last.Seq, r.published(last.From))})
	x.nodes = x.nodes[max(len(x.nodes)-maxMarks, 0):]
	return x, n
}

// placed notes where in the stream the record is.
func (r *record) placed(seq uint64, at time.Time) {
	r.seq, r.at = seq, at
	for _, s := range []*span{&r.now, &r.was} {
		if s.seq == 0 {
			s.seq = seq
		}
	}
}

// before is the offset before what may still be kept.
func (r *record) before(expired bool) int64 {
	if expired {
		return r.top
	}
	return max(r.floor, r.top-int64(r.keep.Messages))
}

// append appends the bytes of the record: its fields in their order, numbers as in
// binary.Uvarint, bytes after their length.
func (r *record) append(b []byte) []byte {
	b = appendBytes(append(b, recordMark), []byte(r.epoch))
	for _, n := range []uint64{uint64(r.top), uint64(r.floor), uint64(r.keep.Messages), uint64(r.keep.Bytes), uint64(r.keep.Age),
		r.now.seq, uint64(r.now.first), uint64(r.now.bytes), r.was.seq, uint64(r.was.first), uint64(r.was.bytes), uint64(len(r.nodes))} {
		b = binary.AppendUvarint(b, n)
	}
	for _, m := range r.nodes {
		b = binary.AppendUvarint(append(b, m.node[:]...), m.seq)
	}
	for _, e := range r.envelopes {
		b = appendBytes(b, e)
	}
	return b
}

func appendBytes(b, data []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(data))), data...)
}

// parseRecord reads what append has written.
func parseRecord(b []byte) (*record, error) {
	if len(b) == 0 || b[0] != recordMark {
		return nil, broker.ErrEnvelope
	}
	p, r := parser{b: b[1:]}, new(record)
	r.epoch = string(p.bytes(64))
	r.top, r.floor = p.int(), p.int()
	r.keep = broker.Retention{Messages: int(p.int()), Bytes: int(p.int()), Age: time.Duration(p.int())}
	r.now = span{p.uint(), p.int(), int(p.int())}
	r.was = span{p.uint(), p.int(), int(p.int())}
	for n := p.uint(); n > 0 && !p.failed; n-- {
		var m mark
		copy(m.node[:], p.take(uint64(len(m.node))))
		m.seq = p.uint()
		r.nodes = append(r.nodes, m)
	}
	for len(p.b) > 0 && !p.failed {
		r.envelopes = append(r.envelopes, p.bytes(len(p.b)))
	}
	if p.failed || int64(len(r.envelopes)) > r.top || r.epoch == "" {
		return nil, broker.ErrEnvelope
	}
	return r, nil
}

// parser takes fields from bytes. Once it has failed it yields zeros.
type parser struct {
	b      []byte
	failed bool
}

func (p *parser) take(n uint64) (b []byte) {
	if p.failed || n > uint64(len(p.b)) {
		p.failed = true
		return nil
	}
	b, p.b = p.b[:n:n], p.b[n:]
	return b
}

func (p *parser) bytes(most int) []byte {
	n := p.uint()
	if n > uint64(most) {
		p.failed = true
	}
	return p.take(n)
}

func (p *parser) uint() uint64 {
	n, size := binary.Uvarint(p.b)
	if p.failed || size <= 0 {
		p.failed = true
		return 0
	}
	p.b = p.b[size:]
	return n
}

func (p *parser) int() int64 {
	n := int64(p.uint())
	if n < 0 {
		p.failed = true
		return 0
	}
	return n
}

// deliveries reads the envelopes of a record, which are all to be of one room.
func (r *record) deliveries(codec *broker.Codec) (list []broker.Delivery, err error) {
	for i, b := range r.envelopes {
		d := broker.Delivery{Position: broker.Position{Epoch: r.epoch, Offset: r.top - int64(len(r.envelopes)-1-i)}}
		if d.Envelope, err = codec.Decode(b); err != nil {
			return nil, err
		}
		if d.Room == "" || i > 0 && d.Room != list[0].Room {
			return nil, broker.ErrEnvelope
		}
		list = append(list, d)
	}
	return list, nil
}
