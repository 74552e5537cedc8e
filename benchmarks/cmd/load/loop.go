package main

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"syscall"
	"time"
)

// loop is an epoll set of connections. It takes two system calls per batch that is read,
// so that the server is busy and not the load. It is for one goroutine.
type loop struct {
	epoll  int
	fds    []int // by connection
	events []syscall.EpollEvent
}

// newLoop duplicates the descriptors of the connections, out of Go's poller, and closes
// Go's own, one by one, as there are not enough descriptors for all of them twice.
func newLoop(peers []*peer) (*loop, error) {
	defer closeAll(peers)
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	l := &loop{epoll: epoll, events: make([]syscall.EpollEvent, 256)}
	for i, p := range peers {
		fd, err := duplicate(p.Conn)
		if err != nil {
			l.close()
			return nil, err
		}
		p.Close()
		l.fds = append(l.fds, fd)
		event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)}
		if err := syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &event); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}

func duplicate(conn net.Conn) (int, error) {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return -1, err
	}
	fd, dupErr := -1, error(nil)
	err = raw.Control(func(from uintptr) { fd, dupErr = syscall.Dup(int(from)) })
	return fd, errors.Join(err, dupErr)
}

func (l *loop) close() {
	for _, fd := range l.fds {
		syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
		syscall.Close(fd)
	}
	syscall.Close(l.epoll)
}

// write sends a batch in one call. It is an error if the batch does not fit in the
// socket's send buffer, which would be measured otherwise.
func (l *loop) write(i int, b []byte) error {
	n, err := syscall.Write(l.fds[i], b)
	if err == nil && n < len(b) || err == syscall.EAGAIN {
		return fmt.Errorf("%d bytes in flight do not fit: lower -inflight or -size", len(b))
	}
	return err
}

// wait calls ready for each connection that can be read, until the measurement is over or
// the time is up.
func (l *loop) wait(total *meter, until time.Time, ready func(i int) error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for !total.over.Load() && time.Now().Before(until) {
		n, err := syscall.EpollWait(l.epoll, l.events, 100)
		if err != nil && err != syscall.EINTR {
			return err
		}
		for _, e := range l.events[:max(n, 0)] {
			if err := ready(int(e.Fd)); err != nil {
				return err
			}
		}
	}
	return nil
}

// read reads the bytes that have arrived into p's buffer.
func (l *loop) read(i int, p *peer) error {
	n, err := syscall.Read(l.fds[i], p.buf[p.have:])
	if err != nil {
		return err
	}
	if n == 0 {
		return errors.New("server closed the connection")
	}
	p.have += n
	return nil
}
