//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
)

// exists does not count a process that has ended and that nobody has asked for yet.
func exists(pid int) bool {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return syscall.Kill(pid, 0) == nil && !bytes.Contains(stat, []byte(") Z "))
}
