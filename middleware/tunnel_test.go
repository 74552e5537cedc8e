package middleware

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// frame is one of RFC 6455 §5.2.
func frame(first byte, masked bool, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	if masked {
		b[1] |= 0x80
		b = append(b, 0, 0, 0, 0)
	}
	return append(b, payload...)
}

func TestFrameReaderFindsTheEndOfFrames(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 0xffff, 0x10000} {
		for _, masked := range []bool{false, true} {
			one := frame(0x82, masked, make([]byte, size))
			for _, step := range []int{1, 2, 3, 1000, len(one)} {
				var r frameReader
				for b := one; len(b) > 0; {
					n := r.next(b[:min(step, len(b))])
					b = b[n:]
					if r.between() != (len(b) == 0) || r.closed {
						t.Fatalf("%d bytes, masked %t, by %d: between %t with %d to come", size, masked, step, r.between(), len(b))
					}
				}
			}
			if n := new(frameReader).next(append(one, 0x88)); n != len(one) {
				t.Errorf("%d bytes of %d", n, len(one))
			}
		}
	}
}

// However it is cut, what a frameReader says is the same.
func FuzzFrameReader(f *testing.F) {
	f.Add(bytes.Join([][]byte{frame(1, true, []byte("hi")), frame(0x88, false, nil), {1, 2}}, nil), 1)
	f.Add(frame(0x82, false, make([]byte, 300)), 7)
	f.Add([]byte{0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 3)
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		var whole, parts frameReader
		for rest := b; len(rest) > 0; {
			rest = rest[whole.next(rest):]
		}
		for rest := b; len(rest) > 0; {
			n := parts.next(rest[:min(max(step, 1), len(rest))])
			if n == 0 {
				t.Fatal("no progress")
			}
			rest = rest[n:]
		}
		if whole != parts {
			t.Errorf("%+v at once, %+v in parts", whole, parts)
		}
	})
}

// joined is a tunnel in a synctest bubble, and its ends.
type joined struct {
	t              *testing.T
	client, target net.Conn
	leave          context.CancelFunc
	done           chan struct{}
}

func join(t *testing.T) *joined {
	client, ours := net.Pipe()
	theirs, target := net.Pipe()
	closing, leave := context.WithCancel(t.Context())
	j := &joined{t, client, target, leave, make(chan struct{})}
	go func() {
		newTunnel(ours, theirs, slog.New(slog.DiscardHandler)).run(closing)
		close(j.done)
	}()
	return j
}

func (j *joined) want(from net.Conn, want []byte) {
	j.t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(from, got); err != nil || !bytes.Equal(got, want) {
		j.t.Errorf("read %x and %v, want %x", got[:n], err, want)
	}
}

// wantGoingAway reads the masked close frame that the target gets.
func (j *joined) wantGoingAway() {
	j.t.Helper()
	b := make([]byte, len(goingAway(true)))
	if _, err := io.ReadFull(j.target, b); err != nil || b[0] != 0x88 || b[1] != 0x80|byte(len(b)-6) {
		j.t.Fatalf("%x %v", b, err)
	}
	for i := range b[6:] {
		b[6+i] ^= b[2+i%4]
	}
	if want := goingAway(false)[2:]; !bytes.Equal(b[6:], want) {
		j.t.Errorf("payload %q, want %q", b[6:], want)
	}
}

// wantEnd waits until both ends are closed, which takes the time given.
func (j *joined) wantEnd(after time.Duration) {
	j.t.Helper()
	start := time.Now()
	<-j.done
	if took := time.Since(start); took != after {
		j.t.Errorf("ended after %v, want %v", took, after)
	}
	for name, conn := range map[string]net.Conn{"client": j.client, "target": j.target} {
		if n, err := conn.Read(make([]byte, 1)); n > 0 || err != io.EOF {
			j.t.Errorf("the %s reads %d bytes and %v", name, n, err)
		}
	}
}

func TestTunnelEndsWithACloseFrameToBothSides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := join(t)
		ping := frame(0x89, true, []byte("x"))
		go j.client.Write(ping)
		j.want(j.target, ping)
		j.leave()
		j.want(j.client, goingAway(false))
		j.wantGoingAway()
		j.client.Write(frame(0x81, true, []byte("too late")))
		j.client.Write(frame(0x88, true, []byte{3, 0xe9}))
		j.wantEnd(0) // a pipe cannot end one direction alone
	})
}

func TestTunnelDoesNotWaitForAnAnswerForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := join(t)
		j.leave()
		j.want(j.client, goingAway(false))
		j.wantGoingAway()
		j.wantEnd(tunnelCloseWait)
	})
}

func TestTunnelEndsThoughASideDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := join(t)
		j.leave()
		j.want(j.client, goingAway(false))
		j.wantEnd(tunnelCloseWait)
	})
}

func TestTunnelFinishesTheFrameBeforeItsOwn(t *testing.T) {
	message := frame(0x01, false, bytes.Repeat([]byte("x"), 300)) // the first of a message in fragments
	for _, cut := range []int{1, 2, 3, 4, 100, len(message) - 1} {
		synctest.Test(t, func(t *testing.T) {
			j := join(t)
			go j.target.Write(message[:cut])
			j.want(j.client, message[:cut])
			j.leave()
			j.wantGoingAway()
			synctest.Wait() // the other direction leaves at the same time
			rest := append(bytes.Clone(message[cut:]), frame(0x80, false, []byte("not any more"))...)
			go j.target.Write(rest)
			j.want(j.client, append(bytes.Clone(message[cut:]), goingAway(false)...))
			go j.target.Write(frame(0x88, false, []byte{3, 0xe9}))
			j.wantEnd(0)
		})
	}
}

func TestTunnelSendsNothingBehindACloseFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := join(t)
		bye := frame(0x88, true, []byte{3, 0xe8})
		go j.client.Write(bye)
		j.want(j.target, bye)
		synctest.Wait()
		j.leave()
		j.want(j.client, goingAway(false))
		answer := frame(0x88, false, []byte{3, 0xe8})
		go j.target.Write(answer)
		j.wantEnd(0)
	})
}

func TestTunnelOutlivesAPanicOfItsParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, ours := net.Pipe()
		newTunnel(ours, panicking{}, slog.New(slog.DiscardHandler)).run(t.Context())
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Error(err)
		}
	})
}

type panicking struct{ io.ReadWriteCloser }

func (panicking) Read([]byte) (int, error) { panic("no") }
func (panicking) Close() error             { return nil }

func BenchmarkFrameReader(b *testing.B) {
	frames := bytes.Repeat(frame(0x81, true, make([]byte, 100)), 100)
	b.SetBytes(int64(len(frames)))
	var r frameReader
	for b.Loop() {
		for rest := frames; len(rest) > 0; {
			rest = rest[r.next(rest):]
		}
	}
}
