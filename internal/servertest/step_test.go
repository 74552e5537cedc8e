package servertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// step is what the client does next, or waits for.
type step func(p *play)

func steps(s ...step) []step { return s }

// send writes bytes. That the server has closed the connection shows in the steps that read.
func send(s string) step {
	return func(p *play) {
		if _, err := io.WriteString(p.link, s); errors.Is(err, os.ErrDeadlineExceeded) {
			p.Fatalf("the server does not read: %.80q", s)
		}
	}
}

// sendRepeated writes s many times; the server need not read all of it.
func sendRepeated(s string, times int) step {
	return func(p *play) {
		conn := p.link.Conn
		go func() {
			for range times {
				if _, err := io.WriteString(conn, s); err != nil {
					return
				}
			}
		}()
	}
}

// slowly writes bytes one by one, each when the server has read the one before.
func slowly(s string) step {
	return func(p *play) {
		for i := range len(s) {
			send(s[i : i+1])(p)
			p.link.read(p)
		}
	}
}

// inTwo writes bytes in two parts, the second when the server has read the first.
func inTwo(s string, at int) step {
	return func(p *play) {
		send(s[:at])(p)
		p.link.read(p)
		send(s[at:])(p)
	}
}

// answer waits for a whole answer.
func answer(p *play) { p.Helper(); p.link.answer(p.T, false) }

// headAnswer waits for an answer to HEAD.
func headAnswer(p *play) { p.Helper(); p.link.answer(p.T, true) }

// until waits for bytes that end with text.
func until(text string) step { return func(p *play) { p.link.until(p.T, text) } }

// await waits until a handler reaches a point.
func await(point string) step {
	return func(p *play) {
		select {
		case <-p.point(point):
		case <-time.After(patience):
			p.Fatalf("no handler reaches %q; got %q", point, p.link.got)
		}
	}
}

// logged waits until the server has logged a text.
func logged(text string) step {
	return func(p *play) {
		for !p.hasLogged(text) {
			await("log")(p)
		}
	}
}

func (p *play) hasLogged(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Contains(p.log.Bytes(), []byte(text))
}

// let has a handler go on that is held at a point.
func let(point string) step { return func(p *play) { p.reach(point) } }

// nothing says that the server has sent nothing that no step has waited for. It is true
// too of what comes a little later, so it follows a step that waits.
func nothing(p *play) {
	if len(p.link.untaken()) > 0 || p.link.readable() {
		p.Fatalf("the server sends early: %q", p.link.untaken())
	}
}

func halfClose(p *play) {
	p.link.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// leave closes the connection as a client that has read everything.
func leave(p *play) { p.link.Close() }

// reset has the server get a reset.
func reset(p *play) {
	if c, ok := p.link.Conn.(*net.TCPConn); ok {
		c.SetLinger(0)
	}
	p.link.Close()
}

// eof waits until the server closes the connection.
func eof(p *play) {
	p.Helper()
	for p.link.more(p.T) {
	}
	p.link.taken = len(p.link.got)
}

// gracefully is eof, and fails if the client would have lost what it had not read yet.
func gracefully(p *play) {
	p.Helper()
	if eof(p); p.link.end != "closed" {
		p.Errorf("the connection was reset after %q", p.link.got)
	}
}

// kept checks that the connection can still be used.
func kept(p *play) {
	p.Helper()
	send("GET /sentinel HTTP/1.1\r\nHost: a\r\n\r\n")(p)
	p.link.until(p.T, "HTTP/1.1 204 No Content\r\n")
	p.link.until(p.T, "\r\n\r\n")
}

// sentinel is a request that ends a script. It is answered if the server has kept the
// connection, and understood where the request before it ends.
const sentinel = "GET /sentinel HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

// on has steps use a new connection, or one that was dialled before.
func on(name string, s ...step) step {
	return func(p *play) {
		before := p.link
		defer func() { p.link = before }()
		p.use(name)
		for _, step := range s {
			step(p)
		}
	}
}

func (p *play) use(name string) {
	for _, l := range p.links {
		if l.name == name {
			p.link = l
			return
		}
	}
	p.dial(name)
}

// shutdown begins to end the server; the point "down" is reached when it has ended.
func shutdown(p *play) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := p.server.Shutdown(ctx); err != nil {
			p.note("shutdown: %v", err)
		}
		p.reach("down")
	}()
}

// closeServer ends the server at once.
func closeServer(p *play) { p.server.Close() }
