//go:build race

package poll

import (
	"syscall"
	"unsafe"
)

// observed makes a read or write as package syscall does, which tells the race detector
// that what was written before a write is seen after the read at the other end. ok is false
// for other calls.
func observed(call uintptr, fd int32, p unsafe.Pointer, n int) (r int, errno syscall.Errno, ok bool) {
	var err error
	switch call {
	case syscall.SYS_READ:
		r, err = syscall.Read(int(fd), unsafe.Slice((*byte)(p), n))
	case syscall.SYS_WRITE:
		r, err = syscall.Write(int(fd), unsafe.Slice((*byte)(p), n))
	default:
		syscall.Write(-1, nil)
		return 0, 0, false
	}
	errno, _ = err.(syscall.Errno)
	return max(r, 0), errno, true
}
