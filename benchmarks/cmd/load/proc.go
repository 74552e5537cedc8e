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

// cpu returns the user and system time that processes have used.
func cpu(pids ...int) (total time.Duration, err error) {
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, err
		}
		used, err := parseStat(b)
		if err != nil {
			return 0, err
		}
		total += used
	}
	return total, nil
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

// rss returns the resident memory of processes in bytes.
func rss(pids ...int) (total int64, err error) {
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0, err
		}
		_, after, _ := bytes.Cut(b, []byte("\nVmRSS:"))
		var kilobytes int64
		if _, err := fmt.Sscan(string(after), &kilobytes); err != nil {
			return 0, fmt.Errorf("process %d has no VmRSS: %w", pid, err)
		}
		total += kilobytes << 10
	}
	return total, nil
}

// openFiles counts the descriptors of processes.
func openFiles(pids ...int) (total int, err error) {
	for _, pid := range pids {
		files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			return 0, err
		}
		total += len(files)
	}
	return total, nil
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
