package websocket

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// numbered is a message whose text tells its place, followed by size bytes.
func numbered(i, size int) string { return strconv.Itoa(i) + ":" + strings.Repeat("x", size) }

// number reads what numbered wrote, and reports -1 where that is damaged.
func number(text string) int {
	head, rest, _ := strings.Cut(text, ":")
	i, err := strconv.Atoi(head)
	if err != nil || strings.Trim(rest, "x") != "" {
		return -1
	}
	return i
}

// someSize is mostly small, and now and then larger than any buffer.
func someSize(r *rand.Rand) int {
	switch r.IntN(40) {
	case 0:
		return 20<<10 + r.IntN(100<<10)
	case 1, 2:
		return r.IntN(20 << 10)
	}
	return r.IntN(300)
}

// stream is count numbered messages, some of them in fragments with pings
// between them.
func stream(r *rand.Rand, count int) (all []byte) {
	for i := range count {
		text := numbered(i, someSize(r))
		if i%50 > 0 {
			all = append(all, client("1 000 0001", text)...)
			continue
		}
		cut := r.IntN(len(text))
		all = append(all, client("0 000 0001", text[:cut])...)
		if i%100 == 0 {
			all = append(all, client("1 000 1001", "between")...)
		}
		all = append(all, client("1 000 0000", text[cut:])...)
	}
	return all
}

// writeInPieces writes in pieces that keep to no frame's bounds.
func (c *raw) writeInPieces(r *rand.Rand, all []byte) {
	for len(all) > 0 {
		n := min(len(all), 1+r.IntN(64<<10))
		if r.IntN(2) == 0 {
			n = min(n, 1+r.IntN(100))
		}
		if !c.write(all[:n]) {
			return
		}
		all = all[n:]
	}
}

// Callbacks of one socket run one at a time and in the order of the messages,
// also while sockets whose callbacks block have the engine run them elsewhere.
func TestMessagesReachTheCallbackInOrderUnderLoad(t *testing.T) {
	const peers, count = 4, 500
	run(t, func(t *testing.T, n network) {
		block := make(chan *gate, 100)
		var done sync.WaitGroup
		done.Add(peers)
		st := n.serve(t, Options{}, func(s *Socket) error {
			if s.UserAgent() == "marked" {
				s.OnMessage(func(Message) { (<-block).pass(s) })
				return nil
			}
			next, inside := 0, atomic.Int32{}
			s.OnMessage(func(m Message) {
				if inside.Add(1) > 1 {
					t.Error("two callbacks of one socket run at once")
				}
				if got := number(m.Text()); got != next {
					t.Errorf("message %d came instead of %d", got, next)
				}
				next++
				if next%100 == 0 {
					runtime.Gosched()
				}
				if inside.Add(-1); next == count {
					done.Done()
				}
			})
			return nil
		})
		for i := range peers {
			peer := st.raw(t)
			r := rand.New(rand.NewPCG(uint64(i), 1))
			go peer.writeInPieces(r, stream(r, count))
		}
		finished := make(chan bool)
		go func() {
			done.Wait()
			close(finished)
		}()
		disturb(t, st, block, finished)
	})
}

// disturb has sockets block and go on until finished.
func disturb(t *testing.T, st *site, block chan *gate, finished <-chan bool) {
	var idle []*raw
	for range 2 * runtime.GOMAXPROCS(0) {
		idle = append(idle, st.raw(t, marked))
	}
	witness := st.raw(t)
	for i := range 100 {
		g := newGate(t)
		block <- g
		idle[i%len(idle)].say("block")
		wait(t, g.entered, "the disturbance")
		if i < 20 {
			witness.alive()
		}
		g.release()
		select {
		case <-finished:
			return
		default:
		}
	}
	wait(t, finished, "the last message")
}

// Whatever way a message takes, alone, prepared, to a room, to everybody, large
// or small, those that one goroutine sends arrive whole and in its order.
func TestMessagesOfOneSenderArriveInOrder(t *testing.T) {
	const senders, count = 4, 300
	for name, c := range map[string]Compression{"plain": {}, "deflate": {Enabled: true}, "takeover": {Enabled: true, ContextTakeover: true}} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, n network) {
				joined := make(chan *Socket, 1)
				st := n.serve(t, Options{Compression: c, SendQueue: 256 << 20}, func(s *Socket) error {
					s.Join("room")
					joined <- s
					return nil
				})
				peer := st.dial(t, DialOptions{Options: Options{Compression: c}})
				s := wait(t, joined, "the handler")
				for i := range senders {
					go sendNumbered(t, st.srv, s, i, count)
				}
				var next [senders]int
				for range senders * count {
					m := receive(t, peer)
					from, text, _ := strings.Cut(m.Text(), "/")
					i, err := strconv.Atoi(from)
					if err != nil || i >= senders {
						t.Fatalf("a message begins with %.40q", m.Text())
					}
					if got := number(text); got != next[i] {
						t.Fatalf("message %d of sender %d came instead of %d", got, i, next[i])
					}
					next[i]++
				}
			})
		})
	}
}

func sendNumbered(t *testing.T, srv *Server, s *Socket, from, count int) {
	r := rand.New(rand.NewPCG(uint64(from), 2))
	for i := range count {
		text := fmt.Sprint(from, "/", numbered(i, someSize(r)))
		var err error
		switch r.IntN(5) {
		case 0:
			err = srv.Broadcast(text)
		case 1:
			err = srv.To("room").Send([]byte(text))
		case 2:
			p, _ := Prepare(text)
			err = s.SendPrepared(p)
		default:
			err = s.Send(text)
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}

// What callbacks answer keeps the order of the messages, and a message that is
// sent twice, alone and in a broadcast, keeps the order of the sends.
func TestAnswersOfCallbacksArriveInOrder(t *testing.T) {
	const count = 300
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, Options{SendQueue: 64 << 20}, func(s *Socket) error {
			s.OnMessage(func(m Message) {
				s.SendText("first " + m.Text())
				s.To("all").Send("to others " + m.Text())
				s.SendBinary([]byte("second " + m.Text()))
			})
			return s.Join("all")
		})
		peer, other := st.raw(t), st.raw(t)
		eventually(t, "the start of both", func() bool { return len(st.srv.SocketsIn("all")) == 2 })
		r := rand.New(rand.NewPCG(3, 3))
		var all []byte
		for i := range count {
			all = append(all, client("1 000 0001", fmt.Sprint(i))...)
		}
		go peer.writeInPieces(r, all)
		for i := range count {
			peer.expect(wire.OpText, fmt.Sprint("first ", i))
			peer.expect(wire.OpBinary, fmt.Sprint("second ", i))
			other.expect(wire.OpText, fmt.Sprint("to others ", i))
		}
	})
}

// What is sent in a call that has returned is before what a later call sends, for every
// receiver of both, whoever calls and in whatever way. Volatile messages may be missing.
func TestOrderInARoom(t *testing.T) {
	const peers, count = 3, 600
	run(t, func(t *testing.T, n network) {
		st, raws, s := gathered(t, n, Options{SendQueue: 64 << 20}, peers+1)
		for i := range peers {
			s[i].Join("second")
		}
		sender, room := s[peers], st.srv.To("room")
		sends := []func(text string){
			func(text string) { room.Volatile().Send(text) },
			func(text string) { room.To("second").Send(text) },
			func(text string) { sender.To("room").Send([]byte(text)) },
			func(text string) {
				for _, one := range s[:peers] {
					one.Send(text)
				}
			},
			func(text string) { st.srv.All().Send(text) },
			func(text string) { sender.Broadcast(text) },
		}
		turn := make(chan int, 1)
		var senders sync.WaitGroup
		for range 2 { // they take turns
			senders.Go(func() {
				for i := range turn {
					if i == count {
						close(turn)
						return
					}
					sends[i%len(sends)](numbered(i, i))
					turn <- i + 1
				}
			})
		}
		turn <- 0
		for p, peer := range raws[:peers] {
			for want := 0; want < count; want++ {
				f, _ := peer.next()
				got := number(string(f.payload))
				if got != want && want%len(sends) == 0 { // volatile
					want++
				}
				if got != want {
					t.Fatalf("peer %d: message %d came instead of %d", p, got, want)
				}
			}
		}
		senders.Wait()
	})
}

// Each of several senders keeps its own order in a room; which of them comes first may
// differ between receivers.
func TestOrderOfSeveralSendersInARoom(t *testing.T) {
	const peers, senders, count = 3, 3, 200
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, Options{SendQueue: 64 << 20}, func(s *Socket) error {
			s.OnMessage(func(m Message) { s.To("room").Send(m) })
			return s.Join("room")
		})
		var raws []*raw
		for range peers {
			raws = append(raws, st.raw(t))
		}
		speakers := []*Socket{st.dial(t, DialOptions{}), st.dial(t, DialOptions{})} // the third is the server
		for _, speaker := range speakers {
			speaker.OnMessage(func(Message) {})
		}
		eventually(t, "all in the room", func() bool { return len(st.srv.SocketsIn("room")) == peers+2 })
		for i, speaker := range append(speakers, nil) {
			go func() {
				for k := range count {
					text := fmt.Sprint(i, "/", numbered(k, k))
					if speaker == nil {
						st.srv.To("room").Emit("tick", text)
					} else {
						speaker.Send(text)
					}
				}
			}()
		}
		for _, peer := range raws {
			var next [senders]int
			for range senders * count {
				f, _ := peer.next()
				text := string(f.payload)
				if strings.HasPrefix(text, "{") {
					_, text, _ = strings.Cut(text, `"data":["`)
					text, _, _ = strings.Cut(text, `"]`)
				}
				from, text, _ := strings.Cut(text, "/")
				i, err := strconv.Atoi(from)
				if err != nil || number(text) != next[i] {
					t.Fatalf("sender %q: message %d came instead of %d", from, number(text), next[i])
				}
				next[i]++
			}
		}
	})
}
