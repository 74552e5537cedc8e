package main

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	echoEvery = 5 * time.Millisecond
	askEvery  = 20 * time.Millisecond  // upgrades and requests
	asking    = 12 * time.Second       // at most; then only answers are waited for
	tooLate   = 60 * time.Second       // for an answer
	refused   = 300 * time.Millisecond // without an answer means that the server accepts no more
	sampling  = 100 * time.Millisecond
)

// crowd has all connections to a server, some of which have callbacks that block.
type crowd struct {
	config
	m       message
	blocked []*peer // callbacks of these block, once each
	rest    []*peer // open and silent
	echo    *peer
	request *peer // HTTP/1.1, kept open
	start   time.Time
	over    chan struct{} // closed when all callbacks have answered, or asking is over
}

// blockedCallbacks makes c.conns sockets, whose callbacks block, send a message each at
// the same moment, and measures how long others wait meanwhile: another socket's echo, an
// upgrade, an HTTP request.
func blockedCallbacks(c config) (result, error) {
	m, err := newMessage(c)
	if err != nil {
		return result{}, err
	}
	w := &crowd{config: c, m: m, over: make(chan struct{})}
	defer func() { closeAll(append(append(w.blocked, w.rest...), w.echo, w.request)) }()
	if err := w.gather(); err != nil {
		return result{}, err
	}
	for range 10 {
		if err := talk(w.echo, m); err != nil {
			return result{}, err
		}
	}
	return w.measure()
}

// gather opens all connections. With c.fill the server has no descriptor left afterwards.
func (w *crowd) gather() (err error) {
	quiet := w.config
	quiet.path = "/echo"
	if w.echo, err = upgrade(quiet, 0); err != nil {
		return err
	}
	conn, err := dial(quiet, 0)
	if err != nil {
		return err
	}
	w.request = &peer{Conn: conn, buf: make([]byte, answerRoom)}
	if err := w.ask(); err != nil {
		return err
	}
	if w.blocked, err = connect(w.config); err != nil {
		return err
	}
	quiet.conns = w.idle
	if w.rest, err = connect(quiet); err != nil || !w.fill {
		return err
	}
	w.fillUp(quiet, func(p *peer) error { return p.handshake(quiet) })
	// An upgrade may need one more descriptor than it keeps.
	return w.fillUp(quiet, func(p *peer) error { return p.get(quiet) })
}

// fillUp opens connections until one is not served; that one stays open, too.
func (w *crowd) fillUp(c config, begin func(*peer) error) error {
	for range maxFill {
		conn, err := dial(c, 0)
		if err != nil {
			return err
		}
		p := &peer{Conn: conn, buf: make([]byte, answerRoom)}
		w.rest = append(w.rest, p)
		late := time.AfterFunc(refused, func() { conn.SetDeadline(time.Now()) })
		err = begin(p)
		late.Stop()
		if err != nil {
			return nil
		}
	}
	return fmt.Errorf("the server takes %d connections: lower its -nofile", len(w.rest))
}

const maxFill = 5000

// get makes one HTTP request and waits for the answer.
func (p *peer) get(c config) error {
	c.method, c.path, c.body = "GET", "/plain", ""
	p.SetDeadline(time.Now().Add(tooLate))
	if _, err := p.Write(rawRequest(c)); err != nil {
		return err
	}
	for {
		n, err := p.Read(p.buf[p.have:])
		p.have += n
		if err != nil {
			return err
		}
		if n, err := p.answered([]byte("Hello, World!")); n > 0 || err != nil {
			return err
		}
	}
}

func (w *crowd) ask() error { return w.request.get(w.config) }

func (w *crowd) upgradeOne() error {
	c := w.config
	c.path = "/echo"
	p, err := upgrade(c, 0)
	if err == nil {
		closeAll([]*peer{p})
	}
	return err
}

func (w *crowd) measure() (result, error) {
	var echoes, upgrades, requests histogram
	var r result
	var wg sync.WaitGroup
	errs := make(chan error, 5)
	run := func(f func() error) { wg.Go(func() { errs <- f() }) }
	w.start = time.Now()
	run(func() error { return w.echoes(&echoes) })
	run(func() error { return w.repeat(&requests, w.ask) })
	if !w.fill {
		run(func() error { return w.repeat(&upgrades, w.upgradeOne) })
	}
	run(func() error { return w.watch(&r) })
	run(func() error { return w.burst(&r) })
	wg.Wait()
	close(errs)
	var err error
	for e := range errs {
		err = errors.Join(err, e)
	}
	r.P50, r.P99, r.Max = micros(echoes.quantile(0.5)), micros(echoes.quantile(0.99)), micros(echoes.quantile(1))
	r.Upgrade, r.Request = micros(upgrades.quantile(1)), micros(requests.quantile(1))
	return r, err
}

// burst sends all messages at once and waits until each has been answered or its
// connection cut by the server. Then the asking is over.
func (w *crowd) burst(r *result) error {
	var once sync.Once
	end := func() { once.Do(func() { close(w.over) }) }
	defer end()
	defer time.AfterFunc(asking, end).Stop()
	until := time.Now().Add(tooLate)
	for _, p := range w.blocked {
		p.SetDeadline(until)
		p.room(1, w.m)
		if _, err := p.Write(w.m.sent); err != nil {
			return err
		}
	}
	var cut atomic.Int64
	spread(len(w.blocked), len(w.blocked), func(i int) error {
		for {
			n, err := w.blocked[i].read(w.m)
			if err != nil {
				cut.Add(1)
			}
			if n > 0 || err != nil {
				return nil
			}
		}
	})
	r.Cut = cut.Load()
	r.Count, r.Seconds = int64(len(w.blocked))-r.Cut, time.Since(w.start).Seconds()
	return nil
}

// echoes sends messages by the clock, whether or not the last one has come back; their
// times count from when they were due.
func (w *crowd) echoes(h *histogram) error {
	w.echo.SetDeadline(w.start.Add(asking + tooLate))
	w.echo.room(int(asking/echoEvery), w.m)
	due := make(chan time.Time, asking/echoEvery+1)
	sent := make(chan error, 1)
	go func() {
		defer close(due)
		for at := w.start; w.until(at); at = at.Add(echoEvery) {
			if _, err := w.echo.Write(w.m.sent); err != nil {
				sent <- err
				return
			}
			due <- at
		}
		sent <- nil
	}()
	for have := 0; ; have-- {
		at, more := <-due
		if !more {
			return <-sent
		}
		for have == 0 {
			n, err := w.echo.read(w.m)
			if err != nil {
				return err
			}
			have += n
		}
		h.add(time.Since(at))
	}
}

// repeat does something again and again and measures each time from its beginning.
func (w *crowd) repeat(h *histogram, f func() error) error {
	for at := w.start; w.until(at); at = at.Add(askEvery) {
		begin := time.Now()
		if err := f(); err != nil {
			return err
		}
		h.add(time.Since(begin))
		if late := time.Since(at); late > askEvery {
			at = at.Add(late.Truncate(askEvery))
		}
	}
	return nil
}

// until waits for a moment; it returns false if the asking is over before.
func (w *crowd) until(at time.Time) bool {
	select {
	case <-w.over:
		return false
	case <-time.After(time.Until(at)):
		return true
	}
}

// watch records the most memory and descriptors that the server has meanwhile.
func (w *crowd) watch(r *result) error {
	for at := w.start.Add(echoEvery); w.until(at); at = at.Add(sampling) {
		memory, err := rss(w.pids...)
		if err != nil {
			return err
		}
		r.Peak = max(r.Peak, memory)
		files, err := openFiles(w.pids...)
		if err != nil {
			return err
		}
		r.Files = max(r.Files, files)
	}
	return nil
}
