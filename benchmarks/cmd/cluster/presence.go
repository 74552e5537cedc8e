package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

const (
	users     = 10_002 // a third at each node
	presNodes = 3
)

// presence fills rooms with users, kills one node of three, and looks at what those tell who
// watch at the others. In a crowd only the number is told.
func (b *bench) presence() error {
	fmt.Printf("\n## Presence of %d users at three nodes, of which one dies\n\n| server | rooms | watchers | users that left | not exactly once | most messages in 1 s | all left after | messages/s of all nodes at rest: empty, full |\n|---|---:|---:|---:|---:|---:|---:|---|\n", users)
	for _, server := range b.among("redis", "nats") {
		for _, rooms := range []int{1, 25} {
			if err := b.presenceOf(server, rooms); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) presenceOf(server string, rooms int) error {
	f, err := b.start(server, presNodes, bothCores)
	if err != nil {
		return err
	}
	defer f.close()
	empty, err := f.traffic(5 * time.Second)
	if err != nil {
		return err
	}
	watchers, err := f.watchAll(rooms)
	if err != nil {
		return err
	}
	defer func() {
		for _, w := range watchers {
			w.socket.Close(0, "")
		}
	}()
	sockets, err := f.people(rooms)
	if err != nil {
		return err
	}
	defer closeAll(sockets)
	if err := settled(watchers, users+2*rooms, rooms); err != nil {
		return err
	}
	full, err := f.traffic(10 * time.Second)
	if err != nil {
		return err
	}
	killed := time.Now()
	f.nodes[presNodes-1].kill()
	left := users / presNodes
	if err := settled(watchers, users-left+2*rooms, rooms); err != nil {
		return err
	}
	after := time.Since(killed)
	time.Sleep(5 * time.Second) // more could come
	wrong, most := 0, 0
	for _, w := range watchers {
		wrong += w.wrong(rooms)
		most = max(most, w.busiest())
	}
	fmt.Printf("| %s | %d | %d | %d | %d | %d | %.1f s | %.1f, %.1f |\n", server, rooms, len(watchers), left, wrong, most, after.Seconds(), empty, full)
	return nil
}

// traffic is how much nodes publish in a second.
func (f *fleet) traffic(d time.Duration) (float64, error) {
	count := func() (n int64, err error) {
		for _, p := range f.nodes {
			s, err := p.stats()
			if err != nil {
				return 0, err
			}
			n += s.Cluster.Published
		}
		return n, nil
	}
	before, err := count()
	if err != nil {
		return 0, err
	}
	time.Sleep(d)
	after, err := count()
	return float64(after-before) / d.Seconds(), err
}

func roomOf(i, rooms int) string { return fmt.Sprint("crowd/", i%rooms) }

// people connects all users, a third to each node: those of the last one have numbers that
// are 2 modulo 3.
func (f *fleet) people(rooms int) ([]*websocket.Socket, error) {
	sockets := make([]*websocket.Socket, users)
	errs := make(chan error, presNodes)
	for n := range presNodes {
		go func() {
			for i := n; i < len(sockets); i += presNodes {
				s, err := f.dial(f.nodes[n], fmt.Sprintf("user=u%d&room=%s", i, roomOf(i/presNodes, rooms)))
				if err != nil {
					errs <- err
					return
				}
				sockets[i] = s
			}
			errs <- nil
		}()
	}
	for range presNodes {
		if err := <-errs; err != nil {
			return nil, err
		}
	}
	return sockets, nil
}

// watcher notes what it is told of a room.
type watcher struct {
	socket *websocket.Socket
	room   int

	mu    sync.Mutex // guards the fields below
	there map[string]bool
	count int
	crowd bool // only the number is told
	left  map[string]int
	times []time.Time
}

// watchAll has each room watched at each node that stays.
func (f *fleet) watchAll(rooms int) (list []*watcher, err error) {
	for room := range rooms {
		for n := range presNodes - 1 {
			w := &watcher{room: room, there: make(map[string]bool), left: make(map[string]int)}
			url := fmt.Sprintf("ws://%s/in?user=watcher%d-%d&room=%s", f.nodes[n].addr, room, n, roomOf(room, rooms))
			w.socket, err = websocket.Dial(context.Background(), url, &websocket.DialOptions{Protocols: []string{"nextrush.v1"},
				Handler: func(s *websocket.Socket) error {
					s.OnMessage(func(m websocket.Message) { w.told(m.Text()) })
					return nil
				}})
			if err != nil {
				return list, err
			}
			list = append(list, w)
		}
	}
	return list, nil
}

func (w *watcher) told(text string) {
	var m struct {
		Type      string
		Set, Join map[string]any
		Leave     []string
		Count     *int
	}
	if json.Unmarshal([]byte(text), &m) != nil || m.Type != "presence" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.times = append(w.times, time.Now())
	if m.Count != nil {
		w.count, w.crowd = *m.Count, true
		return
	}
	if m.Set != nil {
		clear(w.there)
	}
	for _, some := range []map[string]any{m.Set, m.Join} {
		for user := range some {
			w.there[user] = true
		}
	}
	for _, user := range m.Leave {
		w.left[user]++
		delete(w.there, user)
	}
	w.count = len(w.there)
}

// settled waits until all watchers together know of n users, those of each room twice.
func settled(watchers []*watcher, n, rooms int) error {
	last := 0
	err := await(func() bool {
		last = 0
		for _, w := range watchers {
			w.mu.Lock()
			last += w.count
			w.mu.Unlock()
		}
		return last == 2*n
	})
	if err != nil {
		return fmt.Errorf("watchers of %d rooms know of %d users, not %d", rooms, last/2, n)
	}
	return nil
}

// wrong counts users who left without having been at the node that died, or not once. In a
// crowd nobody is named.
func (w *watcher) wrong(rooms int) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.crowd {
		return 0
	}
	for i := range users {
		want := 0
		if i%presNodes == presNodes-1 && (i/presNodes)%rooms == w.room {
			want = 1
		}
		if w.left[fmt.Sprint("u", i)] != want {
			n++
		}
	}
	return n
}

// busiest is the most messages in a second.
func (w *watcher) busiest() (most int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, t := range w.times {
		n, _ := slices.BinarySearchFunc(w.times, t.Add(time.Second), time.Time.Compare)
		most = max(most, n-i)
	}
	return most
}
