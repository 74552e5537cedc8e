//go:build !unix

package stall

import "net"

// attempt is a write that does not wait, which this system has not got.
type attempt struct{}

func (*attempt) write(net.Conn, []byte) int { return 0 }
