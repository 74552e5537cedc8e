// Package freeport finds ports for tests of servers that do not choose one themselves, or
// that have to come back where they were.
package freeport

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// The ports are none of those that systems give away by themselves, to clients too, so that
// one is still free when a server starts, and when it starts again.
const (
	first = 10000
	count = 20000
)

var (
	mu   sync.Mutex
	next = rand.IntN(count)
)

// Get returns a port of the loopback on which nobody listens, and that no other call in this
// process returns soon.
func Get(t testing.TB) int {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	for range count {
		port := first + next
		next = (next + 1) % count
		if l, err := net.Listen("tcp", address(port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// Address is host and port of Get.
func Address(t testing.TB) string {
	t.Helper()
	return address(Get(t))
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
