// Command load puts one kind of load on a server and prints, as a line of JSON, what
// was done and what it cost the server. It speaks WebSocket and HTTP in raw bytes over
// TCP, so that no library's client is part of the measurement.
//
//	go run ./cmd/load -mode echo -addr 127.0.0.1:8080 -pid 4711 -conns 100 -inflight 16
//
// With -rate the load of echo, fanout and http has a timetable, and the time from when
// a message was due until its answer is measured.
//
// Modes: echo (-deflate to compress), fanout (every connection is in one room
// and the first one speaks), idle (every connection talks once and stays),
// handshake (connect, upgrade, leave), http (one request in flight each), blocked
// (the callbacks of all connections block at once, and others are measured), kept (every
// connection makes one HTTP request and stays), upload, download (a body of -size bytes at
// a time), events (every connection gets server-sent events).
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// config is the command line.
type config struct {
	mode, path      string
	addrs           []string // of one server, or of the nodes of one: connection i goes to number i
	pids            []int    // processes of the server, whose CPU and memory are added
	conns           int
	inflight        int // messages in flight per connection, or in the room
	size            int // bytes of a message
	binary, deflate bool
	warm, duration  time.Duration
	settle          time.Duration // idle: from the last message until memory is read
	method, body    string        // http
	origin, want    string        // http
	browser         bool          // http: with the header of a browser
	slow            string        // http with a rate: the target of some requests, whose time does not count
	rate            int           // messages per second, whatever comes back; 0: as many as are answered
	stalled         bool          // fanout with a rate: one more connection that never reads
	tls             bool          // idle, blocked
	goroutines      bool          // idle: the server answers at /goroutines
	socketIO        bool
	centrifugo      bool
	far             bool // fanout with a rate: only deliveries of other nodes than the sender's have their time taken
	idle            int  // blocked: connections that say nothing
	fill            bool // blocked: connect until the server accepts no more
}

// result is what is printed. Count counts messages echoed or delivered, handshakes,
// requests, idle connections or callbacks that have answered.
type result struct {
	Mode    string  `json:"mode"`
	Count   int64   `json:"count"`
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_us,omitempty"`    // server's user+system time per count, µs
	Memory  float64 `json:"rss_bytes,omitempty"` // server's RSS over its baseline, per connection
	Body    string  `json:"body,omitempty"`      // http: the first answer

	Goroutines float64 `json:"goroutines,omitempty"` // of the server, per connection
	P50        float64 `json:"p50_us,omitempty"`     // with a rate: time to an answer, µs
	P99        float64 `json:"p99_us,omitempty"`
	P999       float64 `json:"p999_us,omitempty"`
	Messages   int64   `json:"messages,omitempty"`     // with a rate: messages sent
	Kernel     int64   `json:"kernel_bytes,omitempty"` // with -stalled: what the kernel holds for that connection

	Max     float64 `json:"max_us,omitempty"`     // blocked: longest echo of another connection, µs
	Upgrade float64 `json:"upgrade_us,omitempty"` // blocked: longest connect and upgrade
	Request float64 `json:"request_us,omitempty"` // blocked: longest HTTP request
	Peak    int64   `json:"peak_bytes,omitempty"` // blocked: server's RSS
	Files   int     `json:"files,omitempty"`      // blocked: server's descriptors
	Cut     int64   `json:"cut,omitempty"`        // blocked: sockets that got no answer
}

func main() {
	var c config
	flag.StringVar(&c.mode, "mode", "echo", "echo, fanout, idle, handshake, http, blocked, kept, upload, download or events")
	addrs := flag.String("addr", "127.0.0.1:8080", "server's host:port, or those of its nodes, comma-separated: connections go to them in turn")
	flag.StringVar(&c.path, "path", "/echo", "request target")
	pids := flag.String("pid", "", "server's process, to read what it uses, or those of its nodes, comma-separated")
	flag.IntVar(&c.conns, "conns", 100, "connections")
	flag.IntVar(&c.inflight, "inflight", 1, "messages in flight")
	flag.IntVar(&c.size, "size", 128, "bytes per message")
	flag.BoolVar(&c.binary, "binary", false, "binary messages instead of text")
	flag.BoolVar(&c.deflate, "deflate", false, "echo: permessage-deflate without context takeover")
	flag.DurationVar(&c.warm, "warm", 500*time.Millisecond, "load before the measurement")
	flag.DurationVar(&c.duration, "duration", 3*time.Second, "measurement, at most 1m")
	flag.DurationVar(&c.settle, "settle", 3*time.Second, "idle: wait before memory is read")
	flag.StringVar(&c.method, "method", "GET", "http: method")
	flag.StringVar(&c.body, "body", "", "http: JSON body")
	flag.StringVar(&c.origin, "origin", "", "http: Origin header")
	flag.StringVar(&c.want, "want", "", "http: headers that the answer must have, comma-separated")
	flag.BoolVar(&c.browser, "browser", false, "http: send the 14 header fields of a browser")
	flag.StringVar(&c.slow, "slow", "", "http with -rate: target of one request in 100, whose time does not count")
	flag.IntVar(&c.rate, "rate", 0, "echo, fanout, http: messages per second by timetable; 0: as many as are answered")
	flag.BoolVar(&c.stalled, "stalled", false, "fanout with -rate: one more connection in the room, which never reads")
	flag.BoolVar(&c.tls, "tls", false, "idle, blocked: over TLS")
	flag.BoolVar(&c.goroutines, "goroutines", false, "idle: ask the server at /goroutines")
	flag.BoolVar(&c.socketIO, "socketio", false, "echo, fanout: as events of Socket.IO, named as the path")
	flag.BoolVar(&c.centrifugo, "centrifugo", false, "fanout: in the protocol of Centrifugo")
	flag.BoolVar(&c.far, "far", false, "fanout with -rate: take the time of deliveries by other nodes only")
	flag.IntVar(&c.idle, "idle", 0, "blocked: further connections, which send nothing")
	flag.BoolVar(&c.fill, "fill", false, "blocked: connect until the server accepts no more")
	flag.Parse()

	c.addrs = strings.Split(*addrs, ",")
	r, err := result{}, c.setPIDs(*pids)
	if err == nil {
		r, err = run(c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(r)
}

// setPIDs takes numbers that are separated by commas; "": none.
func (c *config) setPIDs(list string) error {
	for _, text := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
		pid, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("-pid: %w", err)
		}
		c.pids = append(c.pids, pid)
	}
	return nil
}

func run(c config) (result, error) {
	if c.conns < 1 || c.inflight < 1 || c.size < 0 || c.duration <= 0 || c.duration > time.Minute {
		return result{}, errors.New("need -conns and -inflight of at least 1 and a -duration of at most 1m")
	}
	if err := descriptors(c.conns + c.idle); err != nil {
		return result{}, err
	}
	modes := map[string]func(config) (result, error){
		"echo": echo, "fanout": fanout, "idle": idle, "handshake": handshakes, "http": requests,
		"blocked": blockedCallbacks, "kept": kept, "upload": uploads, "download": downloads, "events": events,
	}
	if c.rate > 0 {
		modes = map[string]func(config) (result, error){"echo": pacedEcho, "fanout": pacedFanout, "http": pacedRequests}
	}
	f := modes[c.mode]
	if f == nil {
		return result{}, fmt.Errorf("no mode %q with -rate %d", c.mode, c.rate)
	}
	r, err := f(c)
	r.Mode = c.mode
	return r, err
}
