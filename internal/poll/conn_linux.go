package poll

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// Conn is a descriptor of a stream in a Poller. Its methods never block, and
// are safe from any goroutine; after Close they fail with net.ErrClosed.
type Conn struct {
	owner Owner
	loop  *loop
	fd    int32
	slot  int32
	gen   uint32       // tells this descriptor from one that had the slot before
	state atomic.Int32 // transfers under way, and closed
}

// closed is set in Conn.state. The descriptor is closed when the last transfer
// has ended, for the kernel gives its number away at once.
const closed = 1 << 30

// Take moves a connection of package net from Go's poller to this one. c must
// stay where it is. Where that fails, conn is as before; otherwise it is closed,
// and c has its stream.
func (p *Poller) Take(conn net.Conn, c *Conn, owner Owner) error {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return errors.ErrUnsupported
	}
	fd, err := duplicateOf(sc)
	if err != nil {
		return err
	}
	if err := p.Add(fd, c, owner); err != nil {
		return err
	}
	conn.Close()
	return nil
}

// duplicateOf returns a descriptor of its own for what c has.
func duplicateOf(c syscall.Conn) (fd int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	var failed error
	if err := raw.Control(func(old uintptr) { fd, failed = duplicate(int(old)) }); err != nil {
		return -1, err
	}
	return fd, os.NewSyscallError("fcntl", failed)
}

func duplicate(fd int) (int, error) {
	n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}

func (c *Conn) enter() bool {
	if c.state.Add(1)&closed == 0 {
		return true
	}
	c.exit()
	return false
}

func (c *Conn) exit() {
	if c.state.Add(-1) == closed && c.state.CompareAndSwap(closed, -closed) && c.fd >= 0 {
		syscall.Close(int(c.fd))
	}
}

// Close closes the descriptor. Transfers that are under way end as they may.
func (c *Conn) Close() {
	if c.state.Or(closed)&closed != 0 {
		return
	}
	c.loop.mu.Lock()
	c.loop.removeLocked(c)
	c.loop.mu.Unlock()
	c.state.Add(1)
	c.exit()
}

// Read reads what is there. Its errors are ErrAgain, io.EOF and those of read(2).
func (c *Conn) Read(b []byte) (int, error) {
	if !c.enter() {
		return 0, net.ErrClosed
	}
	defer c.exit()
	n, errno := transfer(syscall.SYS_READ, c.fd, unsafe.Pointer(unsafe.SliceData(b)), len(b), len(b))
	switch {
	case errno == syscall.EAGAIN:
		return 0, ErrAgain
	case errno != 0:
		return 0, os.NewSyscallError("read", errno)
	case n == 0 && len(b) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// Vector holds the arguments of a gathered write, for the next one to use.
type Vector struct{ entries []syscall.Iovec }

// Write writes what follows the first skip bytes of pieces, as far as the
// descriptor takes it. It returns ErrAgain where that is not all.
func (c *Conn) Write(v *Vector, pieces [][]byte, skip int) (n int, err error) {
	if !c.enter() {
		return 0, net.ErrClosed
	}
	defer c.exit()
	size := v.fill(pieces, skip)
	for n < size {
		k, errno := v.write(c.fd, size-n)
		switch {
		case errno == syscall.EAGAIN:
			err = ErrAgain
		case errno != 0:
			err = os.NewSyscallError("write", errno)
		}
		if err != nil {
			break
		}
		n += k
		v.drop(k)
	}
	clear(v.entries)
	return n, err
}

// CloseWrite tells the peer that no more bytes come.
func (c *Conn) CloseWrite() error {
	if !c.enter() {
		return net.ErrClosed
	}
	defer c.exit()
	return os.NewSyscallError("shutdown", syscall.Shutdown(int(c.fd), syscall.SHUT_WR))
}

func (v *Vector) fill(pieces [][]byte, skip int) (size int) {
	v.entries = v.entries[:0]
	for _, p := range pieces {
		if skip >= len(p) {
			skip -= len(p)
			continue
		}
		p = p[skip:]
		skip = 0
		e := syscall.Iovec{Base: unsafe.SliceData(p)}
		e.SetLen(len(p))
		v.entries = append(v.entries, e)
		size += len(p)
	}
	return size
}

func (v *Vector) write(fd int32, size int) (int, syscall.Errno) {
	if len(v.entries) == 1 {
		e := &v.entries[0]
		return transfer(syscall.SYS_WRITE, fd, unsafe.Pointer(e.Base), int(e.Len), size)
	}
	return transfer(syscall.SYS_WRITEV, fd, unsafe.Pointer(&v.entries[0]), len(v.entries), size)
}

// drop takes n bytes that have been written off the front.
func (v *Vector) drop(n int) {
	i := 0
	for i < len(v.entries) && n >= int(v.entries[i].Len) {
		n -= int(v.entries[i].Len)
		i++
	}
	left := copy(v.entries, v.entries[i:])
	clear(v.entries[left:])
	v.entries = v.entries[:left]
	if n > 0 {
		e := &v.entries[0]
		e.Base = (*byte)(unsafe.Add(unsafe.Pointer(e.Base), n))
		e.SetLen(int(e.Len) - n)
	}
}
