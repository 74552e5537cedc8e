package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

// bench keeps connections busy, each with one request or message in flight.
func bench(ctx context.Context, args []string, t terminal) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	conns := flags.Int("conns", 50, "connections")
	duration := flags.Duration("duration", 5*time.Second, "how long")
	size := flags.Int("size", 128, "bytes of a message; the server must answer each with one")
	url, err := parse(flags, args, t, "URL")
	if err != nil {
		return err
	}
	if *conns < 1 || *duration <= 0 || *size < 0 {
		return fmt.Errorf("bench: -conns and -duration must be positive, -size not negative")
	}
	open := requester
	if strings.HasPrefix(url, "ws") {
		open = messenger(*size)
	}
	var steps []func(context.Context) error
	for range *conns {
		step, end, err := open(ctx, url)
		if err != nil {
			return err
		}
		defer end()
		steps = append(steps, step)
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, *duration)
	defer cancel()
	o := measure(ctx, steps)
	report(t, o, time.Since(began))
	if o.failed == len(steps) {
		return fmt.Errorf("bench: all connections failed: %w", o.first)
	}
	return nil
}

// requester sends GET requests over a connection of its own.
func requester(_ context.Context, url string) (step func(context.Context) error, end func(), err error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	client := &http.Client{Transport: transport}
	step = func(ctx context.Context) error {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		res, err := client.Do(r)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			return err
		}
		if res.StatusCode >= http.StatusBadRequest {
			return fmt.Errorf("status %s", res.Status)
		}
		return nil
	}
	return step, transport.CloseIdleConnections, nil
}

// messenger sends a message and waits for one.
func messenger(size int) func(context.Context, string) (func(context.Context) error, func(), error) {
	text := strings.Repeat("x", size)
	return func(ctx context.Context, url string) (func(context.Context) error, func(), error) {
		s, err := websocket.Dial(ctx, url, nil)
		if err != nil {
			return nil, nil, err
		}
		step := func(ctx context.Context) error {
			if err := s.SendText(text); err != nil {
				return err
			}
			_, err := s.Receive(ctx)
			return err
		}
		return step, func() { s.Close(websocket.StatusNormalClosure, "") }, nil
	}
}

// outcome is what was measured on one connection, or on all of them.
type outcome struct {
	took   []time.Duration
	failed int
	first  error
}

// measure runs the steps until ctx ends; steps that this cuts short do not count.
func measure(ctx context.Context, steps []func(context.Context) error) (all outcome) {
	var mu sync.Mutex // guards all
	var wg sync.WaitGroup
	for _, step := range steps {
		wg.Go(func() {
			one := repeat(ctx, step)
			mu.Lock()
			defer mu.Unlock()
			all.took = append(all.took, one.took...)
			all.failed += one.failed
			if all.first == nil {
				all.first = one.first
			}
		})
	}
	wg.Wait()
	return all
}

// repeat runs step until ctx ends or the step fails.
func repeat(ctx context.Context, step func(context.Context) error) (o outcome) {
	for {
		began := time.Now()
		err := step(ctx)
		if ctx.Err() != nil {
			return o
		}
		if err != nil {
			o.failed, o.first = 1, err
			return o
		}
		o.took = append(o.took, time.Since(began))
	}
}

func report(t terminal, o outcome, took time.Duration) {
	slices.Sort(o.took)
	fmt.Fprintf(t.out, "%d in %v: %.0f a second\n", len(o.took), took.Round(time.Millisecond), float64(len(o.took))/took.Seconds())
	if n := len(o.took); n > 0 {
		for _, p := range []float64{50, 90, 99, 99.9} {
			fmt.Fprintf(t.out, "%5.1f %% within %v\n", p, o.took[min(n-1, int(float64(n)*p/100))].Round(time.Microsecond))
		}
	}
	if o.failed > 0 {
		fmt.Fprintf(t.out, "%d connections failed, the first with: %v\n", o.failed, o.first)
	}
}
