package servertest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience tells soon from never.
const patience = 20 * time.Second

// brief is a time-out that is to pass, and long enough to do something before.
const brief = 500 * time.Millisecond

// handler answers a request of a case; the play takes notes.
type handler func(p *play, w http.ResponseWriter, r *http.Request)

// testCase is what is sent, and who answers it.
type testCase struct {
	name    string // begins with the number of the behaviour
	text    string // by which it differs from its neighbours, if it does by that alone
	config  config
	handler handler // nil: echo
	send    string  // followed by the sentinel, if there is no script
	script  []step
	tcp     bool // not for Unix sockets
	dechunk bool // what is a chunk is left to the server

	// strict names the case whose transcript that of a strict server is, where net/http is
	// lax.
	strict string
	// differs names the servers whose transcript is another one, and says why. Theirs is in
	// testdata too.
	differs map[string]string
}

// play is one run of a case against one server.
type play struct {
	*testing.T
	server  running
	ln      net.Listener
	handler handler

	formFile string // of 52

	links []*link // in the order in which they were dialled
	link  *link   // that the steps are about

	done chan struct{} // the script is over: nobody waits any longer

	mu       sync.Mutex // guards what follows
	handlers int        // that have not returned
	returned *sync.Cond // handlers is 0
	notes    []string
	log      bytes.Buffer
	points   map[string]chan struct{}
}

// run plays a case and returns its transcript.
func (c testCase) run(t *testing.T, kind serverKind, network string) string {
	p := c.begin(t, kind, network)
	defer p.end()
	p.dial("")
	script := c.script
	if script == nil {
		script = steps(send(c.send+sentinel), eof)
	}
	for _, s := range script {
		s(p)
	}
	p.end()
	return p.transcript(c.dechunk)
}

// begin starts the server of a case.
func (c testCase) begin(t *testing.T, kind serverKind, network string) *play {
	p := &play{T: t, handler: c.handler, done: make(chan struct{}), points: make(map[string]chan struct{})}
	p.returned = sync.NewCond(&p.mu)
	if p.handler == nil {
		p.handler = echo
	}
	config := c.config
	config.handler, config.log = p, (*logger)(p)
	if config.maxHeaderBytes == 0 {
		config.maxHeaderBytes = 64 << 10
	}
	p.ln = listen(t, network)
	p.server = kind.start(config, p.ln)
	return p
}

// end hangs up and waits for the server, the handlers and the log.
func (p *play) end() {
	select {
	case <-p.done:
		return
	default:
	}
	closed := true
	for _, l := range p.links {
		closed = closed && l.end != ""
		l.Close()
	}
	close(p.done)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if closed || p.Failed() || p.server.Shutdown(ctx) != nil {
		p.server.Close()
	}
	p.wait()
}

// enter counts a handler in, or a goroutine of one, until its result is called.
func (p *play) enter() (leave func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handlers++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.handlers--; p.handlers == 0 {
			p.returned.Broadcast()
		}
	}
}

// wait waits for all handlers.
func (p *play) wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.handlers > 0 {
		p.returned.Wait()
	}
}

// later runs f when the handler may have returned.
func (p *play) later(f func()) {
	leave := p.enter()
	go func() {
		defer leave()
		f()
	}()
}

// dial opens a connection that the next steps are about.
func (p *play) dial(name string) {
	p.Helper()
	conn, err := net.DialTimeout(p.ln.Addr().Network(), p.ln.Addr().String(), patience)
	if err != nil {
		p.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	p.link = &link{Conn: conn, name: name}
	p.links = append(p.links, p.link)
}

// ServeHTTP notes what the handler sees.
func (p *play) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/sentinel" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	defer p.enter()()
	p.noteRequest(r)
	p.handler(p, w, r)
}

// note adds a line to the transcript.
func (p *play) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

// point is where a handler and the script meet.
func (p *play) point(name string) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.points[name] == nil {
		p.points[name] = make(chan struct{}, 100)
	}
	return p.points[name]
}

// reach lets the step await(name) go on.
func (p *play) reach(name string) {
	select {
	case p.point(name) <- struct{}{}:
	default: // nobody waits so often
	}
}

// hold waits for the step let(name), or the end of the script.
func (p *play) hold(name string) {
	select {
	case <-p.point(name):
	case <-p.done:
	}
}

// logger is the error log of the server.
type logger play

func (l *logger) Write(b []byte) (int, error) {
	l.mu.Lock()
	n, err := l.log.Write(b)
	l.mu.Unlock()
	(*play)(l).reach("log")
	return n, err
}

// transcript is what is compared.
func (p *play) transcript(dechunk bool) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for _, l := range p.links {
		l.render(&b, dechunk)
	}
	for _, n := range p.notes {
		b.WriteString("@ " + n + "\n")
	}
	for line := range strings.Lines(p.log.String()) {
		if line = tidyLog(line); line != "" {
			b.WriteString("# " + line)
		}
	}
	return b.String()
}
