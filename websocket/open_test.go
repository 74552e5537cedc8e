package websocket

import (
	"io"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"
)

// The methods of a socket are safe while Open gives it its connection, and a Close
// then is not lost.
func TestCloseBesideOpen(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		srv := NewServer(Options{DisablePolling: n.portable, PingInterval: -1, Logger: quiet})
		st := n.accepting(t, srv, func(h *Handshake, _ http.ResponseWriter, _ *http.Request) {
			s := h.Socket()
			s.Send("queued")
			opened := make(chan bool)
			var others sync.WaitGroup
			for _, f := range []func(){func() { s.Close(4000, "") }, func() { s.Buffered() }, func() { s.State() }} {
				others.Go(func() {
					for open := false; !open; runtime.Gosched() {
						f()
						select {
						case <-opened:
							open = true
						default:
						}
					}
				})
			}
			if err := h.Open(nil); err != nil {
				t.Error(err)
			}
			close(opened)
			others.Wait()
		})
		for range 20 {
			peer := st.raw(t)
			late := time.AfterFunc(soon, func() { peer.conn.Close() })
			peer.expectClose(4000)
			late.Stop()
		}
	})
}

// BytesSent is a counter: what has not left is not in it, and it never falls.
func TestBytesSentNeverFalls(t *testing.T) {
	srv := NewServer(Options{Logger: quiet})
	opened := make(chan *Socket, 1)
	st := inMemory.serveHTTP(t, srv, func(w http.ResponseWriter, r *http.Request) {
		if h, err := srv.Accept(w, r); err == nil && h.Open(nil) == nil {
			opened <- h.Socket()
		}
	})
	last := int64(0)
	look := func(when string) {
		t.Helper()
		got := srv.Stats().BytesSent
		if got < last {
			t.Errorf("%s: %d bytes after %d", when, got, last)
		}
		last = got
	}
	peer := st.connect(t)
	go io.WriteString(peer.conn, greeting())
	s := wait(t, opened, "Open")
	look("while the 101 waits")
	if b, err := peer.reader.ReadByte(); err != nil || b != 'H' {
		t.Fatalf("%q, %v", b, err)
	}
	look("while the 101 leaves")
	peer.reader.UnreadByte()
	peer.answer = &http.Response{}
	if _, err := http.ReadResponse(peer.reader, nil); err != nil {
		t.Fatal(err)
	}
	look("after the 101")
	s.Send("hi")
	go peer.read(peer.reader)
	peer.expect(1, "hi")
	look("after a message")
}

// A peer that goes before it has the 101 takes nothing off the counter.
func TestBytesSentCountsNothingForAPeerThatHasGone(t *testing.T) {
	for _, n := range overWires {
		t.Run(n.name, func(t *testing.T) {
			const count = 100
			gone := make(chan bool, count+1) // the last peer is another
			st := n.serve(t, Options{Logger: quiet, OnDisconnect: func(*Socket, StatusCode, string) { gone <- true }}, nil)
			for range count {
				peer := st.connect(t)
				peer.conn.Write([]byte(greeting()))
				peer.reset()
			}
			if got := st.srv.Stats().BytesSent; got < 0 {
				t.Errorf("%d bytes are sent", got)
			}
			st.raw(t).alive()
		})
	}
}

// A socket that was refused has no connection; its methods return all the same.
func TestMethodsOfARefusedSocketReturn(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		srv := NewServer(Options{DisablePolling: n.portable, Logger: quiet})
		refused := make(chan *Socket, 1)
		st := n.accepting(t, srv, func(h *Handshake, w http.ResponseWriter, _ *http.Request) {
			s := h.Socket()
			s.Join("room")
			s.Send("queued")
			h.Refuse()
			refused <- s
			http.Error(w, "refused", http.StatusForbidden)
		})
		if got := st.request(t, greeting()).answer.StatusCode; got != http.StatusForbidden {
			t.Errorf("answer is %d", got)
		}
		s := wait(t, refused, "the refusal")
		for name, f := range (weather{callback: func() {}}).methods(s) {
			callOne(t, name, f)
		}
	})
}
