package poll

import (
	"syscall"
	"unsafe"
)

// A call that moves up to quickBytes takes some ten microseconds at most. It is
// made without telling the scheduler, which costs a tenth of that.
const quickBytes = 72 << 10

// transfer makes a read, write or writev; size is how many bytes it may move.
func transfer(call uintptr, fd int32, p unsafe.Pointer, n, size int) (int, syscall.Errno) {
	for {
		var r uintptr
		var errno syscall.Errno
		if n, errno, ok := observed(call, fd, p, n); ok && errno != syscall.EINTR {
			return n, errno
		}
		if size <= quickBytes {
			r, _, errno = syscall.RawSyscall(call, uintptr(fd), uintptr(p), uintptr(n))
		} else {
			r, _, errno = syscall.Syscall(call, uintptr(fd), uintptr(p), uintptr(n))
		}
		if errno == 0 {
			return int(r), 0
		}
		if errno != syscall.EINTR {
			return 0, errno
		}
	}
}

// wait fetches events without waiting for them; an error is as none.
func wait(epoll int, events []syscall.EpollEvent) int {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epoll),
			uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
		switch errno {
		case 0:
			return int(n)
		case syscall.EINTR:
		default:
			return 0
		}
	}
}
