//go:build unix

package main

import (
	"os"
	"syscall"
)

// ofItsOwnGroup keeps Ctrl-C from the program, which is ended in order, and lets what the
// program has started end with it.
func ofItsOwnGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func terminate(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGTERM) }

func kill(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGKILL) }
