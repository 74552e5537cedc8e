package poll

import (
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// Listen polls the descriptor of a listener, which stays open: its owner accepts. The
// listener itself must not accept any more.
func (p *Poller) Listen(ln syscall.Conn, c *Conn, owner Owner) error {
	fd, err := duplicateOf(ln)
	if err != nil {
		return err
	}
	return p.Add(fd, c, owner)
}

// Accept takes a connection from the queue of a listener. Its errors are ErrAgain and
// those of accept4(2).
func (c *Conn) Accept() (fd int, remote net.Addr, err error) {
	if !c.enter() {
		return -1, nil, net.ErrClosed
	}
	defer c.exit()
	for {
		fd, sa, err := syscall.Accept4(int(c.fd), syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		switch err {
		case nil:
			return fd, address(sa), nil
		case syscall.EINTR, syscall.ECONNABORTED: // a connection that has gone before it was taken
		case syscall.EAGAIN:
			return -1, nil, ErrAgain
		default:
			return -1, nil, os.NewSyscallError("accept4", err)
		}
	}
}

// keepAlive is how a connection of TCP is found dead, in seconds and probes, as package
// net has it.
var keepAlive = [][2]int{{syscall.TCP_KEEPIDLE, 15}, {syscall.TCP_KEEPINTVL, 15}, {syscall.TCP_KEEPCNT, 9}}

// SetTCP sets what package net sets for a connection of TCP. Those that a listener accepts
// inherit it.
func (c *Conn) SetTCP() {
	if !c.enter() {
		return
	}
	defer c.exit()
	fd := int(c.fd)
	syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1)
	for _, o := range keepAlive {
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, o[0], o[1])
	}
}

// LocalAddr is the address that the peer has connected to, or nil.
func (c *Conn) LocalAddr() net.Addr {
	if !c.enter() {
		return nil
	}
	defer c.exit()
	sa, err := syscall.Getsockname(int(c.fd))
	if err != nil {
		return nil
	}
	return address(sa)
}

// address is sa as package net has it.
func address(sa syscall.Sockaddr) net.Addr {
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)))
	case *syscall.SockaddrInet6:
		ip := netip.AddrFrom16(sa.Addr)
		if sa.ZoneId != 0 {
			ip = ip.WithZone(zone(int(sa.ZoneId)))
		}
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(sa.Port)))
	case *syscall.SockaddrUnix:
		return &net.UnixAddr{Name: sa.Name, Net: "unix"}
	}
	return nil
}

func zone(index int) string {
	if i, err := net.InterfaceByIndex(index); err == nil {
		return i.Name
	}
	return ""
}

// Ended reports whether the peer has ended the stream or broken it off, and nothing
// that it has sent before is left to read.
func (c *Conn) Ended() bool {
	if !c.enter() {
		return true
	}
	defer c.exit()
	var b [1]byte
	for {
		n, _, err := syscall.Recvfrom(int(c.fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		switch err {
		case nil:
			return n == 0
		case syscall.EINTR:
		default:
			return err != syscall.EAGAIN
		}
	}
}

// SendFile sends n bytes at most from where src reads, as far as the descriptor takes
// them. Where that is not all it returns ErrAgain, and io.EOF at the end of the file.
func (c *Conn) SendFile(src int, n int) (int, error) {
	if !c.enter() {
		return 0, net.ErrClosed
	}
	defer c.exit()
	for {
		sent, err := syscall.Sendfile(int(c.fd), src, nil, n)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return 0, ErrAgain
		case err != nil:
			return 0, os.NewSyscallError("sendfile", err)
		case sent == 0 && n > 0:
			return 0, io.EOF
		default:
			return sent, nil
		}
	}
}

// Detach stops polling the descriptor and returns it as a connection of package net.
func (c *Conn) Detach() (net.Conn, error) {
	if !c.enter() {
		return nil, net.ErrClosed
	}
	defer c.Close()
	defer c.exit()
	fd, err := duplicate(int(c.fd))
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	c.loop.mu.Lock()
	err = c.loop.controlLocked(syscall.EPOLL_CTL_DEL, int(c.fd), nil)
	c.loop.mu.Unlock()
	if err != nil {
		syscall.Close(fd)
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	file := os.NewFile(uintptr(fd), "")
	defer file.Close()
	return net.FileConn(file)
}

// Move has another poller poll the descriptor, for another owner; c is closed then. Nobody
// else may use c. Where that fails, c and its descriptor are closed.
func (c *Conn) Move(p *Poller, to *Conn, owner Owner) error {
	if !c.enter() {
		return net.ErrClosed
	}
	c.loop.mu.Lock()
	err := c.loop.controlLocked(syscall.EPOLL_CTL_DEL, int(c.fd), nil)
	c.loop.mu.Unlock()
	if err != nil {
		c.exit()
		c.Close()
		return os.NewSyscallError("epoll_ctl", err)
	}
	fd := int(c.fd)
	c.fd = -1 // it is not to be closed
	c.exit()
	c.Close()
	return p.Add(fd, to, owner)
}
