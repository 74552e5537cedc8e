package websocket

import (
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestStorm has hundreds of sockets join, leave, send, broadcast, panic and
// close while the server shuts down. A bystander is served all the while.
func TestStorm(t *testing.T) {
	const peers = 200
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, Options{Logger: quiet, DrainWindow: 100 * time.Millisecond}, stormy)
		bystander := st.raw(t)
		var all sync.WaitGroup
		for i := range peers {
			all.Go(func() { storm(st, i) })
		}
		for range 20 {
			bystander.write(client("1 000 1001", "still there?"))
			for f, ok := bystander.next(); ; f, ok = bystander.next() {
				if !ok {
					t.Fatal("the bystander was cut off")
				}
				if string(f.payload) == "still there?" {
					break
				}
			}
		}
		all.Go(func() { bystander.expectClose(StatusGoingAway) })
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := st.srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		st.http.Close() // those that came too late wait on it
		all.Wait()
		got := st.srv.Stats()
		if got.Connections != 0 || got.Rooms != 0 || got.QueuedBytes != 0 {
			t.Errorf("left behind: %+v", got)
		}
	})
}

// stormy does what its messages say.
func stormy(s *Socket) error {
	s.OnMessage(func(m Message) {
		switch m.Text() {
		case "join":
			s.Join("a")
			s.Join("b")
		case "leave":
			s.Leave("a")
		case "room":
			s.To("a").To("b").Send("room")
		case "all":
			s.Broadcast("all")
		case "panic":
			panic("storm")
		case "close":
			s.Close(4000, "storm")
		}
	})
	s.OnClose(func(StatusCode, string) {
		s.Broadcast("gone", "a")
		if s.ID()[0] < 'H' {
			panic("storm")
		}
	})
	return nil
}

// storm is one peer's part; it reads whatever comes and ends in its own way.
func storm(st *site, i int) {
	conn, err := st.conn()
	if err != nil {
		return
	}
	defer conn.Close()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		buf := make([]byte, 4<<10)
		for {
			if _, err := conn.Read(buf); err != nil {
				return
			}
		}
	}()
	if _, err := conn.Write([]byte(greeting([]string{"X-Plain: 1", speaking}[rand.IntN(2)]))); err != nil {
		return
	}
	for _, word := range []string{
		"join", "room", `{"type":"join","id":1,"room":"room1"}`, "all", "leave", `{"type":"sync","rooms":{"room1":["e",1]}}`, "join", "room",
		`{"type":"leave","id":2,"room":"room1"}`, `{"type":"ping","t":1}`, `{"type":"presence","room":"room1","data":1}`,
	} {
		if _, err := conn.Write(client("1 000 0001", word)); err != nil {
			return
		}
	}
	switch i % 4 {
	case 0:
		conn.Write(client("1 000 0001", "panic"))
	case 1:
		conn.Write(client("1 000 0001", "close"))
	case 2:
		return
	}
	conn.Write(client("1 000 1000", closePayload(1000, "")))
	<-drained
}

// TestEveryMethodInEveryState calls all that is exported from many goroutines at
// once, from before the 101 until after the end, while callbacks come late, panic
// and end their goroutines, and while errors are told under a lock that a sender
// holds.
func TestEveryMethodInEveryState(t *testing.T) {
	for name, w := range map[string]weather{
		"calm":                               {callback: func() {}, opts: takeover},
		"callbacks that panic":               {callback: func() { panic("storm") }, opts: alone},
		"callbacks that end their goroutine": {callback: runtime.Goexit},
		"errors under the lock of a sender":  {callback: func() {}, lock: true, opts: Options{SlowConsumer: DropOldest, SendQueue: 4 << 10}},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, n network) { w.blow(t, n) })
		})
	}
}

// weather is what a storm is like.
type weather struct {
	opts     Options
	callback func() // what some callbacks do
	lock     bool   // OnError takes a lock under which somebody sends
}

const (
	stormPeers   = 40
	stormCallers = 3  // goroutines for each socket
	stormCalls   = 30 // of each when the socket has ended
)

func (w weather) blow(t *testing.T, n network) {
	var hub sync.Mutex
	opts := w.opts
	opts.DisablePolling, opts.Logger = n.portable, quiet
	opts.DrainWindow, opts.CloseTimeout, opts.MaxRooms = -1, 200*time.Millisecond, 20
	opts.Rooms = Rooms{"room2": {Presence: true}, "room1": {History: History{Messages: 5}, Presence: true, LeaveDelay: time.Millisecond, Join: func(*Socket, string) error { w.sometimes(); return nil }}}
	opts.OnError = func(*Socket, error) {
		if w.lock {
			hub.Lock()
			defer hub.Unlock()
		}
	}
	srv := NewServer(opts)
	var callers sync.WaitGroup
	st := n.serveHTTP(t, srv, func(rw http.ResponseWriter, r *http.Request) {
		h, err := srv.Accept(rw, r)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusServiceUnavailable)
			return
		}
		s := h.Socket()
		for range stormCallers {
			callers.Go(func() { w.call(t, s) })
		}
		if rand.IntN(10) == 0 {
			h.Refuse()
			return
		}
		h.Open(func(s *Socket) error { return w.handle(s) })
	})
	over := make(chan bool)
	callers.Go(func() { send(t, srv, &hub, over) })
	var peers sync.WaitGroup
	for range stormPeers {
		peers.Go(func() { stormyPeer(st) })
	}
	finished := make(chan error, 1)
	go func() {
		peers.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		err := srv.Shutdown(ctx)
		close(over)
		callers.Wait()
		finished <- err
	}()
	select {
	case err := <-finished:
		if err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the storm does not end")
	}
	if got := srv.Stats(); got.Connections != 0 || got.Rooms != 0 || got.QueuedBytes != 0 || got.BytesSent < 0 {
		t.Errorf("left behind: %+v", got)
	}
}

// send is a hub: one lock around all sockets, under which it sends.
func send(t *testing.T, srv *Server, hub *sync.Mutex, over <-chan bool) {
	methods := methodsOf(srv)
	for i := 0; ; i++ {
		select {
		case <-over:
			return
		default:
		}
		hub.Lock()
		for _, s := range srv.Sockets() {
			callOne(t, "SendText", func() { s.SendText("tick") })
		}
		hub.Unlock()
		callOne(t, "a method of Server or Emitter", methods[i%len(methods)])
		runtime.Gosched()
	}
}

func (w weather) handle(s *Socket) error {
	s.Join("room")
	s.OnMessage(func(Message) { w.sometimes() })
	switch rand.IntN(8) {
	case 0:
		w.callback()
	case 1:
		return errors.New("storm")
	case 2:
		return &CloseError{Code: 4000}
	case 3:
		s.Receive(s.Context())
	}
	return nil
}

func (w weather) sometimes() {
	if rand.IntN(4) == 0 {
		w.callback()
	}
}

// call calls methods of a socket in no order until it has ended, and some more.
func (w weather) call(t *testing.T, s *Socket) {
	methods := w.methods(s)
	names := slices.Collect(maps.Keys(methods))
	for after := 0; after < stormCalls && !t.Failed(); {
		name := names[rand.IntN(len(names))]
		callOne(t, name, methods[name])
		if s.State() == StateClosed {
			after++
		}
		runtime.Gosched()
	}
}

func callOne(t *testing.T, name string, f func()) {
	defer func() {
		if v := recover(); v != nil {
			t.Errorf("%s panics: %v\n%s", name, v, debug.Stack())
		}
	}()
	f()
}

// stormyPeer says something of each kind, and ends in one of many ways.
func stormyPeer(st *site) {
	conn, err := st.conn()
	if err != nil {
		return
	}
	c := &raw{conn: conn}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Duration(300+rand.IntN(1000)) * time.Millisecond))
	drained := make(chan bool)
	go func() {
		defer close(drained)
		io.Copy(io.Discard, conn)
	}()
	c.write([]byte(greeting(offer + "permessage-deflate; client_no_context_takeover")))
	for range 20 {
		c.write(client("1 000 0001", "text"), client("1 000 1001", "ping"), client("1 000 1010", "pong"),
			client("1 000 0001", `{"type":"event","event":"event","data":[1],"id":1}`),
			client("0 000 0010", "half"), client("1 000 0000", "whole"))
	}
	switch rand.IntN(5) {
	case 0:
		c.reset()
	case 1:
		c.write(client("1 000 1000", closePayload(1000, "")))
	case 2:
		c.write(unmasked("1 000 0001", "broken"))
	case 3:
		return
	}
	<-drained
}
