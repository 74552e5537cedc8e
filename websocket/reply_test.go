package websocket

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// asked reads a request off the wire and returns its id.
func (c *raw) asked(name string) string {
	c.t.Helper()
	e := c.event()
	if e.Type != "event" || e.Event != name || len(e.ID) == 0 {
		c.t.Fatalf("request is %+v", e)
	}
	return string(e.ID)
}

// ask gathers the replies in a goroutine.
func ask(ctx context.Context, e Emitter, name string, args ...any) <-chan Reply {
	ch := make(chan Reply)
	go func() {
		for r := range e.Request(ctx, name, args...) {
			ch <- r
		}
		close(ch)
	}()
	return ch
}

// noneAwaited checks that no socket waits for a reply.
func noneAwaited(t *testing.T, sockets ...*Socket) {
	t.Helper()
	for i, s := range sockets {
		if s.events.Load().Awaited() {
			t.Fatalf("socket %d still waits for a reply", i)
		}
	}
}

// Replies come as they are sent, an error among them; who ends meanwhile and who does
// not answer in time comes with the reason.
func TestEmitterRequest(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		_, peers, s := gathered(t, n, Options{}, 6)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		got := ask(ctx, s[5].To("room").Except(s[4].ID()), "vote", "tea", 3)
		var ids []string
		for _, peer := range peers[:4] {
			ids = append(ids, peer.asked("vote"))
		}
		if ids = slices.Compact(ids); len(ids) != 1 {
			t.Errorf("one encoding has ids %q", ids)
		}
		next := func() Reply { return wait(t, got, "a reply") }

		peers[2].say(`{"type":"ack","id":` + ids[0] + `,"data":["yes",1]}`)
		var word string
		var number int
		if r := next(); r.ID != s[2].ID() || r.Err != nil || r.Event.BindAll(&word, &number) != nil || word != "yes" || number != 1 {
			t.Errorf("reply is %+v", r)
		}
		peers[0].say(`{"type":"error","id":` + ids[0] + `,"message":"no"}`)
		var refused *EventError
		if r := next(); r.ID != s[0].ID() || r.Event != nil || !errors.As(r.Err, &refused) || refused.Message != "no" {
			t.Errorf("reply is %+v", r)
		}
		peers[1].reset()
		if r := next(); r.ID != s[1].ID() || !errors.Is(r.Err, ErrClosed) {
			t.Errorf("reply of one that has ended is %+v", r)
		}
		cancel()
		if r := next(); r.ID != s[3].ID() || !errors.Is(r.Err, context.Canceled) {
			t.Errorf("reply of one that is silent is %+v", r)
		}
		if r, more := <-got; more {
			t.Errorf("one reply more: %+v", r)
		}
		noneAwaited(t, s...)
		s[3].OnMessage(func(m Message) { s[3].SendMessage(m) })
		peers[3].say(`{"type":"ack","id":` + ids[0] + `}`) // too late, and no message
		peers[3].say("hi")
		peers[3].expect(wire.OpText, "hi")
	})
}

func TestEmitterRequestOfNobody(t *testing.T) {
	st, _, s := gathered(t, inMemory, Options{}, 1)
	for i, e := range []Emitter{{}, st.srv.To("nowhere"), s[0].Others()} {
		for r := range e.Request(t.Context(), "x") {
			t.Errorf("case %d: reply is %+v", i, r)
		}
	}
	n := 0
	for r := range st.srv.All().Request(t.Context(), "x", make(chan int)) {
		if n++; r.ID != "" || r.Err == nil {
			t.Errorf("reply is %+v", r)
		}
	}
	if n != 1 {
		t.Errorf("%d errors of encoding", n)
	}
	s[0].Close(StatusNormalClosure, "")
	for r := range s[0].Volatile().Request(t.Context(), "x") {
		if !errors.Is(r.Err, ErrClosed) {
			t.Errorf("reply of a closed socket is %+v", r)
		}
	}
	noneAwaited(t, s...)
}

// A callback may ask everybody: the others answer, and its own socket, whose reply
// could not be read, says so.
func TestEmitterRequestInACallback(t *testing.T) {
	type result map[string]error
	run(t, func(t *testing.T, n network) {
		var srv *Server
		results := make(chan result, 1)
		gather := func() {
			got := make(result)
			for r := range srv.To("room").Request(context.Background(), "who") {
				got[r.ID] = r.Err
			}
			results <- got
		}
		opened := make(chan *Socket, 1)
		st := n.serve(t, Options{}, func(s *Socket) error {
			s.OnMessage(func(Message) { gather() })
			s.On("ask", func(*Event) { gather() })
			opened <- s
			return s.Join("room")
		})
		srv = st.srv
		answer := func(c *Socket) error {
			Handle(c, "who", func(context.Context, *Socket, any) (string, error) { return "me", nil })
			return nil
		}
		var clients, sockets []*Socket
		for range 3 {
			clients = append(clients, st.dial(t, DialOptions{Handler: answer}))
			sockets = append(sockets, wait(t, opened, "the handler"))
		}
		eventually(t, "all in the room", func() bool { return len(srv.SocketsIn("room")) == 3 })
		want := result{sockets[0].ID(): ErrInCallback, sockets[1].ID(): nil, sockets[2].ID(): nil}
		for _, provoke := range []func() error{
			func() error { return clients[0].Send("ask") },
			func() error { return clients[0].Emit("ask") },
		} {
			if err := provoke(); err != nil {
				t.Fatal(err)
			}
			if got := wait(t, results, "the replies"); !maps.Equal(got, want) {
				t.Errorf("replies are %v", got)
			}
		}
		noneAwaited(t, sockets...)
	})
}

// entered makes sockets that are known to the server and connected to nobody.
func entered(srv *Server, n int) (sockets []*Socket) {
	for range n {
		srv.admit("", nil)
		s := srv.main.newSocket(context.Background())
		s.entered()
		sockets = append(sockets, s)
	}
	return sockets
}

// Of thousands, each answers once, whether it answers, ends or is silent; what has come
// when the time is up is not lost.
func TestEmitterRequestOfThousands(t *testing.T) {
	const count = 10_000
	srv := NewServer(Options{})
	sockets := entered(srv, count)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	answered, all := make(chan bool, count), sync.WaitGroup{}
	answers := func() {
		for part := range slices.Chunk(sockets, count/4) {
			all.Go(func() {
				for i, s := range part {
					switch {
					case i%10 == 0: // is silent
						continue
					case i%10 == 1:
						(*owner)(s).leave()
					default:
						s.dispatch(Message{Text, []byte(`{"type":"ack","id":"m1","data":["yes"]}`)})
					}
					answered <- true
				}
			})
		}
		all.Wait()
		cancel()
	}
	seen, begun := make(map[string]bool), false
	var yes, ended, silent int
	go func() {
		for !sockets[count-1].events.Load().Awaited() { // all have been asked
		}
		answers()
	}()
	for r := range srv.All().Request(ctx, "ready?") {
		if !begun {
			begun = true
			all.Wait()
		}
		if seen[r.ID] {
			t.Fatal("a socket has answered twice")
		}
		seen[r.ID] = true
		switch {
		case r.Err == nil:
			yes++
		case errors.Is(r.Err, ErrClosed):
			ended++
		case errors.Is(r.Err, context.Canceled):
			silent++
		default:
			t.Fatal(r.Err)
		}
	}
	if yes != count*8/10 || ended != count/10 || silent != count/10 {
		t.Errorf("%d answered, %d ended, %d were silent", yes, ended, silent)
	}
	noneAwaited(t, sockets...)
}

// Leaving the loop, with break or a panic, gives everything back.
func TestEmitterRequestLeftEarly(t *testing.T) {
	const count = 1000
	srv := NewServer(Options{})
	sockets := entered(srv, count)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range srv.All().Request(ended, "x") {
		break
	}
	noneAwaited(t, sockets...)
	func() {
		defer func() { recover() }()
		for range srv.All().Request(ended, "x") {
			panic("in the loop")
		}
	}()
	noneAwaited(t, sockets...)
	requests := srv.All().Request(ended, "x") // which nobody loops over
	_ = requests
	noneAwaited(t, sockets...)
	for range 1024 + 10 { // none is left behind to fill up what one may await
		for r := range sockets[0].Volatile().Request(ended, "x") {
			if !errors.Is(r.Err, context.Canceled) {
				t.Fatal(fmt.Errorf("reply is %w", r.Err))
			}
		}
	}
}
