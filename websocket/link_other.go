//go:build !unix

package websocket

import "net"

type ioVector struct{}

func newLink(s *Socket, conn net.Conn) link { return &streamLink{s: s, conn: conn} }
