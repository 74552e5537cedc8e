package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/nextrush/nextrush/websocket/broker"
)

// After a restart or a failover writes may be gone that were acknowledged, and their
// offsets would come twice. So there is a gate before what is kept: a server lets through
// those who know the token of its present run. A server that has just started, or was just
// made the master, has no token that fits. The nodes then tell it what they have got last;
// when all have done that, or some have not in time, one of them opens the gate with a new
// token and a higher generation. Rooms go on as they were if all nodes have been heard, and
// else begin anew: an epoch has its generation in its name, and one of an earlier generation
// than that does not come back.

const (
	gateWait = 2 * time.Second       // for all nodes to tell what they have
	gateLook = 20 * time.Millisecond // whether they have
	longUp   = 10 * time.Second      // a server that has been up for so long, and never had a gate, has lost nothing
	gateAge  = time.Hour             // of what is known of one that is being opened
	oneRead  = 200                   // rooms that are looked at at once
	oneWrite = 512 << 10             // bytes of a tail
)

// script is the scripts for one run of a server, by the names that it has given them.
type script struct{ keep, since, run string }

// gate is that of the partitions of a link. Its methods are safe from any goroutine.
type gate struct {
	b *Broker
	l *link

	mu      sync.Mutex // guards the fields below
	script  *script    // nil: it is not known whether the gate is open
	opening *opening   // nil: nobody looks

	// used by the goroutine alone that looks
	known   generation // that was open last
	pending string     // a token that is to be
	began   time.Time
}

// generation is which gate it is, since there are rooms, and which is the least whose epochs
// are good still: its own, if not all nodes were heard.
type generation struct{ number, least int }

// readGeneration reads the end of what a gate is open with, or what a node has said.
func readGeneration(text string) (n generation) {
	if words := strings.Fields(text); len(words) >= 2 {
		n.number, _ = strconv.Atoi(words[len(words)-2])
		n.least, _ = strconv.Atoi(words[len(words)-1])
	}
	return n
}

func (n generation) String() string { return fmt.Sprintf("%d %d", n.number, n.least) }

// opening is an attempt to pass a gate.
type opening struct {
	done   chan struct{} // closed when the others are set
	script *script
	err    error
}

// of returns the scripts, and waits until the gate is open.
func (g *gate) of(ctx context.Context) (*script, error) {
	s, o := g.look()
	if o == nil {
		return s, nil
	}
	select {
	case <-o.done:
		return o.script, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (g *gate) look() (*script, *opening) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.script != nil {
		return g.script, nil
	}
	if g.opening == nil {
		o := &opening{done: make(chan struct{})}
		if !g.b.goes(func() { g.pass(o) }) {
			o.err = g.b.ctx.Err()
			close(o.done)
			return nil, o
		}
		g.opening = o
	}
	return nil, g.opening
}

// forget has the next that needs the scripts look again. s is what did not work; nil: all.
func (g *gate) forget(s *script) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s == nil || g.script == s {
		g.script = nil
	}
}

// check looks again if the server is in another run.
func (g *gate) check() {
	g.mu.Lock()
	s := g.script
	g.mu.Unlock()
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(g.b.ctx, time.Second)
	defer cancel()
	if info, err := g.b.client.Info(ctx, "server").Result(); err == nil && field(info, "run_id") != s.run {
		g.forget(s)
		g.look()
	}
}

func (g *gate) pass(o *opening) {
	if o.script, o.err = g.enter(g.b.ctx); o.err != nil {
		g.b.reload()
	}
	g.mu.Lock()
	g.script, g.opening = o.script, nil
	g.mu.Unlock()
	close(o.done)
}

// The keys of a gate. The first tells which is open: the run, the token, and the
// generation. The second tells the run and the token of one that is being opened, and the
// third has the nodes that have told what they have, with the generations that they know.
func (g *gate) openKey() string    { return g.b.name(g.l.number, "c", "") }
func (g *gate) pendingKey() string { return g.b.name(g.l.number, "g", "") }
func (g *gate) heardKey(token string) string {
	return g.b.name(g.l.number, "t:", token)
}

// beginScript returns the gate that is open for a run, or else the token of the one that
// is being opened, which is the caller's if there is none.
const beginScript = `
local open, pending = redis.call('GET', KEYS[1]) or '', redis.call('GET', KEYS[2]) or ''
local run = ARGV[1] .. ' '
if string.sub(open, 1, #run) == run then
	return {open, '', ''}
end
if string.sub(pending, 1, #run) ~= run then
	pending = run .. ARGV[2]
	redis.call('SET', KEYS[2], pending, 'PX', ARGV[3])
end
return {'', string.sub(pending, #run + 1), open}
`

// openScript opens a gate, unless it is open.
const openScript = `
if redis.call('GET', KEYS[2]) == ARGV[1] then
	redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2])
	redis.call('DEL', KEYS[2])
end
return redis.call('GET', KEYS[1]) or ''
`

// enter waits until the gate is open, and loads the scripts.
func (g *gate) enter(ctx context.Context) (*script, error) {
	server, err := g.server(ctx)
	if err != nil {
		return nil, err
	}
	info, err := server.Info(ctx, "server").Result()
	if err != nil {
		return nil, err
	}
	if err := oldForHistory(info); err != nil {
		return nil, err
	}
	run := field(info, "run_id")
	open, err := g.open(ctx, server, run, time.Duration(number(field(info, "uptime_in_seconds")))*time.Second)
	if err != nil {
		return nil, err
	}
	token, n := strings.Fields(open)[1], readGeneration(open)
	s, goesOn := &script{run: run}, n.least < n.number
	if s.keep, err = server.ScriptLoad(ctx, fmt.Sprintf(keepScript, open, token, n.number, goesOn)).Result(); err != nil {
		return nil, err
	}
	if s.since, err = server.ScriptLoad(ctx, fmt.Sprintf(sinceScript, open, token, n.number, goesOn)).Result(); err != nil {
		return nil, err
	}
	g.known, g.pending = n, ""
	return s, nil
}

// server is the one that has the partitions.
func (g *gate) server(ctx context.Context) (redis.Cmdable, error) {
	if c, ok := g.b.client.(*redis.ClusterClient); ok {
		return c.MasterForKey(ctx, g.openKey())
	}
	return g.b.client, nil
}

// open returns the gate of a run of the server when it is open.
func (g *gate) open(ctx context.Context, server redis.Cmdable, run string, up time.Duration) (open string, err error) {
	keys := []string{g.openKey(), g.pendingKey()}
	had, err := server.Eval(ctx, beginScript, keys, run, newEpoch(), gateAge.Milliseconds()).StringSlice()
	if err != nil {
		return "", err
	}
	if len(had) != 3 {
		return "", errReply
	}
	if had[0] != "" {
		return had[0], nil
	}
	token, before := had[1], had[2]
	if g.pending != token {
		g.pending, g.began = token, time.Now()
	}
	if g.known == (generation{}) && before == "" && up >= longUp {
		return g.decide(ctx, server, run+" "+token, generation{1, 1})
	}
	if err := g.testify(ctx, server, run, token); err != nil {
		return "", err
	}
	return g.wait(ctx, server, run, token, readGeneration(before))
}

func (g *gate) decide(ctx context.Context, server redis.Cmdable, pending string, n generation) (open string, err error) {
	open, err = server.Eval(ctx, openScript, []string{g.openKey(), g.pendingKey()}, pending, n.String()).Text()
	run, _, _ := strings.Cut(pending, " ")
	if err == nil && !strings.HasPrefix(open, run+" ") {
		err = errors.New("redis: the server has changed while nodes told what they have")
	}
	return open, err
}

// wait waits until all nodes have told what they have, or until it takes too long. A node
// that was not there before does not know who was.
func (g *gate) wait(ctx context.Context, server redis.Cmdable, run, token string, before generation) (open string, err error) {
	var peers []broker.NodeID
	if w, ok := g.b.in.(broker.Witness); ok {
		peers = w.Peers()
	}
	fresh := g.known == (generation{})
	for {
		open, err := server.Get(ctx, g.openKey()).Result()
		if err != nil && err != redis.Nil {
			return "", err
		}
		if strings.HasPrefix(open, run+" ") {
			return open, nil
		}
		heard, err := server.HGetAll(ctx, g.heardKey(token)).Result()
		if err != nil {
			return "", err
		}
		missing := slices.ContainsFunc(peers, func(id broker.NodeID) bool { return heard[id.String()] == "" })
		if late := time.Since(g.began) > gateWait; late || !fresh && !missing {
			return g.decide(ctx, server, run+" "+token, next(before, heard, late))
		}
		select {
		case <-time.After(gateLook):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// next is the generation after all that are known. anew: no room goes on.
func next(before generation, heard map[string]string, anew bool) generation {
	n := before
	for _, text := range heard {
		known := readGeneration(text)
		n.number, n.least = max(n.number, known.number), max(n.least, known.least)
	}
	n.number++
	if anew {
		n.least = n.number
	}
	return n
}
