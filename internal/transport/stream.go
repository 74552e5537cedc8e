package transport

import (
	"net"
	"time"
)

const (
	streamWaitSize  = 512
	streamReadSize  = 4 << 10 // while more comes than that
	streamWriteSize = 16 << 10
	streamPartSize  = 64 << 10 // bytes after which a long write shows its progress
	streamFarewell  = time.Second
)

// Stream drives any net.Conn, TLS among them: a goroutine that blocks in Read
// while the owner waits, and one that blocks in Write while bytes leave.
type Stream struct {
	owner Owner
	conn  net.Conn

	in    []byte // read, not taken yet; the reader's until Readable, then the worker's
	inErr error
	hold  []byte
	grown bool // hold has become larger by the last read
}

func (s *Stream) AwaitRead() {
	go func() {
		if s.hold == nil {
			s.hold = make([]byte, streamWaitSize)
		}
		n, err := s.conn.Read(s.hold)
		s.in, s.inErr = s.hold[:n], err
		s.fit(n)
		s.owner.Readable(nil)
	}()
}

// fit chooses the size of the next read by what the last one has found. One that
// goes on with what did not fit says nothing.
func (s *Stream) fit(n int) {
	size, goesOn := len(s.hold), s.grown
	s.grown = n == size && size < streamReadSize
	switch {
	case s.grown:
		s.hold = make([]byte, streamReadSize)
	case n < streamWaitSize && size > streamWaitSize && !goesOn:
		s.hold = nil
	}
}

func (s *Stream) Read(buf []byte) (int, error) {
	if len(s.in) > 0 {
		n := copy(buf, s.in)
		s.in = s.in[n:]
		return n, nil
	}
	if s.inErr != nil {
		return 0, s.inErr
	}
	return 0, ErrAgain
}

// Write hands the bytes to a goroutine, because a Write of a net.Conn may block.
func (s *Stream) Write(op *Op) (int, error) {
	go s.finish(op)
	return 0, ErrAgain
}

func (s *Stream) Try(*Op) (int, error) { return 0, ErrAgain }

func (s *Stream) finish(op *Op) {
	sent := 0
	for _, p := range joined(op.Pieces) {
		for len(p) > 0 {
			n, err := s.conn.Write(p[:min(len(p), streamPartSize)])
			s.owner.Progress()
			sent += n
			if err != nil {
				s.owner.Written(sent, err)
				return
			}
			p = p[n:]
		}
	}
	s.owner.Written(sent, nil)
}

// joined copies pieces together if they are small, so that they make one TLS
// record and one packet.
func joined(pieces [][]byte) [][]byte {
	if len(pieces) == 1 || len(pieces[0]) > streamWriteSize {
		return pieces
	}
	var all []byte
	for i, p := range pieces {
		if len(all)+len(p) > streamWriteSize {
			return append([][]byte{all}, pieces[i:]...)
		}
		all = append(all, p...)
	}
	return [][]byte{all}
}

func (s *Stream) Farewell(b []byte) {
	s.conn.SetWriteDeadline(time.Now().Add(streamFarewell))
	s.conn.Write(b)
}

func (s *Stream) CloseWrite() {
	if c, ok := s.conn.(interface{ CloseWrite() error }); ok {
		c.CloseWrite()
	}
}

func (s *Stream) Close(bool) {
	s.conn.SetDeadline(time.Now()) // a TLS close would wait for a blocked Write
	s.conn.Close()
}
