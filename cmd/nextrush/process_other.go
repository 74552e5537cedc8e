//go:build !unix

package main

import (
	"os"
	"syscall"
)

func ofItsOwnGroup() *syscall.SysProcAttr { return nil }

func terminate(p *os.Process) { p.Kill() } // there is no gentler way

func kill(p *os.Process) { p.Kill() }
