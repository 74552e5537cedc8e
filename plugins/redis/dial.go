package redis

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"syscall"
	"time"
)

// dialer connects as the client does by itself, but heeds the deadline of ctx with TLS, too,
// and says neither less nor more: the client would use TLS connections that have ended
// meanwhile, and it would log each failure through a logger that all its users share.
func dialer(t *tls.Config, timeout time.Duration) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		conn, err := dial(ctx, t, network, addr)
		if err != nil {
			return failed{err}, nil
		}
		return conn, nil
	}
}

func dial(ctx context.Context, t *tls.Config, network, addr string) (net.Conn, error) {
	if t == nil {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	conn, err := (&tls.Dialer{Config: t}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return secure{conn.(*tls.Conn)}, nil
}

// failed is a connection that could not be made: the first command on it fails with the
// reason.
type failed struct{ err error }

func (f failed) Read([]byte) (int, error)       { return 0, f.err }
func (f failed) Write([]byte) (int, error)      { return 0, f.err }
func (failed) Close() error                     { return nil }
func (failed) LocalAddr() net.Addr              { return new(net.TCPAddr) }
func (failed) RemoteAddr() net.Addr             { return new(net.TCPAddr) }
func (failed) SetDeadline(time.Time) error      { return nil }
func (failed) SetReadDeadline(time.Time) error  { return nil }
func (failed) SetWriteDeadline(time.Time) error { return nil }

// secure is a TLS connection of which the client learns, before it uses it again, whether it
// has ended.
type secure struct{ *tls.Conn }

// SyscallConn is that of the connection below.
func (c secure) SyscallConn() (syscall.RawConn, error) {
	below, ok := c.NetConn().(syscall.Conn)
	if !ok {
		return nil, syscall.EINVAL
	}
	raw, err := below.SyscallConn()
	return quiet{raw}, err
}

// quiet is a connection on which nothing is to come.
type quiet struct{ syscall.RawConn }

// Read does not call f, which takes what it sees for an answer: it fails if anything has
// come, such as the end of TLS.
func (c quiet) Read(func(fd uintptr) bool) error {
	var came bool
	err := c.RawConn.Read(func(fd uintptr) bool {
		came = readable(fd)
		return true
	})
	if err == nil && came {
		return io.EOF
	}
	return err
}
