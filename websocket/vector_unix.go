//go:build unix && !linux

package websocket

import "syscall"

// ioVector gathers nothing here: each piece is a write of its own.
type ioVector struct{}

func (ioVector) write(fd int, pieces [][]byte, skip int) (int, error) {
	for _, p := range pieces {
		if skip < len(p) {
			return syscall.Write(fd, p[skip:])
		}
		skip -= len(p)
	}
	return 0, nil
}
