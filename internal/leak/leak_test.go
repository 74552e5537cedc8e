package leak

import (
	"strings"
	"testing"
	"time"
)

func TestAGoroutineThatStaysIsFound(t *testing.T) {
	end, ended := make(chan bool), make(chan bool)
	go func() { <-end; close(ended) }()
	// The test's own goroutine waits for its subtest, and so is found, too.
	t.Run("asked by another", func(t *testing.T) {
		left := strings.Join(wait(time.Millisecond), "\n\n")
		if !strings.Contains(left, "TestAGoroutineThatStaysIsFound.func1") || strings.Contains(left, "leak.Stacks") {
			t.Error(left)
		}
	})
	close(end)
	<-ended
}

func TestAGoroutineThatEndsIsWaitedFor(t *testing.T) {
	begun := time.Now()
	go func() { <-time.After(20 * time.Millisecond) }()
	if left := wait(time.Minute); len(left) > 0 || time.Since(begun) > 30*time.Second {
		t.Error(left)
	}
}
