package servertest

import (
	"net"
	"syscall"
	"time"
	"unsafe"
)

// read waits until the server has read what was sent, or has sent something itself. Of
// TCP the system says only what has arrived.
func (l *link) read(p *play) {
	if _, ok := l.Conn.(*net.UnixConn); !ok {
		return
	}
	tick := time.NewTicker(20 * time.Microsecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); l.unread() > 0 && !l.readable(); <-tick.C {
		if time.Now().After(end) {
			p.Fatal("the server does not read")
		}
	}
}

// unread is how much memory those bytes take that the peer has not read.
func (l *link) unread() (n int32) {
	l.control(func(fd uintptr) {
		syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&n)))
	})
	return n
}

// readable reports whether there is something to read, or the end.
func (l *link) readable() (yes bool) {
	l.control(func(fd uintptr) {
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		yes = err != syscall.EAGAIN
	})
	return yes
}

func (l *link) control(f func(fd uintptr)) {
	if raw, err := l.Conn.(syscall.Conn).SyscallConn(); err == nil {
		raw.Control(f)
	}
}
