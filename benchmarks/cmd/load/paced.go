package main

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"
)

// paced is a load with a timetable, whatever the server does. If a message leaves late
// because the server, or this load, was slow, the delay is part of the result: times count
// from when a message was due (no coordinated omission).
type paced struct {
	loop  *loop
	peers []*peer
	bytes []byte                     // of one message or request
	take  func(p *peer) (int, error) // removes complete answers
	one   bool                       // the first connection sends all, and every connection gets an answer
	turns bool                       // HTTP: no request before the answer to the previous one
	slow  []byte                     // HTTP: sent instead in one of slowEvery turns, whose time does not count; nil: never
	nodes int                        // that have a connection each in turn, of which that of the sender does not count; 0: all count

	rate  float64 // messages per second
	warm  int     // messages that do not count
	total int     // messages
	start time.Time
	sent  int
	asked []int // messages by connection
	got   []int // answers by connection
	done  int   // answers
	took  histogram
}

// due returns when message n must leave, counted from the start.
func (p *paced) due(n int) time.Duration {
	return time.Duration(float64(n) / p.rate * float64(time.Second))
}

// number returns the number of the message whose answer came k-th on connection i.
func (p *paced) number(i, k int) int {
	if p.one {
		return k
	}
	return i + k*len(p.peers)
}

// run sends everything, waits for the last answer, and returns the server's CPU from the
// end of the warm-up to the last message.
func (p *paced) run(c config) (result, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p.rate = float64(c.rate)
	p.warm = int(p.rate * c.warm.Seconds())
	p.total = p.warm + max(1, int(p.rate*c.duration.Seconds()))
	p.asked, p.got = make([]int, len(p.peers)), make([]int, len(p.peers))
	p.start = time.Now()
	if err := p.until(p.warm); err != nil {
		return result{}, err
	}
	used, err := cpu(c.pids...)
	if err != nil {
		return result{}, err
	}
	if err := p.until(p.total); err != nil {
		return result{}, err
	}
	after, err := cpu(c.pids...)
	if err != nil {
		return result{}, err
	}
	seconds := (p.due(p.total) - p.due(p.warm)).Seconds()
	if err := p.drain(); err != nil {
		return result{}, err
	}
	return result{
		Count:    p.took.count,
		Seconds:  seconds,
		CPU:      float64((after - used).Nanoseconds()) / 1e3 / float64(p.took.count),
		Messages: int64(p.total),
		P50:      micros(p.took.quantile(0.5)),
		P99:      micros(p.took.quantile(0.99)),
		P999:     micros(p.took.quantile(0.999)),
	}, nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// until sends what is due before message n, and reads what arrives meanwhile. It never
// sleeps, as a sleep would end late.
func (p *paced) until(n int) error {
	for p.sent < n {
		for now := time.Since(p.start); p.sent < n && p.due(p.sent) <= now; p.sent++ {
			if err := p.send(); err != nil {
				return err
			}
		}
		if err := p.poll(); err != nil {
			return err
		}
	}
	return nil
}

func (p *paced) send() error {
	i := p.sent % len(p.peers)
	if p.one {
		i = 0
	}
	p.asked[i]++
	if p.turns && p.asked[i]-p.got[i] > 1 {
		return nil
	}
	return p.loop.write(i, p.next(i))
}

const slowEvery = 100

// isSlow reports whether message k of connection i is a slow one.
func (p *paced) isSlow(i, k int) bool { return p.slow != nil && (i+k)%slowEvery == 0 }

// next is what connection i sends when all before it is answered.
func (p *paced) next(i int) []byte {
	if p.isSlow(i, p.got[i]) {
		return p.slow
	}
	return p.bytes
}

func (p *paced) drain() error {
	answers := p.total
	if p.one {
		answers *= len(p.peers)
	}
	for end := time.Now().Add(patience); p.done < answers; {
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d answers never came", answers-p.done, answers)
		}
		if err := p.poll(); err != nil {
			return err
		}
	}
	return nil
}

func (p *paced) poll() error {
	n, err := syscall.EpollWait(p.loop.epoll, p.loop.events, 0)
	if err != nil && err != syscall.EINTR {
		return err
	}
	for _, e := range p.loop.events[:max(n, 0)] {
		if err := p.ready(int(e.Fd)); err != nil {
			return err
		}
	}
	return nil
}

func (p *paced) ready(i int) error {
	if err := p.loop.read(i, p.peers[i]); err != nil {
		return err
	}
	n, err := p.take(p.peers[i])
	now := time.Since(p.start)
	for range n {
		if number := p.number(i, p.got[i]); number >= p.warm && p.counts(i) && !p.isSlow(i, p.got[i]) {
			p.took.add(now - p.due(number))
		}
		p.got[i]++
		p.done++
	}
	if err == nil && n > 0 && p.turns && p.asked[i] > p.got[i] {
		err = p.loop.write(i, p.next(i))
	}
	return err
}

// counts reports whether the time of what comes by a connection is taken.
func (p *paced) counts(i int) bool { return p.nodes == 0 || i%p.nodes != 0 }

func pacedEcho(c config) (result, error)   { return pacedSockets(c, false) }
func pacedFanout(c config) (result, error) { return pacedSockets(c, true) }

func pacedSockets(c config, one bool) (r result, err error) {
	l, peers, m, err := open(c)
	if err != nil {
		return r, err
	}
	defer l.close()
	if c.stalled {
		s, err := stall(c)
		if err != nil {
			return r, err
		}
		defer s.Close()
		defer func() { err = errors.Join(err, s.stuck(&r)) }()
	}
	p := paced{loop: l, peers: peers, bytes: m.sent, one: one,
		take: func(p *peer) (int, error) { return p.take(m) }}
	if c.far {
		p.nodes = len(c.addrs)
	}
	return p.run(c)
}

func pacedRequests(c config) (result, error) {
	l, peers, first, err := openHTTP(c)
	if err != nil {
		return result{}, err
	}
	defer l.close()
	p := paced{loop: l, peers: peers, bytes: rawRequest(c), turns: true,
		take: func(p *peer) (int, error) { return p.answered(first) }}
	if c.slow != "" {
		c.path = c.slow
		p.slow = rawRequest(c)
	}
	r, err := p.run(c)
	r.Body = string(first)
	return r, err
}
