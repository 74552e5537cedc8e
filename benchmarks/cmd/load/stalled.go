package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
)

// stalled is a connection in the room that never reads.
type stalled struct {
	*peer
	local *net.TCPAddr
	bytes int // of one message that it gets
}

// stall joins with the smallest buffers that the kernel allows, so that the server's are
// soon full and everything after that must wait in the server's own memory.
func stall(c config) (*stalled, error) {
	d := net.Dialer{Timeout: patience, Control: func(_, _ string, raw syscall.RawConn) error {
		var errs [2]error
		err := raw.Control(func(fd uintptr) {
			errs[0] = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096)
			errs[1] = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 536)
		})
		return errors.Join(err, errs[0], errs[1])
	}}
	conn, err := d.Dial("tcp4", c.addrs[0])
	if err != nil {
		return nil, err
	}
	p := &peer{Conn: conn}
	if err := p.handshake(c); err != nil {
		conn.Close()
		return nil, err
	}
	return &stalled{p, conn.LocalAddr().(*net.TCPAddr), c.size}, nil
}

// stuck fails if the kernel took everything that was sent: then nothing waited in the
// server, and the run shows nothing. It passes if the server has closed the connection.
func (s *stalled) stuck(r *result) error {
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return err
	}
	r.Kernel = queued(table, s.local.Port)
	if total := r.Messages * int64(s.bytes); r.Kernel >= total {
		return fmt.Errorf("the stalled reader has %d of %d bytes in the kernel: nothing waits in the server", r.Kernel, total)
	}
	return nil
}

// queued adds up the bytes in the send and receive queues of a port of the client, see
// proc_net_tcp in the kernel's documentation.
func queued(table []byte, port int) (total int64) {
	name := fmt.Appendf(nil, ":%04X", port)
	for line := range bytes.Lines(table) {
		f := bytes.Fields(line)
		if len(f) < 5 || !bytes.HasSuffix(f[1], name) && !bytes.HasSuffix(f[2], name) {
			continue
		}
		for half := range bytes.SplitSeq(f[4], []byte(":")) {
			n, err := strconv.ParseInt(string(half), 16, 64)
			if err == nil {
				total += n
			}
		}
	}
	return total
}
