package websocket

import (
	"syscall"
	"unsafe"
)

// ioVector holds the arguments of a gathered write.
type ioVector struct{ iov []syscall.Iovec }

// write writes what follows the first skip bytes of pieces, in one system call.
func (v *ioVector) write(fd int, pieces [][]byte, skip int) (int, error) {
	v.iov = v.iov[:0]
	var last []byte
	for _, p := range pieces {
		if skip >= len(p) {
			skip -= len(p)
			continue
		}
		last = p[skip:]
		skip = 0
		entry := syscall.Iovec{Base: &last[0]}
		entry.SetLen(len(last))
		v.iov = append(v.iov, entry)
	}
	if len(v.iov) == 1 {
		v.iov[0].Base = nil
		return syscall.Write(fd, last)
	}
	n, _, errno := syscall.Syscall(syscall.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&v.iov[0])), uintptr(len(v.iov)))
	clear(v.iov)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
