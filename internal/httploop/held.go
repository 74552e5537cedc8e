package httploop

import (
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/nextrush/nextrush/internal/poll"
)

// Hold is Hijack for those who have the connection polled: the descriptor stays where it
// is until they move it.
func (x *exchange) Hold() (net.Conn, []byte, error) {
	x.mu.Lock()
	defer x.unlock()
	if err := x.mayHijack(); err != nil {
		return nil, nil, err
	}
	c := x.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == closed {
		return nil, nil, net.ErrClosed
	}
	early := slices.Clone(c.in)
	c.in = nil
	c.leaveLocked()
	x.hijacked = true
	x.ctx.giveAway()
	return &held{conn: c}, early, nil
}

// mayHijack prepares for the connection to be given away.
func (x *exchange) mayHijack() error {
	switch {
	case x.over:
		panic("net/http: Hijack called after ServeHTTP finished")
	case x.hijacked:
		return http.ErrHijacked
	}
	x.body.noContinue()
	return x.settleAll()
}

// held is a connection that nobody reads. It becomes one of package net when it is used.
type held struct {
	conn *conn

	once sync.Once
	nc   net.Conn
	err  error
}

// Move has p poll the descriptor, for owner.
func (h *held) Move(p *poll.Poller, to *poll.Conn, owner poll.Owner) error {
	h.conn.mu.Lock()
	defer h.conn.mu.Unlock()
	return h.conn.desc.Move(p, to, owner)
}

func (h *held) open() (net.Conn, error) {
	h.once.Do(func() { h.nc, h.err = h.conn.desc.Detach() })
	return h.nc, h.err
}

func (h *held) Read(b []byte) (int, error) {
	nc, err := h.open()
	if err != nil {
		return 0, err
	}
	return nc.Read(b)
}

func (h *held) Write(b []byte) (int, error) {
	nc, err := h.open()
	if err != nil {
		return 0, err
	}
	return nc.Write(b)
}

func (h *held) Close() error {
	nc, err := h.open()
	if err != nil {
		return err
	}
	return nc.Close()
}

func (h *held) set(set func(net.Conn) error) error {
	nc, err := h.open()
	if err != nil {
		return err
	}
	return set(nc)
}

func (h *held) SetDeadline(t time.Time) error {
	return h.set(func(nc net.Conn) error { return nc.SetDeadline(t) })
}

func (h *held) SetReadDeadline(t time.Time) error {
	return h.set(func(nc net.Conn) error { return nc.SetReadDeadline(t) })
}

func (h *held) SetWriteDeadline(t time.Time) error {
	return h.set(func(nc net.Conn) error { return nc.SetWriteDeadline(t) })
}

// CloseWrite tells the peer that no more comes.
func (h *held) CloseWrite() error {
	return h.set(func(nc net.Conn) error { return nc.(interface{ CloseWrite() error }).CloseWrite() })
}

func (h *held) LocalAddr() net.Addr {
	if nc, err := h.open(); err == nil {
		return nc.LocalAddr()
	}
	return nil
}

func (h *held) RemoteAddr() net.Addr {
	if nc, err := h.open(); err == nil {
		return nc.RemoteAddr()
	}
	return nil
}
