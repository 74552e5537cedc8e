package main

import (
	"context"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush/internal/leak"
	"github.com/nextrush/nextrush/websocket"
)

// TestMain runs the tests, or a node that one of them has started.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-name") {
		main()
		return
	}
	leak.Main(m)
}

// start starts the balancer and its nodes, and waits until all are there.
func start(t *testing.T) (addr string) {
	t.Helper()
	addrs, err := free(1)
	if err != nil {
		t.Fatal(err)
	}
	stop, ended := make(chan os.Signal, 1), make(chan error, 1)
	go func() { ended <- balance(addrs[0], stop) }()
	t.Cleanup(func() {
		stop <- os.Interrupt
		if err := <-ended; err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return addrs[0]
}

// visitor is a client that notes what it hears.
type visitor struct {
	*websocket.Client
	mu    sync.Mutex // guards the fields below
	said  []string
	on    []string        // the nodes that it has been on
	know  map[string]bool // nodes that know all
	heard chan struct{}   // has room for one: something has changed
}

func visit(t *testing.T, addr string) *visitor {
	v := &visitor{Client: websocket.NewClient("ws://"+addr+"/ws", nil), know: make(map[string]bool), heard: make(chan struct{}, 1)}
	v.On("said", func(e *websocket.Event) {
		var m said
		if e.Bind(0, &m) == nil {
			v.note(m.Text, &v.said)
		}
	})
	v.On("on", func(e *websocket.Event) {
		var name string
		if e.Bind(0, &name) == nil {
			v.note(name, &v.on)
		}
	})
	v.On("node", func(e *websocket.Event) {
		var n news
		if e.Bind(0, &n) == nil {
			v.change(func() { v.know[n.Name] = n.Nodes == nodes })
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		v.Run(ctx)
		close(ended)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return v
}

func (v *visitor) note(text string, list *[]string) {
	v.change(func() { *list = append(*list, text) })
}

func (v *visitor) change(f func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	f()
	select {
	case v.heard <- struct{}{}:
	default:
	}
}

func (v *visitor) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for late := time.After(2 * time.Minute); ; {
		v.mu.Lock()
		done := ok()
		v.mu.Unlock()
		if done {
			return
		}
		select {
		case <-v.heard:
		case <-late:
			t.Fatalf("no %s: on %v, %v, %d said", what, v.on, v.know, len(v.said))
		}
	}
}

// Two talk while the node of one is killed: both have heard the same, and all of which they
// were told that it was said.
func TestNothingIsLostWhenANodeIsKilled(t *testing.T) {
	addr := start(t)
	ann, bob := visit(t, addr), visit(t, addr)
	for _, v := range []*visitor{ann, bob} {
		v.until(t, "cluster", func() bool { return len(v.know) == nodes && v.know["node-1"] && v.know["node-2"] && v.know["node-3"] })
	}
	const killed = 20
	var acked []string
	for i := range 60 {
		if i == killed {
			bob.Emit("kill") // right behind the answer to the last
		}
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		if _, err := bob.Request(ctx, "say", message{strconv.Itoa(i)}); err == nil {
			acked = append(acked, strconv.Itoa(i))
		}
		cancel()
	}
	if len(acked) < 30 {
		t.Errorf("only %d of 60 were said", len(acked))
	}
	last := acked[len(acked)-1]
	for _, v := range []*visitor{ann, bob} {
		v.until(t, "last message", func() bool { return slices.Contains(v.said, last) })
		missing := slices.DeleteFunc(slices.Clone(acked), func(text string) bool { return slices.Contains(v.said, text) })
		if len(missing) > 0 || len(slices.Compact(slices.Sorted(slices.Values(v.said)))) != len(v.said) {
			t.Errorf("heard %v; missing %v", v.said, missing)
		}
	}
	if !slices.Equal(ann.said, bob.said) {
		t.Errorf("two have heard another order:\n%v\n%v", ann.said, bob.said)
	}
	bob.until(t, "other node", func() bool { return len(bob.on) > 1 })
	ann.until(t, "node that comes back", func() bool { return ann.know["node-1"] && ann.know["node-2"] && ann.know["node-3"] })
}
