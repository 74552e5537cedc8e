package main

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// meter counts what the connections do while it runs.
type meter struct {
	count atomic.Int64
	over  atomic.Bool // the measurement has ended: stop, and errors no longer matter

	mu  sync.Mutex // guards err
	err error      // first failure
}

func (m *meter) fail(err error) {
	if m.over.Load() {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.err = err
	}
}

func (m *meter) failed() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// measure runs work in n goroutines, reads the count and the server's CPU at the beginning
// and the end of the measurement, then calls stop and waits for the goroutines.
func measure(c config, n int, m *meter, work func(i int) error, stop func()) (result, error) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := work(i); err != nil {
				m.fail(err)
			}
		})
	}
	r, err := window(c, m)
	m.over.Store(true)
	stop()
	wg.Wait()
	return r, errors.Join(err, m.failed())
}

func window(c config, m *meter) (result, error) {
	time.Sleep(c.warm)
	used, err := cpu(c.pids...)
	if err != nil {
		return result{}, err
	}
	start, count := time.Now(), m.count.Load()
	time.Sleep(c.duration)
	after, err := cpu(c.pids...)
	took := time.Since(start)
	count = m.count.Load() - count
	if err != nil {
		return result{}, err
	}
	if count == 0 {
		return result{}, errors.Join(errors.New("nothing came back"), m.failed())
	}
	return result{
		Count:   count,
		Seconds: took.Seconds(),
		CPU:     float64((after - used).Nanoseconds()) / 1e3 / float64(count),
	}, nil
}

// limit returns when a connection gives up in any case.
func (c config) limit() time.Time { return time.Now().Add(c.warm + c.duration + patience) }

// open opens the connections of a WebSocket load and makes the message.
func open(c config) (*loop, []*peer, message, error) {
	m, err := newMessage(c)
	if err != nil {
		return nil, nil, m, err
	}
	peers, err := connect(c)
	if err != nil {
		return nil, nil, m, err
	}
	if c.deflate {
		err = inflates(peers[0], m)
	}
	if err != nil {
		closeAll(peers)
		return nil, nil, m, err
	}
	for _, p := range peers {
		p.room(c.inflight, m)
	}
	l, err := newLoop(peers)
	return l, peers, m, err
}

// echo keeps messages in flight on every connection. As many as one read has brought back
// are sent again in one write.
func echo(c config) (result, error) {
	l, peers, m, err := open(c)
	if err != nil {
		return result{}, err
	}
	defer l.close()
	batch := repeat(m, c.inflight)
	for i := range peers {
		if err := l.write(i, batch); err != nil {
			return result{}, err
		}
	}
	var total meter
	return measure(c, 1, &total, func(int) error {
		return l.wait(&total, c.limit(), func(i int) error {
			if err := l.read(i, peers[i]); err != nil {
				return err
			}
			n, err := peers[i].take(m)
			if n == 0 || err != nil {
				return err
			}
			total.count.Add(int64(n))
			return l.write(i, batch[:n*len(m.sent)])
		})
	}, func() {})
}

// fanout counts deliveries: the first connection sends, and everybody in the room,
// including itself, receives. A message is in flight until it has been followed by as many
// deliveries as there are connections.
func fanout(c config) (result, error) {
	l, peers, m, err := open(c)
	if err != nil {
		return result{}, err
	}
	defer l.close()
	batch := repeat(m, c.inflight)
	if err := l.write(0, batch); err != nil {
		return result{}, err
	}
	var total meter
	waiting := int64(c.conns) // deliveries until the next message
	return measure(c, 1, &total, func(int) error {
		return l.wait(&total, c.limit(), func(i int) error {
			if err := l.read(i, peers[i]); err != nil {
				return err
			}
			n, err := peers[i].take(m)
			if n == 0 || err != nil {
				return err
			}
			total.count.Add(int64(n))
			for waiting -= int64(n); waiting <= 0; waiting += int64(c.conns) {
				if err := l.write(0, m.sent); err != nil {
					return err
				}
			}
			return nil
		})
	}, func() {})
}

// firstConns is how many connections idle opens before it reads the memory, so that what
// a server needs only once does not count.
const firstConns = 100

// idle has WebSockets that have talked once.
func idle(c config) (result, error) {
	m, err := newMessage(c)
	if err != nil {
		return result{}, err
	}
	return staying(c, func(i int) (*peer, error) {
		p, err := upgrade(c, i)
		if err != nil {
			return nil, err
		}
		return p, talk(p, m)
	})
}

// staying reads the server's memory before it opens c.conns connections, and some time
// after the last of them has been used.
func staying(c config, use func(i int) (*peer, error)) (result, error) {
	peers := make([]*peer, firstConns+c.conns)
	defer func() { closeAll(peers) }()
	open := func(peers []*peer) error {
		return spread(len(peers), 8, func(i int) (err error) {
			peers[i], err = use(i)
			return err
		})
	}
	if err := open(peers[:firstConns]); err != nil {
		return result{}, err
	}
	before, err := rss(c.pids...)
	if err != nil {
		return result{}, err
	}
	goroutines, err := countGoroutines(c)
	if err != nil {
		return result{}, err
	}
	start := time.Now()
	if err := open(peers[firstConns:]); err != nil {
		return result{}, err
	}
	time.Sleep(c.settle)
	after, err := rss(c.pids...)
	if err != nil {
		return result{}, err
	}
	then, err := countGoroutines(c)
	for _, p := range peers {
		err = errors.Join(err, p.alive())
	}
	return result{
		Count:      int64(c.conns),
		Seconds:    time.Since(start).Seconds(),
		Memory:     float64(after-before) / float64(c.conns),
		Goroutines: float64(then-goroutines) / float64(c.conns),
	}, err
}

// talk sends one message, waits for its echo and keeps no buffer.
func talk(p *peer, m message) error {
	p.SetDeadline(time.Now().Add(patience))
	if _, err := p.Write(m.sent); err != nil {
		return err
	}
	p.room(1, m)
	defer func() { p.buf = nil }()
	for {
		n, err := p.read(m)
		if n > 0 || err != nil {
			return err
		}
	}
}

// handshakes connects, upgrades and leaves, again and again.
func handshakes(c config) (result, error) {
	var total meter
	return measure(c, c.conns, &total, func(i int) error {
		for !total.over.Load() {
			p, err := upgrade(c, i)
			if err != nil {
				return err
			}
			closeAll([]*peer{p})
			total.count.Add(1)
		}
		return nil
	}, func() {})
}
