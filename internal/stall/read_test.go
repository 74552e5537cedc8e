package stall

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// counted counts the deadlines of reads that the connection gets.
type counted struct {
	net.Conn
	sets int
}

func (c *counted) SetReadDeadline(t time.Time) error {
	c.sets++
	return c.Conn.SetReadDeadline(t)
}

// inPipe gives f a Conn over a counted one, and its peer, in a bubble.
func inPipe(t *testing.T, f func(t *testing.T, c *Conn, below *counted, peer net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		conn, peer := net.Pipe()
		below := &counted{Conn: conn}
		f(t, &Conn{Conn: below, limit: -1}, below, peer)
		conn.Close()
		peer.Close()
	})
}

func TestReadDeadlines(t *testing.T) {
	inPipe(t, func(t *testing.T, c *Conn, below *counted, peer net.Conn) {
		buf := make([]byte, 8)
		for _, wait := range []time.Duration{time.Second, time.Minute, 5 * time.Second, time.Hour, time.Millisecond} {
			begin := time.Now()
			c.SetReadDeadline(begin.Add(wait))
			if n, err := c.Read(buf); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) != wait {
				t.Errorf("a deadline after %v: %d, %v after %v", wait, n, err, time.Since(begin))
			}
			if n, err := c.Read(buf); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) != wait {
				t.Errorf("after a deadline of %v: %d, %v after %v", wait, n, err, time.Since(begin))
			}
		}
		c.SetReadDeadline(time.Time{})
		time.AfterFunc(24*time.Hour, func() { peer.Write([]byte("late")) })
		if n, err := c.Read(buf); string(buf[:n]) != "late" || err != nil {
			t.Errorf("without a deadline: %q, %v", buf[:n], err)
		}
	})
}

// A deadline that is set during a read counts for it, whatever it was before.
func TestADeadlineDuringARead(t *testing.T) {
	day, soon := 24*time.Hour, time.Second
	for name, now := range map[string]struct {
		before time.Duration // 0: none
		set    func(c *Conn)
		after  time.Duration
	}{
		"none, then soon":       {0, func(c *Conn) { c.SetReadDeadline(time.Now().Add(soon)) }, 2 * soon},
		"late, then soon":       {day, func(c *Conn) { c.SetReadDeadline(time.Now().Add(soon)) }, 2 * soon},
		"soon, then late":       {2 * soon, func(c *Conn) { c.SetReadDeadline(time.Now().Add(day)) }, day + soon},
		"soon, then none":       {2 * soon, func(c *Conn) { c.SetReadDeadline(time.Time{}) }, 0},
		"none, then past":       {0, func(c *Conn) { c.SetReadDeadline(time.Unix(1, 0)) }, soon},
		"late, then past":       {day, func(c *Conn) { c.SetReadDeadline(time.Unix(1, 0)) }, soon},
		"late, then given away": {day, func(c *Conn) { c.SetDeadline(time.Now().Add(soon)) }, 2 * soon},
	} {
		t.Run(name, func(t *testing.T) {
			inPipe(t, func(t *testing.T, c *Conn, _ *counted, peer net.Conn) {
				if now.before != 0 {
					c.SetReadDeadline(time.Now().Add(now.before))
				}
				begin := time.Now()
				time.AfterFunc(soon, func() { now.set(c) })
				if now.after == 0 {
					time.AfterFunc(100*day, func() { peer.Write([]byte("x")) })
				}
				_, err := c.Read(make([]byte, 1))
				if now.after == 0 {
					if err != nil {
						t.Error(err)
					}
				} else if took := time.Since(begin); !errors.Is(err, os.ErrDeadlineExceeded) || took != now.after {
					t.Errorf("%v after %v, want %v", err, took, now.after)
				}
			})
		})
	}
}

// Deadlines of which each is later than the one before cost the connection nothing.
func TestDeadlinesAreGivenOnForReadsOnly(t *testing.T) {
	inPipe(t, func(t *testing.T, c *Conn, below *counted, peer net.Conn) {
		buf := make([]byte, 8)
		for range 1000 { // as net/http does for a request
			for _, deadline := range []time.Time{time.Now().Add(time.Minute), {}, time.Unix(1, 0), {}, time.Now().Add(time.Hour)} {
				c.SetReadDeadline(deadline)
			}
			go peer.Write([]byte("request"))
			if n, err := c.Read(buf); string(buf[:n]) != "request" || err != nil {
				t.Fatalf("%q, %v", buf[:n], err)
			}
			time.Sleep(time.Second)
		}
		if below.sets > 3 {
			t.Errorf("the connection got %d deadlines", below.sets)
		}
	})
}
