//go:build !linux

package nextrushtest

import "net"

// listen listens on a port of the loopback. The connections have small buffers.
func listen() (net.Listener, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	return smallBuffers{listener}, err
}

type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		err = conn.(*net.TCPConn).SetWriteBuffer(bufferSize)
	}
	return conn, err
}
