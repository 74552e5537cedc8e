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

func New(int, func(*Turn) any, func(*Turn)) *Poller     { return new(Poller) }
func (*Poller) Relieve(func(*Turn))                     {}
func (*Poller) Busy() bool                              { return false }
func (*Poller) Take(net.Conn, *Conn, Owner) error       { return errors.ErrUnsupported }
func (*Conn) Read([]byte) (int, error)                  { return 0, errors.ErrUnsupported }
func (*Conn) Write(*Vector, [][]byte, int) (int, error) { return 0, errors.ErrUnsupported }
func (*Conn) CloseWrite() error                         { return errors.ErrUnsupported }
func (*Conn) Close()                                    {}

func (*Poller) Listen(any, *Conn, Owner) error { return errors.ErrUnsupported }
func (*Turn) Leave() bool                      { return false }
func (*Conn) Accept() (int, net.Addr, error)   { return -1, nil, errors.ErrUnsupported }
func (*Conn) LocalAddr() net.Addr              { return nil }
func (*Conn) Ended() bool                      { return true }
func (*Conn) SendFile(int, int) (int, error)   { return 0, errors.ErrUnsupported }
func (*Conn) SetTCP()                          {}
func (*Conn) Detach() (net.Conn, error)        { return nil, errors.ErrUnsupported }
func (*Poller) Add(int, *Conn, Owner) error    { return errors.ErrUnsupported }
func (*Conn) Move(*Poller, *Conn, Owner) error { return errors.ErrUnsupported }
