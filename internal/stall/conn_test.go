package stall

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	stallLimit = 30 * time.Second
	stallMost  = stallLimit*5/4 + time.Second // a look may find what came just after the one before
)

// inPacedPipe gives f a Conn and its peer in a bubble.
func inPacedPipe(t *testing.T, f func(t *testing.T, c *Conn, peer *pacedPipe)) {
	synctest.Test(t, func(t *testing.T) {
		below, peer := net.Pipe()
		p := &pacedPipe{Conn: peer}
		f(t, &Conn{Conn: below, limit: stallLimit, left: stallLimit}, p)
		below.Close()
		p.reader.Wait()
	})
}

type pacedPipe struct {
	net.Conn
	reader sync.WaitGroup
}

// take reads n bytes and then waits, again and again.
func (peer *pacedPipe) take(n int, every time.Duration) {
	for buf := make([]byte, n); ; <-time.After(every) {
		if _, err := io.ReadFull(peer, buf); err != nil {
			return
		}
	}
}

func TestAWriteWithoutProgressFails(t *testing.T) {
	inPacedPipe(t, func(t *testing.T, c *Conn, peer *pacedPipe) {
		begin := time.Now()
		n, err := c.Write(make([]byte, 8<<20))
		if took := time.Since(begin); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || took < stallLimit || took > stallMost {
			t.Errorf("%d, %v after %v", n, err, took)
		}
	})
}

func TestAWriteThatStopsFails(t *testing.T) {
	inPacedPipe(t, func(t *testing.T, c *Conn, peer *pacedPipe) {
		go io.CopyN(io.Discard, peer, 1<<20)
		begin := time.Now()
		n, err := c.Write(make([]byte, 8<<20))
		if took := time.Since(begin); n != 1<<20 || !errors.Is(err, os.ErrDeadlineExceeded) || took > stallMost {
			t.Errorf("%d, %v after %v", n, err, took)
		}
	})
}

func TestADripIsNoProgress(t *testing.T) {
	inPacedPipe(t, func(t *testing.T, c *Conn, peer *pacedPipe) {
		peer.reader.Go(func() { peer.take(1, 5*time.Second) })
		begin := time.Now()
		for range 1 << 20 { // in one write, or in many
			if _, err := c.Write([]byte("xy")); err != nil {
				break
			}
		}
		if took := time.Since(begin); took > 2*stallLimit {
			t.Errorf("after %v", took)
		}
	})
}

func TestASlowPeerMayTakeItsTime(t *testing.T) {
	inPacedPipe(t, func(t *testing.T, c *Conn, peer *pacedPipe) {
		peer.reader.Go(func() { peer.take(3000, 20*time.Second) })
		begin := time.Now()
		if n, err := c.Write(make([]byte, 300_000)); n != 300_000 || err != nil {
			t.Errorf("%d, %v after %v", n, err, time.Since(begin))
		}
	})
}

func TestAPauseIsNotThePeers(t *testing.T) {
	inPacedPipe(t, func(t *testing.T, c *Conn, peer *pacedPipe) {
		go io.Copy(io.Discard, peer)
		for range 10 {
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			<-time.After(10 * stallLimit)
		}
	})
}

func TestADeadlineTakesThePlaceOfTheLimit(t *testing.T) {
	inPacedPipe(t, func(t *testing.T, c *Conn, peer *pacedPipe) {
		for _, wait := range []time.Duration{time.Second, 10 * stallLimit} {
			begin := time.Now()
			c.SetWriteDeadline(begin.Add(wait))
			if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) != wait {
				t.Errorf("%v after %v", err, time.Since(begin))
			}
		}
		c.SetWriteDeadline(time.Time{})
		begin := time.Now()
		if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) > stallMost {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

func TestADeadlineThatIsTakenBackDuringAWrite(t *testing.T) {
	inPacedPipe(t, func(t *testing.T, c *Conn, peer *pacedPipe) {
		c.SetWriteDeadline(time.Now().Add(time.Minute))
		time.AfterFunc(time.Second, func() { c.SetWriteDeadline(time.Time{}) })
		begin := time.Now()
		if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) > stallMost {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

func TestAConnectionThatIsGivenAwayHasNoLimit(t *testing.T) {
	inPacedPipe(t, func(t *testing.T, c *Conn, peer *pacedPipe) {
		c.SetDeadline(time.Time{})
		c.SetWriteDeadline(time.Time{})
		time.AfterFunc(10*stallLimit, func() { io.Copy(io.Discard, peer) })
		if _, err := c.Write(make([]byte, 8<<20)); err != nil {
			t.Error(err)
		}
	})
}

// looked is a connection that tells when the progress of a write has been looked at.
type looked struct {
	*net.TCPConn
	sets  int
	again chan struct{}
}

func (l *looked) SetWriteDeadline(t time.Time) error {
	if l.sets++; l.sets == 2 {
		close(l.again)
	}
	return l.TCPConn.SetWriteDeadline(t)
}

// A file arrives whole over a real connection, whose reader has stopped for a while.
func TestAFileArrivesWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	want := make([]byte, 16<<20)
	for i := range want {
		want[i] = byte(i * i >> 8)
	}
	if err := os.WriteFile(path, want, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]func(*os.File) io.Reader{
		"file":    func(f *os.File) io.Reader { return f },
		"limited": func(f *os.File) io.Reader { return &io.LimitedReader{R: f, N: int64(len(want))} },
		"other":   func(f *os.File) io.Reader { return io.MultiReader(f) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, server := connect(t)
			below := &looked{TCPConn: server, again: make(chan struct{})}
			result := make(chan error, 1)
			go func() {
				defer server.Close()
				f, err := os.Open(path)
				if err == nil {
					defer f.Close()
					_, err = io.Copy(&Conn{Conn: below, limit: stallLimit / 10, left: stallLimit / 10}, from(f))
				}
				result <- err
			}()
			<-below.again
			got, err := io.ReadAll(client)
			if err != nil || string(got) != string(want) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if err := <-result; err != nil {
				t.Error(err)
			}
		})
	}
}

func connect(t *testing.T) (client net.Conn, server *net.TCPConn) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return client, conn.(*net.TCPConn)
}
