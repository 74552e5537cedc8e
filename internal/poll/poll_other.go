//go:build !linux

package poll

import (
	"errors"
	"net"
)

// Poller, Turn, Conn and Vector do nothing here.
type (
	Poller struct{}
	Turn   struct{ Local any }
	Conn   struct{}
	Vector struct{}
)

func New(int, func() any, func(*Turn)) *Poller          { return new(Poller) }
func (*Poller) Relieve(func(*Turn))                     {}
func (*Poller) Busy() bool                              { return false }
func (*Poller) Take(net.Conn, *Conn, Owner) error       { return errors.ErrUnsupported }
func (*Conn) Read([]byte) (int, error)                  { return 0, errors.ErrUnsupported }
func (*Conn) Write(*Vector, [][]byte, int) (int, error) { return 0, errors.ErrUnsupported }
func (*Conn) CloseWrite() error                         { return errors.ErrUnsupported }
func (*Conn) Close()                                    {}
