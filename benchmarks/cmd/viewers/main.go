// Command viewers watches examples/dashboard with many sockets, of which some stop
// reading, and prints, as a line of JSON, what that cost the server, how evenly the
// frames came to the others, and when those who had stopped had the newest again.
//
//	go run ./cmd/viewers -addr 127.0.0.1:3000 -pid 4711
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

type result struct {
	Viewers  int     `json:"viewers"`
	Seconds  float64 `json:"seconds"`
	CPU      float64 `json:"cpu_percent"` // of one core
	Frames   float64 `json:"frames_per_second"`
	P50      float64 `json:"p50_ms"` // between two frames of a viewer that reads
	P99      float64 `json:"p99_ms"`
	Max      float64 `json:"max_ms"`
	Stalled  int     `json:"stalled"`
	LeftOut  float64 `json:"left_out"`  // frames that one of them did not get
	Again    float64 `json:"newest_ms"` // the longest until one of them had the newest
	RSS      int64   `json:"rss_before"`
	RSSAfter int64   `json:"rss_after"` // before they read again
}

type frame struct{ T float64 }

// viewer is one socket. It reads only while somebody calls watch.
type viewer struct {
	*websocket.Socket
	last  time.Time
	gaps  []time.Duration
	count int
}

var newest atomic.Int64 // T of the newest frame that a viewer has, in microseconds

// small makes buffers and segments small, so that what waits does so in the server.
func small(_, _ string, raw syscall.RawConn) (err error) {
	failed := raw.Control(func(fd uintptr) {
		err = errors.Join(syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096),
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 536))
	})
	return errors.Join(failed, err)
}

func dial(addr string, stalls bool) (*viewer, error) {
	opts := websocket.DialOptions{Protocols: []string{websocket.Protocol}, Options: websocket.Options{PingInterval: -1, HandshakeTimeout: time.Minute}}
	if stalls {
		opts.NetDial = (&net.Dialer{Control: small}).DialContext
	}
	s, err := websocket.Dial(context.Background(), "ws://"+addr+"/live", &opts)
	return &viewer{Socket: s}, err
}

// watch takes frames until the context ends, or until one is as new as wanted.
func (v *viewer) watch(ctx context.Context, wanted int64) error {
	for {
		m, err := v.Receive(ctx)
		if err != nil {
			return err
		}
		e, ok := m.Event()
		if !ok || e.Name != "frame" {
			continue
		}
		var f frame
		if err := e.Bind(0, &f); err != nil {
			return err
		}
		now := time.Now()
		if !v.last.IsZero() {
			v.gaps = append(v.gaps, now.Sub(v.last))
		}
		v.last = now
		v.count++
		t := int64(f.T * 1e6)
		for was := newest.Load(); was < t && !newest.CompareAndSwap(was, t); was = newest.Load() {
		}
		if wanted > 0 && t >= wanted {
			return nil
		}
	}
}

func main() {
	addr := flag.String("addr", "127.0.0.1:3000", "the dashboard's host:port")
	pid := flag.Int("pid", 0, "its process")
	n := flag.Int("n", 300, "viewers that read")
	stalls := flag.Int("stalls", 10, "viewers that stop reading")
	duration := flag.Duration("duration", 30*time.Second, "measurement")
	flag.Parse()
	r, err := run(*addr, *pid, *n, *stalls, *duration)
	if err != nil {
		fmt.Fprintln(os.Stderr, "viewers:", err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(r)
}

func run(addr string, pid, n, stalls int, duration time.Duration) (r result, err error) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	reading, ended, stalled := make([]*viewer, n), make(chan error, n), make([]*viewer, stalls)
	for i := range n + stalls {
		v, err := dial(addr, i >= n)
		if err != nil {
			return r, err
		}
		if i < n {
			reading[i] = v
			go func() { ended <- v.watch(ctx, 0) }()
		} else {
			stalled[i-n] = v
		}
		time.Sleep(120 * time.Millisecond) // the limit of requests from one address
	}
	time.Sleep(3 * time.Second)
	cpu, rss, err := used(pid)
	if err != nil {
		return r, err
	}
	start := time.Now()
	time.Sleep(duration)
	after, rssAfter, err := used(pid)
	if err != nil {
		return r, err
	}
	r = result{Viewers: n, Seconds: time.Since(start).Seconds(), Stalled: stalls, RSS: rss, RSSAfter: rssAfter}
	r.CPU = 100 * (after - cpu).Seconds() / r.Seconds
	if err := r.goOn(stalled, reading[0]); err != nil {
		return r, err
	}
	stop()
	r.count(reading, ended, start, duration)
	return r, nil
}

// goOn has those who have stalled read again.
func (r *result) goOn(stalled []*viewer, other *viewer) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	start, wanted := time.Now(), newest.Load()
	took := make(chan time.Duration, len(stalled))
	failed := make(chan error, len(stalled))
	for _, v := range stalled {
		go func() {
			err := v.watch(ctx, wanted)
			took <- time.Since(start)
			failed <- err
		}()
	}
	for range stalled {
		if err := <-failed; err != nil {
			return fmt.Errorf("a viewer that had stalled: %w", err)
		}
		r.Again = max(r.Again, float64((<-took).Microseconds())/1e3)
	}
	for _, v := range stalled {
		r.LeftOut += float64(other.count-v.count) / float64(len(stalled))
	}
	return nil
}

// count waits for the viewers, and looks at what came while it was measured.
func (r *result) count(reading []*viewer, ended <-chan error, start time.Time, duration time.Duration) {
	for range reading {
		<-ended
	}
	var gaps []time.Duration
	for _, v := range reading {
		at := v.last
		for _, gap := range slices.Backward(v.gaps) {
			if at.After(start) && at.Before(start.Add(duration)) {
				gaps = append(gaps, gap)
			}
			at = at.Add(-gap)
		}
		v.Close(websocket.StatusNormalClosure, "")
	}
	slices.Sort(gaps)
	ms := func(q float64) float64 { return float64(gaps[int(q*float64(len(gaps)-1))].Microseconds()) / 1e3 }
	r.Frames = float64(len(gaps)) / float64(len(reading)) / duration.Seconds()
	r.P50, r.P99, r.Max = ms(0.5), ms(0.99), ms(1)
}

// used is what a process has used: user and system time, see proc(5), and resident bytes.
func used(pid int) (time.Duration, int64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	var n [3]int64
	for i, at := range []int{11, 12, 21} {
		if n[i], err = strconv.ParseInt(string(fields[at]), 10, 64); err != nil {
			return 0, 0, err
		}
	}
	const tick = 10 * time.Millisecond
	return time.Duration(n[0]+n[1]) * tick, n[2] * int64(os.Getpagesize()), nil
}
