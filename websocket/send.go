package websocket

import (
	"math/rand/v2"

	"github.com/nextrush/nextrush/internal/buffer"
	"github.com/nextrush/nextrush/internal/transport"
	"github.com/nextrush/nextrush/websocket/internal/deflate"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// volatileLimit is how many bytes may wait for a volatile message to be sent.
const volatileLimit = 16 << 10

// Send queues a message: a string as text, a []byte as binary, a Message as it
// is, anything else as JSON text. It never blocks and copies what it is given.
// ErrClosed, ErrSlowConsumer and ErrDropped are its errors besides those of
// encoding/json.
func (s *Socket) Send(v any) error {
	if p, ok := v.(*Prepared); ok {
		return s.SendPrepared(p)
	}
	t, data, err := encode(v)
	if err != nil {
		return err
	}
	return s.send(t, data)
}

// SendText queues a text message. Text that is not UTF-8 is sent as it is, and
// a peer that checks will close with 1007.
func (s *Socket) SendText(text string) error { return s.send(Text, []byte(text)) }

// SendBinary queues a binary message.
func (s *Socket) SendBinary(data []byte) error { return s.send(Binary, data) }

// SendJSON queues v as JSON text.
func (s *Socket) SendJSON(v any) error {
	data, err := encodeJSON(v)
	if err != nil {
		return err
	}
	return s.send(Text, data)
}

// SendMessage queues m: the same type, the same bytes.
func (s *Socket) SendMessage(m Message) error {
	if err := m.Type.check(); err != nil {
		return err
	}
	return s.send(m.Type, m.data)
}

// SendPrepared queues a message that was encoded once for many sockets.
func (s *Socket) SendPrepared(p *Prepared) error {
	if err := p.check(); err != nil {
		return err
	}
	flush, err := s.enqueue(p, false, false)
	if flush {
		s.flush()
	}
	return err
}

func (s *Socket) send(t MessageType, data []byte) error {
	if s.codec != nil && len(data) >= s.srv.opts.Compression.Threshold {
		return s.sendCompressed(t, data)
	}
	return s.queue(wire.Header{Fin: true, Op: t.opcode()}, data)
}

// sendCompressed compresses outside the lock where messages are independent.
func (s *Socket) sendCompressed(t MessageType, data []byte) error {
	c := s.codec
	h := wire.Header{Fin: true, Rsv1: true, Op: t.opcode()}
	if c.compressor != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		buf := buffer.Borrow()
		defer buffer.Release(buf)
		*buf = c.compressor.Compress((*buf)[:0], data)
		err := s.queue(h, *buf)
		if err != nil {
			c.compressor.Reset() // the peer's window will not have this message
		}
		return err
	}
	buf := buffer.Borrow()
	defer buffer.Release(buf)
	*buf = deflate.Compress((*buf)[:0], data, s.srv.opts.Compression.Level, int(c.sendBits))
	if len(*buf) >= len(data) {
		return s.queue(wire.Header{Fin: true, Op: t.opcode()}, data)
	}
	return s.queue(h, *buf)
}

// queue puts a data frame behind the others, and writes unless a batch is open.
func (s *Socket) queue(h wire.Header, payload []byte) error {
	s.mu.Lock()
	if err := s.admit(len(payload) + wire.MaxHeaderSize); err != nil {
		s.mu.Unlock()
		return err
	}
	s.maskHeader(&h, len(payload))
	if len(payload) >= largeSize && s.mayTry() {
		return s.sendLarge(h, payload)
	}
	s.out.frame(h, payload, s.srv.opts.SlowConsumer != DropOldest)
	flush := s.mayFlush()
	s.mu.Unlock()
	if flush {
		s.flush()
	}
	return nil
}

// largeSize is the bytes from which a message is written before it is copied.
const largeSize = 16 << 10

// mayTry reports whether a message may be written now; s.mu is held. Where
// messages may be dropped, each is to be a piece of its own.
func (s *Socket) mayTry() bool {
	return s.state == StateOpen && s.link != nil && !s.writing && !s.client && !s.inbox.full() &&
		len(s.out.pieces) < maxWritePiece-2 && s.srv.opts.SlowConsumer != DropOldest
}

// sendLarge writes what waits and then the message, and copies that only where
// it does not leave at once. s.mu is held, and released.
func (s *Socket) sendLarge(h wire.Header, payload []byte) error {
	o := s.out
	o.lend(h, payload)
	o.gather()
	s.writing = true
	s.writes++
	s.mu.Unlock()
	n, err := s.link.Try(&o.op)
	s.mu.Lock()
	o.settle(n)
	if err == transport.ErrAgain {
		err = nil
	}
	more := s.tookLocked(n, err)
	s.mu.Unlock()
	if more {
		s.flush()
	}
	return nil
}

func (s *Socket) maskHeader(h *wire.Header, length int) {
	h.Length = int64(length)
	if s.client {
		h.Masked = true
		key := rand.Uint32() // RFC 6455 §5.3: unpredictable; ChaCha8 seeded by the system
		h.Mask = [4]byte{byte(key), byte(key >> 8), byte(key >> 16), byte(key >> 24)}
	}
}

// enqueue queues a prepared message and reports whether the socket is to be
// flushed by the caller: with list, unless it is in a list for that already.
func (s *Socket) enqueue(p *Prepared, volatile, list bool) (flush bool, err error) {
	if s.client || s.codec != nil && s.codec.compressor != nil {
		if volatile && s.stalledBy(volatileLimit) {
			s.srv.stats.dropped.Add(1)
			return false, ErrDropped
		}
		return false, s.send(p.Type, p.payload())
	}
	frame := p.plain
	if s.codec != nil && len(frame) >= s.srv.opts.Compression.Threshold {
		frame = p.compressed(s.srv.opts.Compression.Level, s.codec.sendBits)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if volatile && s.blocked && s.bufferedLocked() > volatileLimit {
		s.srv.stats.dropped.Add(1)
		return false, ErrDropped
	}
	if err := s.admit(len(frame)); err != nil {
		return false, err
	}
	s.out.shared(frame, s.srv.opts.SlowConsumer != DropOldest, s.blocked)
	if !s.mayFlush() || list && s.dirty {
		return false, nil
	}
	s.dirty = list
	return true, nil
}

// stalledBy reports whether the peer has left more than limit bytes untaken.
func (s *Socket) stalledBy(limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blocked && s.bufferedLocked() > limit
}

// mayFlush reports whether what was queued should be written now; in a batch
// not before it has grown large.
func (s *Socket) mayFlush() bool {
	if in := s.inbox; in != nil && in.pull && len(in.messages) > 0 && s.out.bytes < flushAt {
		if !s.dirty { // more of one read waits for Receive
			s.dirty = true
			s.srv.loop.Flush((*looped)(s))
		}
		return false
	}
	return s.state != StateConnecting && !s.writing && (!s.batching || s.out.bytes >= flushAt)
}

// admit makes sure that n more bytes may be queued; s.mu is held. A message
// that is larger than the whole queue is admitted when nothing waits.
func (s *Socket) admit(n int) error {
	if s.state >= StateClosing || s.mute {
		return ErrClosed
	}
	if s.out == nil {
		s.out = borrowOutbox()
		return nil
	}
	if s.fits(n) {
		return nil
	}
	if !s.writing && s.state == StateOpen {
		s.mu.Unlock()
		s.flush()
		s.mu.Lock()
		return s.readmit(n)
	}
	return s.overflow(n)
}

func (s *Socket) readmit(n int) error {
	if s.state >= StateClosing || s.mute {
		return ErrClosed
	}
	if s.out == nil {
		s.out = borrowOutbox()
	}
	if s.fits(n) {
		return nil
	}
	return s.overflow(n)
}

func (s *Socket) fits(n int) bool {
	waiting := s.out.bytes - s.inHand
	return waiting+n <= s.srv.opts.SendQueue || waiting == 0
}

// overflow applies the policy for slow consumers; s.mu is held.
func (s *Socket) overflow(n int) error {
	policy := s.srv.opts.SlowConsumer
	if policy == DropOldest && s.codec != nil && s.codec.compressor != nil {
		policy = DropNewest // what waits may refer to what would be dropped
	}
	switch policy {
	case DropNewest:
		s.srv.stats.dropped.Add(1)
		return ErrDropped
	case DropOldest:
		dropped, ok := s.out.dropOldest(n, s.srv.opts.SendQueue+s.inHand)
		s.srv.stats.dropped.Add(int64(dropped))
		if ok {
			return nil
		}
		s.srv.stats.dropped.Add(1)
		return ErrDropped
	}
	s.srv.stats.slow.Add(1)
	s.out.dropUnwritten()
	s.startClose(StatusTryAgainLater, "slow consumer", false)
	return ErrSlowConsumer
}

// control queues a control frame (RFC 6455 §5.5), ahead of messages that wait for
// a write under way; s.mu is held.
func (s *Socket) control(op wire.Opcode, payload []byte) {
	if s.out == nil {
		s.out = borrowOutbox()
	}
	h := wire.Header{Fin: true, Op: op}
	s.maskHeader(&h, len(payload))
	s.out.control(h, payload, s.writing)
}

// Ping sends a ping with up to 125 bytes (RFC 6455 §5.5.2); longer data is cut.
// The heartbeat sends pings of its own.
func (s *Socket) Ping(data []byte) error { return s.sendControl(wire.OpPing, data) }

// Pong sends a pong that answers no ping (RFC 6455 §5.5.3); longer data is cut.
func (s *Socket) Pong(data []byte) error { return s.sendControl(wire.OpPong, data) }

func (s *Socket) sendControl(op wire.Opcode, data []byte) error {
	s.mu.Lock()
	if s.state >= StateClosing || s.mute {
		s.mu.Unlock()
		return ErrClosed
	}
	s.control(op, data[:min(len(data), wire.MaxControlPayload)])
	flush := s.mayFlush()
	s.mu.Unlock()
	if flush {
		s.flush()
	}
	return nil
}
