package websocket

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// heard is what a peer has received.
type heard struct {
	mu    sync.Mutex // guards list
	list  []string
	ended chan bool
}

func (l *heard) add(m Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text, _, _ := strings.Cut(m.Text(), "|")
	l.list = append(l.list, text)
	if text == "end" {
		close(l.ended)
	}
}

var padding = "|" + strings.Repeat("compressible ", 80)

// Thousands of sockets, of which some do not read for a while: whoever reads gets
// everything, and the others get the newest of each key, however it is compressed.
func TestCoalesceKeepsTheNewestForSlowSockets(t *testing.T) {
	const sockets, slowOnes, rounds = 1500, 500, 10
	keys := []string{"EUR", "USD", "JPY"}
	for name, opts := range map[string]Options{
		"plain":            {},
		"compressed":       {Compression: Compression{Enabled: true}},
		"context takeover": {Compression: Compression{Enabled: true, ContextTakeover: true}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts.PingInterval, opts.WriteTimeout, opts.Logger = -1, -1, quiet
				st := inMemory.serve(t, opts, nil)
				n := sockets
				if opts.Compression.Enabled {
					n = sockets / 10 // under takeover each has a window of its own
				}
				slow := n * slowOnes / sockets
				peers, logs := make([]*Socket, n), make([]*heard, n)
				for i := range peers {
					l := &heard{ended: make(chan bool)}
					o := DialOptions{Options: opts}
					if i >= slow {
						o.Handler = func(s *Socket) error { s.OnMessage(l.add); return nil }
					}
					peers[i], logs[i] = st.dial(t, o), l
				}
				synctest.Wait()
				everyone := st.srv.All()
				sent := 0
				for round := range rounds {
					for _, key := range keys {
						everyone.Coalesce(key).Send(fmt.Sprint(key, " ", round, padding))
						sent++
					}
					time.Sleep(10 * time.Millisecond) // of the bubble: now the slow ones are seen to be slow
				}
				everyone.Send("end")
				for i := range slow {
					peers[i].OnMessage(logs[i].add)
				}
				dropped := 0
				for i, l := range logs {
					wait(t, l.ended, "the last message")
					if i >= slow && len(l.list) != sent+1 {
						t.Fatalf("a socket that reads has got %d of %d", len(l.list), sent+1)
					}
					dropped += sent + 1 - len(l.list)
					checkNewest(t, l.list, keys, rounds)
				}
				if got := st.srv.Stats(); got.Drops["coalesced"] != int64(dropped) || got.Dropped != int64(dropped) || dropped == 0 {
					t.Errorf("%d were left out, stats: %d of %d", dropped, got.Drops["coalesced"], got.Dropped)
				}
				for _, s := range peers {
					s.Close(StatusNormalClosure, "")
				}
				st.settle()
			})
		})
	}
}

// checkNewest tells whether the values of each key rise up to the last.
func checkNewest(t *testing.T, list, keys []string, rounds int) {
	t.Helper()
	for _, key := range keys {
		last := -1
		for _, text := range list {
			var n int
			if _, err := fmt.Sscanf(text, key+" %d", &n); err == nil {
				if n <= last {
					t.Fatalf("%s: %d after %d", key, n, last)
				}
				last = n
			}
		}
		if last != rounds-1 {
			t.Fatalf("%s: the last is %d in %q", key, last, list)
		}
	}
}

// A message with a key is never before one without that was sent earlier, also where
// the peer has left and joined again.
func TestCoalesceOvertakesNoMessageWithoutAKey(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		_, peer, s := meetSlow(t, n, Options{SendQueue: 64 << 20})
		s.Coalesce("u").Send("cursor 1")
		s.Coalesce("v").Send("other 1")
		s.Coalesce("u").Send("cursor 2")
		s.Send("left")
		s.Send("joined")
		s.Coalesce("u").Send("cursor 3")
		s.Coalesce("v").Send("other 2")
		s.Coalesce("u").Send("cursor 4")
		s.Send("end")
		go peer.read(peer.reader)
		var got []string
		for text := ""; text != "end"; {
			f, ok := peer.next()
			if !ok {
				t.Fatal("the connection ended")
			}
			if text = string(f.payload); len(text) < 100 {
				got = append(got, text)
			}
		}
		if want := []string{"left", "joined", "cursor 4", "other 2", "end"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// meetSlow has a peer that reads nothing, and a socket that is seen to be slow.
func meetSlow(t *testing.T, n network, opts Options) (*site, *raw, *Socket) {
	t.Helper()
	opts.PingInterval, opts.WriteTimeout, opts.Logger = -1, -1, quiet
	opened := make(chan *Socket, 1)
	st := n.serve(t, opts, func(s *Socket) error { opened <- s; return nil })
	peer := st.connect(t)
	peer.shake()
	s := wait(t, opened, "the handler")
	full := time.Now() // since when: a write that waits for the processor makes a peer look slow, too
	for deadline := time.After(patience); st.srv.Stats().Drops["coalesced"] == 0 || time.Since(full) < 200*time.Millisecond; {
		if s.Buffered() == 0 {
			s.SendBinary(make([]byte, 32<<10))
			full = time.Now()
		}
		s.Coalesce("probe").Send(padding)
		select {
		case <-deadline:
			t.Fatal("the peer is not slow")
		case <-time.After(time.Millisecond):
		}
	}
	return st, peer, s
}

// A program that takes its keys from peers cannot make a queue longer than it may be.
func TestCoalesceIsBoundedByTheQueue(t *testing.T) {
	for name, policy := range map[string]SlowConsumer{"close": CloseSlow, "newest": DropNewest, "oldest": DropOldest} {
		t.Run(name, func(t *testing.T) {
			const limit = 256 << 10
			st, _, s := meetSlow(t, overTCP, Options{SendQueue: limit, SlowConsumer: policy})
			for i := range 100_000 {
				s.Coalesce(fmt.Sprint("key ", i)).Send("x")
			}
			if n := s.Buffered(); n > limit+64<<10 {
				t.Errorf("%d bytes wait", n)
			}
			stats := st.srv.Stats()
			if by := map[string]string{"close": "closed", "newest": "newest", "oldest": "oldest"}[name]; stats.Drops[by] == 0 {
				t.Errorf("drops are %v", stats.Drops)
			}
			if closed := s.State() != StateOpen; closed != (policy == CloseSlow) {
				t.Errorf("closed: %v", closed)
			}
		})
	}
}

// A client may send so, too: its frames are masked.
func TestAClientCoalesces(t *testing.T) {
	hold, got := make(chan bool), make(chan string, 100)
	st := inMemory.serve(t, Options{}, func(s *Socket) error {
		s.OnMessage(func(m Message) {
			<-hold
			got <- m.Text()
		})
		return nil
	})
	s := st.dial(t, DialOptions{Options: Options{PingInterval: -1, WriteTimeout: -1}})
	defer s.Close(StatusNormalClosure, "")
	s.Send(strings.Repeat("x", 200<<10)) // more than the server reads ahead
	for deadline := time.Now().Add(patience); s.ns.stats.Drops.Coalesced.Load() == 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("nothing is coalesced")
		}
		s.Coalesce("a").Send("old")
	}
	s.Coalesce("a").Send("new")
	s.Send("end")
	close(hold)
	last := ""
	for text := wait(t, got, "a message"); text != "end"; text = wait(t, got, "a message") {
		last = text
	}
	if last != "new" {
		t.Errorf("the last is %q", last)
	}
}
