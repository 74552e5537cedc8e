package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// tick is the unit of times in /proc/PID/stat; USER_HZ is 100 on every Linux
// that Go runs on, see proc(5).
const tick = 10 * time.Millisecond

// cpu returns the user and system time that a process has used; 0 for no process.
func cpu(pid int) (time.Duration, error) {
	if pid == 0 {
		return 0, nil
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStat(b)
}

// parseStat adds fields 14 and 15. The name, field 2, may contain spaces and brackets, so
// the fields after it are counted from the last bracket.
func parseStat(b []byte) (time.Duration, error) {
	fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("process status %q is too short", b)
	}
	user, err := strconv.ParseInt(string(fields[11]), 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(string(fields[12]), 10, 64)
	return time.Duration(user+system) * tick, err
}

// rss returns the resident memory of a process in bytes; 0 for no process.
func rss(pid int) (int64, error) {
	if pid == 0 {
		return 0, nil
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := bytes.Cut(b, []byte("\nVmRSS:"))
	fields := bytes.Fields(after)
	if len(fields) == 0 {
		return 0, fmt.Errorf("process %d has no VmRSS", pid)
	}
	kilobytes, err := strconv.ParseInt(string(fields[0]), 10, 64)
	return kilobytes << 10, err
}

// countGoroutines asks the server for its goroutines, if it can answer that.
func countGoroutines(c config) (int, error) {
	if !c.goroutines {
		return 0, nil
	}
	c.method, c.path, c.body = "GET", "/goroutines", ""
	body, err := probe(c, rawRequest(c))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(body))
}

// descriptors fails if the process cannot open as many files as the connections need.
func descriptors(conns int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if need := uint64(conns) + 100; limit.Max < need {
		return fmt.Errorf("%d connections need ulimit -n %d, it is %d", conns, need, limit.Max)
	}
	return nil
}
