package nextrushtest

import (
	"context"
	"net"
	"syscall"
)

// listen listens on a port of the loopback. The connections have the listener's small
// buffers; it is not wrapped, as the event loop takes those of package net only.
func listen() (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) (err error) {
		if fail := conn.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, bufferSize)
		}); fail != nil {
			return fail
		}
		return err
	}}
	return config.Listen(context.Background(), "tcp", "127.0.0.1:0")
}
