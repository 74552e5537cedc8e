package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nextrush/nextrush/internal/listen"
)

// lookEvery is the pause between two looks at the files. After a change they have to stay as
// they are for as long: editors save one after the other.
const lookEvery = 200 * time.Millisecond

// dev runs a program, again after each change, behind a server that outlives it.
func dev(ctx context.Context, args []string, t terminal) error {
	var forProgram []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, forProgram = args[:i], args[i+1:]
	}
	flags := flag.NewFlagSet("dev", flag.ContinueOnError)
	addr := flags.String("addr", "", "address to open in the browser, as Listen takes it; empty: the port in the environment variable PORT, or 3000")
	more := flags.String("watch", "", "extensions of more files to watch, as in json,md")
	dir, err := parseFolder(flags, args, t)
	if err != nil {
		return err
	}
	source, err := locate(ctx, dir)
	if err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	temp, err := os.MkdirTemp("", "nextrush")
	if err != nil {
		return fmt.Errorf("dev: %w", err)
	}
	defer os.RemoveAll(temp)
	ln, err := listen.On(*addr)
	if err != nil {
		return fmt.Errorf("dev: %w: -addr takes another address", err)
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	f := newFront()
	server := &http.Server{Handler: f, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	s := workshop{source: source, args: forProgram, temp: temp, front: f, t: t, url: listen.URL(ln.Addr(), false),
		watcher: watcher{source.root, append(slices.Clip(extensions), split(*more)...)}}
	fmt.Fprintln(t.err, "nextrush: building for", s.url)
	s.work(ctx)
	f.close()
	server.Close()
	<-served
	return nil
}

// split reads extensions, with and without a dot.
func split(list string) (all []string) {
	for name := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		all = append(all, "."+strings.TrimPrefix(name, "."))
	}
	return all
}

// workshop builds and runs a program.
type workshop struct {
	source  source
	args    []string // of the program
	temp    string   // for what is built
	front   *front
	url     string // of the front
	t       terminal
	watcher watcher

	seen    snapshot // of which the program is made
	builds  int
	running *process // nil: none
}

// work returns when ctx ends, and the program with it.
func (s *workshop) work(ctx context.Context) {
	defer s.stop()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	s.renew(ctx, s.watcher.look())
	for ctx.Err() == nil {
		var listens, ended chan struct{}
		if s.running != nil {
			listens, ended = s.running.listens, s.running.ended
		}
		select {
		case <-ctx.Done():
		case <-listens:
			s.running.listens = nil
			s.front.pass(s.running.addr)
			fmt.Fprintln(s.t.err, "nextrush: ready at", s.url)
		case <-ended:
			s.lost()
		case <-tick.C:
			if now := s.watcher.look(); !maps.Equal(now, s.seen) {
				s.renew(ctx, now)
			}
		}
	}
}

func (s *workshop) stop() {
	if s.running != nil {
		s.running.stop()
		s.running = nil
	}
}

// lost tells that the program has ended by itself. It starts again after a change only: it
// would fail in the same way.
func (s *workshop) lost() {
	p := s.running
	s.stop()
	fmt.Fprintf(s.t.err, "nextrush: the program has ended: %v; it starts again after a change\n", p.err)
	s.front.fail("The program has ended: "+p.err.Error(), p.said.String())
}

// renew builds the program of the files, and starts it instead of the one that runs. If they
// change meanwhile, it builds again: at the next look they may be as they were.
func (s *workshop) renew(ctx context.Context, now snapshot) {
	s.front.wait()
	if s.seen != nil {
		fmt.Fprintln(s.t.err, "nextrush: changed:", s.watcher.changes(s.seen, now))
	}
	s.seen = s.settle(ctx, now)
	s.builds++
	into := filepath.Join(s.temp, strconv.Itoa(s.builds))
	var problems tail
	err := os.Mkdir(into, 0o700)
	var file string
	if err == nil {
		file, err = s.source.build(ctx, into, io.MultiWriter(s.t.err, &problems))
	}
	if ctx.Err() != nil {
		return
	}
	if now := s.watcher.look(); !maps.Equal(now, s.seen) {
		s.renew(ctx, now)
		return
	}
	s.stop()
	if err == nil {
		s.running, err = start(file, s.args, s.source.work, s.t)
	}
	if err != nil {
		fmt.Fprintf(s.t.err, "nextrush: %v\n", err)
		s.front.fail(strings.ToUpper(err.Error()[:1])+err.Error()[1:], problems.String())
	}
	os.RemoveAll(filepath.Join(s.temp, strconv.Itoa(s.builds-1)))
}

// settle waits until the files stay as they are.
func (s *workshop) settle(ctx context.Context, now snapshot) snapshot {
	for s.seen != nil {
		select {
		case <-ctx.Done():
			return now
		case <-time.After(lookEvery):
		}
		next := s.watcher.look()
		if maps.Equal(next, now) {
			break
		}
		now = next
	}
	return now
}
