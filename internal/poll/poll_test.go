//go:build linux

package poll

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

// pair is a TCP connection: one end in a Poller, one as package net has it.
func pair(t *testing.T, p *Poller, c *Conn, owner Owner) net.Conn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	peer, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Take(conn, c, owner); err != nil {
		t.Fatal(err)
	}
	return peer
}

func newPoller(loops int) *Poller {
	return New(loops, func(*Turn) any { return nil }, func(*Turn) {})
}

type ownerFunc func(t *Turn, e Event)

func (f ownerFunc) Ready(t *Turn, e Event) { f(t, e) }

func TestEchoUntilThePeerCloses(t *testing.T) {
	p := newPoller(2)
	var wg sync.WaitGroup
	for range 20 {
		var c Conn
		var v Vector
		buf := make([]byte, 100)
		peer := pair(t, p, &c, ownerFunc(func(_ *Turn, e Event) {
			for {
				n, err := c.Read(buf)
				if errors.Is(err, io.EOF) {
					c.Close()
				}
				if err != nil {
					return
				}
				c.Write(&v, [][]byte{buf[:n]}, 0)
			}
		}))
		wg.Go(func() {
			for i := range 100 {
				want := bytes.Repeat([]byte{byte(i)}, i+1)
				peer.Write(want)
				got := make([]byte, len(want))
				if _, err := io.ReadFull(peer, got); err != nil || !bytes.Equal(got, want) {
					t.Errorf("got %x, %v", got, err)
					return
				}
			}
			peer.(*net.TCPConn).CloseWrite()
			if n, err := peer.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("got %d bytes and %v at the end", n, err)
			}
		})
	}
	wg.Wait()
}

func TestWritableComesAfterAgain(t *testing.T) {
	p := newPoller(1)
	var c Conn
	writable := make(chan bool, 1)
	peer := pair(t, p, &c, ownerFunc(func(_ *Turn, e Event) {
		if e&Writable == 0 {
			return
		}
		select {
		case writable <- true:
		default:
		}
	}))
	const size = 32 << 20
	pieces := [][]byte{make([]byte, size/2), make([]byte, size/2)}
	read := make(chan int64)
	go func() {
		n, _ := io.Copy(io.Discard, peer)
		read <- n
	}()
	var v Vector
	for sent := 0; ; <-writable {
		n, err := c.Write(&v, pieces, sent)
		if sent += n; err == nil {
			break
		}
		if !errors.Is(err, ErrAgain) {
			t.Fatal(err)
		}
	}
	c.Close()
	if n := <-read; n != size {
		t.Errorf("the peer got %d bytes of %d", n, size)
	}
}

func TestAnOwnerThatBlocksKeepsNobodyElse(t *testing.T) {
	p := newPoller(1)
	var slow, quick Conn
	blocked, release, answered := make(chan bool), make(chan bool), make(chan bool)
	slowPeer := pair(t, p, &slow, ownerFunc(func(_ *Turn, e Event) {
		if e&Readable != 0 {
			close(blocked)
			<-release
		}
	}))
	quickPeer := pair(t, p, &quick, ownerFunc(func(_ *Turn, e Event) {
		if e&Readable != 0 {
			close(answered)
		}
	}))
	slowPeer.Write([]byte("x"))
	<-blocked
	quickPeer.Write([]byte("x"))
	for done := false; !done; {
		p.Relieve(func(*Turn) {})
		select {
		case <-answered:
			done = true
		case <-time.After(time.Millisecond):
		}
	}
	close(release)
	slow.Close()
	quick.Close()
	if _, err := quick.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("reading after Close: %v", err)
	}
}

// A hand-over costs no descriptor and no time that grows with those that are
// polled: a thousand owners block one after the other.
func TestAThousandOwnersThatBlockAreEachRelieved(t *testing.T) {
	const owners = 1000
	p := newPoller(1)
	conns := make([]Conn, owners)
	entered, release := make(chan bool, owners), make(chan bool)
	var peers []net.Conn
	for i := range conns {
		peers = append(peers, pair(t, p, &conns[i], ownerFunc(func(_ *Turn, e Event) {
			if e&Readable != 0 {
				entered <- true
				<-release
			}
		})))
	}
	before := descriptors(t)
	for _, peer := range peers {
		peer.Write([]byte("x"))
	}
	for n := 0; n < owners; {
		p.Relieve(func(*Turn) {})
		select {
		case <-entered:
			n++
		default:
			runtime.Gosched()
		}
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors more are open", after-before)
	}
	close(release)
	for i := range conns {
		conns[i].Close()
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// A turn that has been given the loop and has not run yet loses it to nobody.
func TestATurnIsNotRelievedBeforeItHasBegun(t *testing.T) {
	l := &loop{poller: newPoller(1), open: 1, turn: new(Turn), waiting: true}
	for range 3 {
		if l.relieve() != nil {
			t.Fatal("it was relieved")
		}
	}
}

func TestAnOwnerMayEndItsGoroutine(t *testing.T) {
	p := newPoller(1)
	var first, second Conn
	ready := make(chan bool, 1)
	exits := func(_ *Turn, e Event) {
		if e&Readable != 0 {
			runtime.Goexit()
		}
	}
	one := pair(t, p, &first, ownerFunc(exits))
	two := pair(t, p, &second, ownerFunc(func(_ *Turn, e Event) {
		if e&Readable != 0 {
			ready <- true
		}
	}))
	for range 10 {
		one.Write([]byte("x"))
		two.Write([]byte("x"))
		<-ready
	}
	first.Close()
	second.Close()
}

func TestTheFlushFollowsTheEvents(t *testing.T) {
	events, flushes := make(chan any, 8), make(chan any, 8)
	p := New(1, func(*Turn) any { return nil }, func(t *Turn) {
		if t.Local != nil {
			flushes <- t.Local
			t.Local = nil
		}
	})
	var c Conn
	peer := pair(t, p, &c, ownerFunc(func(t *Turn, e Event) {
		if e&Readable != 0 {
			t.Local = "seen"
			events <- true
		}
	}))
	defer c.Close()
	peer.Write([]byte("x"))
	<-events
	if got := <-flushes; got != "seen" {
		t.Errorf("flush got %v", got)
	}
}

func TestAClosedDescriptorIsNoMoreReady(t *testing.T) {
	p := newPoller(1)
	for range 200 {
		var c Conn
		closed := make(chan bool)
		peer := pair(t, p, &c, ownerFunc(func(_ *Turn, e Event) {
			select {
			case <-closed:
				t.Error("an event after the close had been seen")
			default:
			}
			if e&Closed != 0 {
				c.Close()
				close(closed)
			}
		}))
		peer.Close()
		<-closed
	}
}

func TestALoopOutlivesItsLastDescriptorForAWhile(t *testing.T) {
	p := newPoller(1)
	turn := func() *Turn {
		l := &p.loops[0]
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.turn
	}
	ready := make(chan bool, 1)
	owner := ownerFunc(func(_ *Turn, e Event) {
		if e&Readable != 0 {
			ready <- true
		}
	})
	var first, second Conn
	pair(t, p, &first, owner)
	before := turn()
	first.Close()
	peer := pair(t, p, &second, owner)
	if after := turn(); after != before {
		t.Error("the next descriptor has begun another loop")
	}
	<-time.After(2 * linger)
	peer.Write([]byte("x"))
	<-ready
	second.Close()
	for turn() != nil {
		<-time.After(linger / 10)
	}
}
