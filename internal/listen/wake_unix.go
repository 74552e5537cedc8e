//go:build unix

package listen

import (
	"os"
	"syscall"
)

// wake has a call of accept that blocks return after a second. Processes that share a socket
// share whether it blocks, and systemd has it block when it starts another one
// (systemd.service(5), NonBlocking). Closing a listener waits for the call.
func wake(socket *os.File) error {
	conn, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		failed = syscall.SetsockoptTimeval(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 1})
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt", failed)
}
