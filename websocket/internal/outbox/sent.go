package outbox

import "github.com/nextrush/nextrush/websocket/internal/wire"

const (
	batchCost = 40      // bytes that a batch takes besides those of its frames
	batchMin  = 256     // bytes of the first batch that small frames are copied to
	batchMax  = 4 << 10 // bytes of the largest
)

// Sent keeps what was written until the peer has counted it, so that it can be written
// again. The zero value keeps nothing, and counts.
type Sent struct {
	Count uint64 // messages written

	list  []batch
	first uint64 // messages before those of the list
	bytes int
}

// batch is a run of whole frames.
type batch struct {
	b        []byte
	messages int32
	own      bool // b is ours: more may be appended while it has room
}

// add keeps a piece that was written.
func (s *Sent) add(p *piece) {
	if p.messages == 0 {
		return
	}
	s.Count += uint64(p.messages)
	if p.shared {
		s.push(batch{b: p.b, messages: p.messages})
	} else if last := s.last(); last != nil && last.own && cap(last.b)-len(last.b) >= len(p.b) {
		last.b = append(last.b, p.b...)
		last.messages += p.messages
	} else {
		size := batchMin
		if last != nil && last.own {
			size = min(2*cap(last.b), batchMax)
		}
		b := make([]byte, 0, max(size, len(p.b)))
		s.push(batch{append(b, p.b...), p.messages, true})
	}
}

// Trim forgets the oldest, so that no more than limit bytes are kept.
func (s *Sent) Trim(limit int) {
	for s.bytes > limit && len(s.list) > 0 {
		s.forget()
	}
}

func (s *Sent) last() *batch {
	if len(s.list) == 0 {
		return nil
	}
	return &s.list[len(s.list)-1]
}

func (s *Sent) push(b batch) {
	s.list = append(s.list, b)
	s.bytes += cap(b.b) + batchCost
}

// forget gives up the oldest batch.
func (s *Sent) forget() {
	b := s.list[0]
	s.first += uint64(b.messages)
	s.bytes -= cap(b.b) + batchCost
	s.list[0] = batch{}
	s.list = s.list[1:]
	if len(s.list) == 0 {
		s.list = nil
	}
}

// Got forgets what the peer has counted: the first n messages of all. A number that
// cannot be is ignored.
func (s *Sent) Got(n uint64) {
	if n > s.Count {
		return
	}
	for len(s.list) > 0 && s.first+uint64(s.list[0].messages) <= n {
		s.forget()
	}
}

// Has reports whether what comes after the first n messages of all is kept.
func (s *Sent) Has(n uint64) bool { return s.first <= n && n <= s.Count }

// again takes out what comes after the first n messages of all, to be written again.
func (s *Sent) again(n uint64) (pieces []piece) {
	skip := n - s.first
	for _, b := range s.list {
		if had := uint64(b.messages); skip >= had {
			skip -= had
			continue
		}
		pieces = append(pieces, piece{b: after(b.b, skip), messages: b.messages - int32(skip), shared: true})
		skip = 0
	}
	s.list, s.bytes = nil, 0
	s.first, s.Count = n, n
	return pieces
}

// after is what follows the first n messages in a run of whole frames.
func after(frames []byte, n uint64) []byte {
	var h wire.Header
	for n > 0 {
		size, err := h.Parse(frames)
		if size == 0 || err != nil {
			panic("outbox: not a run of whole frames")
		}
		frames = frames[size+int(h.Length):]
		if !h.Op.IsControl() {
			n--
		}
	}
	return frames
}

// Aside queues a text of the protocol's own, which belongs to this connection alone: it
// does not count as a message. frame is not copied.
func (o *Outbox) Aside(frame []byte) {
	o.closeTail()
	o.pieces = append(o.pieces, piece{b: frame})
	o.Bytes += len(frame)
}

// Keep has s keep the messages that n more written bytes complete.
func (o *Outbox) Keep(n int, s *Sent) {
	n += o.off
	for i := range o.pieces {
		p := &o.pieces[i]
		if n -= len(p.b); n < 0 {
			return
		}
		s.add(p)
	}
}

// Withdraw prepares the queue for another connection, as this one is lost. Pieces that a
// write has begun move to s, as the peer may have them. Of the others, messages stay, and
// frames that belong to this connection are dropped.
func (o *Outbox) Withdraw(s *Sent) {
	begun := o.begun()
	for i := range o.pieces[:begun] {
		s.add(&o.pieces[i])
	}
	o.Bytes -= total(o.pieces[:begun]) - o.off
	o.took(begun)
	clear(o.Op.Pieces)
	clear(o.pieces[:begun])
	o.pieces = o.pieces[begun:]
	o.off, o.Busy, o.InHand, o.Answer = 0, 0, 0, 0
	o.closeTail()
	o.dropAside()
}

// dropAside drops the frames that belong to this connection: pongs, and texts of Aside.
func (o *Outbox) dropAside() {
	for i := range o.pieces {
		if p := &o.pieces[i]; p.b != nil && p.messages == 0 {
			o.Bytes -= len(p.b)
			*p = piece{}
			o.needLatest().empty++
		}
	}
	o.compact()
}

// Again queues, before what waits, what comes after the first n messages that s has
// counted, and has.
func (o *Outbox) Again(n uint64, s *Sent) {
	pieces := s.again(n)
	o.latest.shift(-len(pieces))
	o.Bytes += total(pieces)
	o.pieces = append(pieces, o.pieces...)
}
