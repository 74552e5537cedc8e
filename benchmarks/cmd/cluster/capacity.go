package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

const (
	held     = 10_000
	atFirst  = 100 // sockets before memory is read, so that what is needed once does not count
	settling = 3 * time.Second
)

// holdings are what sockets are in; %d is the number of the socket.
var holdings = []struct{ name, query string }{
	{"in no room", ""},
	{"in 1 room", "room=r0"},
	{"in 10 rooms", "room=r0&room=r1&room=r2&room=r3&room=r4&room=r5&room=r6&room=r7&room=r8&room=r9"},
	{"in a room of its own", "room=own/%d"},
	{"in a room of its own, with history", "room=kept/%d"},
	{"of a user each, in one room with presence", "room=crowd/0&user=u%d"},
}

// capacity measures what a node and what is beside it need for sockets that do nothing.
func (b *bench) capacity() error {
	fmt.Printf("\n## Bytes for each of %d sockets\n\n| server | sockets | of their node | of Redis, or the other node |\n|---|---|---:|---:|\n", held)
	for _, server := range b.among("one", "redis", "nats") {
		for _, h := range holdings {
			if server == "nats" && strings.Contains(h.query, "kept") {
				continue
			}
			if err := b.hold(server, h.name, h.query); err != nil {
				return fmt.Errorf("%s: %s: %w", server, h.name, err)
			}
		}
	}
	return nil
}

func (b *bench) hold(server, name, query string) error {
	var node, beside []float64
	for range b.rounds {
		n, o, err := b.holdOnce(server, query)
		if err != nil {
			return err
		}
		node, beside = append(node, n), append(beside, o)
	}
	fmt.Printf("| %s | %s | %.0f | %.0f |\n", server, name, median(node), median(beside))
	return nil
}

func (b *bench) holdOnce(server, query string) (node, beside float64, err error) {
	n := 2
	if server == "one" {
		n = 1
	}
	f, err := b.start(server, n, serverCore)
	if err != nil {
		return 0, 0, err
	}
	defer f.close()
	first, err := f.hold(0, atFirst, query)
	if err != nil {
		return 0, 0, err
	}
	nodeBefore, besideBefore, err := f.memory()
	if err != nil {
		return 0, 0, err
	}
	all, err := f.hold(atFirst, held, query)
	defer func() {
		f.close() // first, so that no port of ours waits
		closeAll(slices.Concat(first, all))
	}()
	if err != nil {
		return 0, 0, err
	}
	node, beside, err = f.memory()
	return (node - nodeBefore) / held, (beside - besideBefore) / held, err
}

// hold opens n sockets of the first node, a few at a time, and waits until all is quiet.
func (f *fleet) hold(from, n int, query string) ([]*websocket.Socket, error) {
	const workers = 8
	sockets, errs := make([]*websocket.Socket, n), make([]error, workers)
	var opening sync.WaitGroup
	for w := range workers {
		opening.Go(func() {
			for i := w; i < n && errs[w] == nil; i += workers {
				sockets[i], errs[w] = f.dial(f.nodes[0], strings.ReplaceAll(query, "%d", fmt.Sprint(from+i)))
			}
		})
	}
	opening.Wait()
	time.Sleep(settling)
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return sockets, nil
}

// memory is that of the first node, and of Redis or the other node.
func (f *fleet) memory() (node, beside float64, err error) {
	if node, err = f.nodes[0].memory(); err != nil || len(f.nodes) == 1 {
		return node, 0, err
	}
	if f.redis != nil {
		beside, err = f.redis.memory()
	} else {
		beside, err = f.nodes[1].memory()
	}
	return node, beside, err
}

// memory is what of a process is resident, in bytes.
func (p *process) memory() (float64, error) {
	b, err := os.ReadFile("/proc/" + p.pid() + "/status")
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(b), "\nVmRSS:")
	var kilobytes float64
	_, err = fmt.Sscan(after, &kilobytes)
	return kilobytes * 1024, err
}
