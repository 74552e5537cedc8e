package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// sample is what cmd/load prints.
type sample struct {
	Count   int64   `json:"count"`
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_us"`
	Memory  float64 `json:"rss_bytes"`
	P50     float64 `json:"p50_us"`
	P99     float64 `json:"p99_us"`
	P999    float64 `json:"p999_us"`
}

// apply loads the nodes; connections go to them in turn.
func (b *bench) apply(f *fleet, args ...string) (s sample, err error) {
	addrs, pids := f.each()
	args = append([]string{"-addr", addrs, "-pid", pids, "-duration", b.duration.String()}, args...)
	switch f.server {
	case "socket.io":
		args = append(args, "-socketio", "-warm", "2s") // until the JIT compiler is done
	case "centrifugo":
		args = append(args, "-centrifugo")
	}
	text, err := command(loadCore, nil, b.load(), args...).Output()
	if err != nil {
		return s, fmt.Errorf("%s: %w", f.server, err)
	}
	return s, json.Unmarshal(text, &s)
}

// once loads two fresh nodes, or one.
func (b *bench) once(server string, args ...string) (s sample, err error) {
	n := 2
	if server == "one" {
		n = 1
	}
	f, err := b.start(server, n, serverCore)
	if err != nil {
		return s, err
	}
	defer f.close()
	return b.apply(f, append([]string{"-mode", "fanout", "-path", "/room"}, args...)...)
}

// fanouts are the loads of fanout. In a window, the members at the node of the sender are
// done before the others, and have it send on: it never sends as much together as one node
// alone does. With a timetable both send one message at a time.
var fanouts = []struct {
	name string
	load []string
}{
	{"16 outstanding", []string{"-inflight", "16"}},
	{"1 outstanding", []string{"-inflight", "1"}},
	{"50 messages a second", []string{"-rate", "50"}},
}

// fanout compares the CPU of two nodes together with that of one alone.
func (b *bench) fanout() error {
	for _, c := range fanouts {
		servers := b.among("one", "redis", "nats", "socket.io", "centrifugo")
		took := make(map[string][]float64)
		for range b.rounds {
			for _, server := range servers {
				s, err := b.once(server, append([]string{"-conns", "1000"}, c.load...)...)
				if err != nil {
					return err
				}
				took[server] = append(took[server], s.CPU)
			}
		}
		fmt.Printf("\n## Fan-out to 1,000 over two nodes, %s, 128 B\n\n| server | µs CPU/delivery | × one node | rounds |\n|---|---:|---:|---|\n", c.name)
		for _, server := range servers {
			fmt.Printf("| %s | %.2f | %.2f | %.2f |\n", server, median(took[server]), median(took[server])/median(took["one"]), took[server])
		}
	}
	return nil
}

// latency measures how long a message takes from a client of one node to those of another
// one, at half of the rate that the two reach.
func (b *bench) latency() error {
	for _, conns := range []int{2, 20, 1000} {
		servers := b.among("redis", "nats", "socket.io", "centrifugo")
		took := make(map[string][]sample)
		rate := make(map[string]float64)
		size := []string{"-conns", strconv.Itoa(conns)}
		for range b.rounds {
			for _, server := range servers {
				full, err := b.once(server, append(size, "-inflight", "16")...)
				if err != nil {
					return err
				}
				rate[server] = max(1, float64(full.Count)/full.Seconds/float64(conns)/2)
				half, err := b.once(server, append(size, "-rate", strconv.Itoa(int(rate[server])), "-far")...)
				if err != nil {
					return err
				}
				took[server] = append(took[server], half)
			}
		}
		fmt.Printf("\n## From one node to another, %d in the room, at half of what is reached\n\n| server | messages/s | p50 µs | p99 µs | p99.9 µs |\n|---|---:|---:|---:|---:|\n", conns)
		for _, server := range servers {
			at := func(f func(sample) float64) float64 { return median(each(took[server], f)) }
			fmt.Printf("| %s | %.0f | %.0f | %.0f | %.0f |\n", server, rate[server], at(func(s sample) float64 { return s.P50 }),
				at(func(s sample) float64 { return s.P99 }), at(func(s sample) float64 { return s.P999 }))
		}
	}
	return nil
}

func each[T any](list []T, f func(T) float64) (values []float64) {
	for _, v := range list {
		values = append(values, f(v))
	}
	return values
}

// publish measures the CPU of a node that publishes to a room in which somebody is at
// another node alone.
func (b *bench) publish() error {
	fmt.Printf("\n## CPU of the node that publishes, events of 100 B\n\n| server | room | messages/s | µs CPU/publish |\n|---|---|---:|---:|\n")
	servers := b.among("redis", "nats", "socket.io")
	if b.has("nats") {
		servers = append(servers, "nats-kept")
	}
	for _, server := range servers {
		for _, room := range roomsOf[server] {
			for _, rate := range []int{0, 10_000, 1000} {
				if err := b.publishTo(server, room, rate); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// roomsOf are those that something is published to.
var roomsOf = map[string][]string{"redis": {"all", "kept/all"}, "nats": {"all"}, "nats-kept": {"kept/all"}, "socket.io": {"all"}}

func (b *bench) publishTo(server, room string, rate int) error {
	n := 2
	if server == "nats-kept" {
		n = 3
	}
	f, err := b.start(server, n, serverCore)
	if err != nil {
		return err
	}
	defer f.close()
	reader, err := f.dial(f.nodes[1], "room="+room)
	if err != nil {
		return err
	}
	defer reader.Close(0, "")
	if err := f.watched(); err != nil {
		return err
	}
	n = int(b.duration.Seconds() * cmp.Or(float64(rate), 100_000))
	var costs []cost
	for range b.rounds + 1 {
		var c cost
		if err := f.nodes[0].get(fmt.Sprintf("/publish?room=%s&n=%d&rate=%d", room, n, rate), &c); err != nil {
			return err
		}
		costs = append(costs, c)
	}
	if err := f.arrived(int64(len(costs) * n)); err != nil {
		return err
	}
	costs = slices.Delete(costs, 0, 1) // while all is new
	fmt.Printf("| %s | %s | %.0f | %.2f |\n", server, room, median(each(costs, func(c cost) float64 { return float64(n) / c.Seconds })),
		median(each(costs, func(c cost) float64 { return c.CPU })))
	return nil
}

// watched waits until the other node of ours receives what is sent to the room: the reader is
// connected before it has joined.
func (f *fleet) watched() error {
	if f.server == "socket.io" {
		return nil
	}
	return await(func() bool {
		s, err := f.nodes[1].stats()
		return err == nil && s.Cluster.Rooms > 0
	})
}

// arrived checks that a node of ours has got what another one has published.
func (f *fleet) arrived(n int64) error {
	if f.server == "socket.io" {
		return nil
	}
	var s stats
	err := await(func() bool {
		var err error
		s, err = f.nodes[1].stats()
		return err == nil && s.Cluster.Received >= n
	})
	if err != nil {
		return fmt.Errorf("%d messages were published, and the other node has counted %+v", n, s.Cluster)
	}
	return nil
}
