//go:build unix

package stall

import (
	"net"
	"syscall"
)

// attempt is a write that does not wait.
type attempt struct {
	raw syscall.RawConn // nil until the first
	do  func(fd uintptr) (done bool)
	p   []byte
	n   int
}

// write writes what leaves at once, and nothing if it cannot know. What is wrong
// with the connection shows at the write that follows.
func (a *attempt) write(conn net.Conn, p []byte) int {
	if a.raw == nil && !a.prepare(conn) {
		return 0
	}
	a.p, a.n = p, 0
	a.raw.Write(a.do)
	a.p = nil
	return a.n
}

// prepare takes a socket of the system, and no type around one, which may have a
// Write of its own.
func (a *attempt) prepare(conn net.Conn) bool {
	var err error
	switch conn := conn.(type) {
	case *net.TCPConn:
		a.raw, err = conn.SyscallConn()
	case *net.UnixConn:
		a.raw, err = conn.SyscallConn()
	}
	a.do = a.once
	return a.raw != nil && err == nil
}

func (a *attempt) once(fd uintptr) (done bool) {
	for {
		n, err := syscall.Write(int(fd), a.p)
		if err == syscall.EINTR {
			continue
		}
		a.n = max(n, 0)
		return true
	}
}
