package redial

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

const protocol = "nextrush.v1"

// Why is the reason for which a credential is asked for.
type Why uint8

const (
	First    Why = iota // before the first connection
	Again               // before a later one
	Expiring            // it will soon end, and the connection is open
	Expired             // the server has refused it
)

// attempt is one try to connect: credential, dialing, hello. It has one outcome, or none
// once it was stopped.
type attempt struct {
	c      *Client
	over   bool
	cancel context.CancelFunc
	timer  timer
	link   *link // nil: none yet
}

func (c *Client) try(why Why) *attempt {
	ctx, cancel := context.WithCancel(c.life)
	a := &attempt{c: c, cancel: cancel, timer: timer{c: c}}
	a.timer.set(c.o.ConnectTimeout, func() { a.fail(ending(1006, "timeout", ByUs), nil) })
	c.wait.Go(func() { a.run(ctx, why) })
	return a
}

// stop ends the try without an outcome.
func (a *attempt) stop() {
	a.over = true
	a.timer.clear()
	a.cancel()
	a.link.part(4001, "")
}

func (a *attempt) fail(end End, err error) {
	if !a.over {
		a.stop()
		a.c.conn.refused(end, err)
	}
}

// run waits. A connection that it opens it reads until its end.
func (a *attempt) run(ctx context.Context, why Why) {
	defer a.cancel()
	l, end, err := a.dial(ctx, why)
	if end == nil {
		end = a.begin(l)
	}
	if end == nil {
		a.c.read(l)
		return
	}
	a.failed(*end, err)
	l.drain()
}

func (a *attempt) failed(end End, err error) {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	a.fail(end, err)
}

// dial waits for a connection. err is one of the program's.
func (a *attempt) dial(ctx context.Context, why Why) (l *link, end *End, err error) {
	token, err := a.c.token(ctx, why)
	if errors.Is(err, ErrNoCredential) {
		end := closing(1000, "no credential")
		end.Err = err
		return nil, &end, nil
	}
	if err != nil {
		end := ending(1006, err.Error(), ByUs)
		end.Err = err
		return nil, &end, err
	}
	l = &link{c: a.c}
	conn, err := a.c.o.Dial(ctx, l.offer(a.c.resumes(), token))
	if err != nil {
		end := failure(err, a.c.now())
		return nil, &end, nil
	}
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	l.Conn, a.link = conn, l
	if a.over {
		l.part(4001, "")
	}
	return l, nil, nil
}

// begin waits for the hello, and has the link opened.
func (a *attempt) begin(l *link) *End {
	if a.c.o.Plain {
		return a.open(l, new(frame))
	}
	if l.Protocol() != protocol {
		end := ending(1006, "no "+protocol, ByUs)
		return &end
	}
	m, end := l.Receive()
	if end != nil {
		return end
	}
	hello := parse(m)
	if hello == nil || hello.Type != "hello" {
		end := ending(1006, "no hello", ByUs)
		return &end
	}
	return a.open(l, hello)
}

func (a *attempt) open(l *link, hello *frame) *End {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	if a.over {
		return nil // it is read until its end
	}
	a.over = true
	a.timer.clear()
	a.c.conn.opened(l, hello)
	return nil
}

// token waits for a credential.
func (c *Client) token(ctx context.Context, why Why) (token string, err error) {
	if c.o.Token == nil {
		return "", nil
	}
	defer catch(&err)
	return c.o.Token(ctx, why)
}

// catch makes an error of a panic of the program.
func catch(err *error) {
	if v := recover(); v != nil {
		*err = &PanicError{v, debug.Stack()}
	}
}

// PanicError is a panic of a function of the program.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }
