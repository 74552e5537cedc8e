// Package redis joins the rooms of several processes over Redis:
//
//	broker, err := redis.Open("redis://localhost:6379")
//	if err != nil {
//		return err
//	}
//	app.EnableWebSocket(websocket.Options{Broker: broker})
//
// It works with one server, with Sentinel, and with Redis Cluster, from Redis 6.2 on; rooms
// that keep a history, and Redis Cluster, need 7.0.
package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	stores "github.com/nextrush/nextrush/plugins/redis"
	"github.com/nextrush/nextrush/websocket/broker"
)

// Options says which Redis, and how it is used. Only URL is needed.
type Options struct {
	// URL is redis://user:password@host:6379/0, or rediss:// for TLS. With Sentinel it is
	// redis+sentinel://user:password@host1:26379,host2:26379/master, with the parameters db,
	// sentinel_username and sentinel_password; with Redis Cluster it is
	// redis+cluster://user:password@host1:7000,host2:7001. rediss+sentinel and
	// rediss+cluster use TLS.
	URL string
	// Prefix begins the names of all channels and keys: programs with another one do not
	// hear of each other. Empty: "nextrush:".
	Prefix string
	// Secret signs what has nodes do more than send messages: disconnect sockets, for
	// instance. All nodes have the same. Empty: whoever may publish in this Redis can do that.
	Secret string
}

const defaultPrefix = "nextrush:"

// Broker is a [broker.Broker] with [broker.History]. It is for one server. Its methods are
// safe from any goroutine.
type Broker struct {
	client  redis.UniversalClient
	cluster bool // channels are sharded: SPUBLISH
	prefix  string
	codec   broker.Codec

	self  broker.NodeID
	in    broker.Inbound
	links []*link // one, or one for each partition
	gates []*gate // of each link

	began   time.Time
	ctx     context.Context // of what goes on by itself
	stop    context.CancelFunc
	running sync.WaitGroup

	changed chan struct{} // has room for one
	mu      sync.Mutex    // guards the fields below, and up of links
	closed  bool
	down    int   // links that are not connected
	cause   error // of the last change
}

// Open returns a broker for the Redis with that URL; see [Options]. It fails if the URL is
// malformed; it connects when a server starts with it.
func Open(url string) (*Broker, error) { return New(Options{URL: url}) }

// New is Open with options.
func New(o Options) (*Broker, error) {
	client, err := stores.Connect(o.URL)
	if err != nil {
		return nil, err
	}
	_, cluster := client.(*redis.ClusterClient)
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	b := &Broker{client: client, cluster: cluster, prefix: o.Prefix, codec: broker.Codec{Secret: []byte(o.Secret)}, changed: make(chan struct{}, 1)}
	b.began = time.Now()
	b.ctx, b.stop = context.WithCancel(context.Background())
	return b, nil
}

var errStarted = errors.New("redis: a broker is for one server: open another")

// Start connects. Its errors are those of a Redis that lacks something, and of a second
// call.
func (b *Broker) Start(ctx context.Context, self broker.NodeID, in broker.Inbound) error {
	if b.in != nil {
		return errStarted
	}
	b.self, b.in = self, in
	if err := b.check(ctx); err != nil {
		return err
	}
	n := 1
	if b.cluster {
		n = partitions
	}
	b.down = n
	for i := range n {
		l := newLink(b, i)
		b.links = append(b.links, l)
		b.gates = append(b.gates, &gate{b: b, l: l})
	}
	b.links[0].base = append(b.links[0].base, b.nodeChannel(self))
	all := b.links[b.linkOf(allPartition)]
	all.base = append(all.base, b.allChannel())
	b.running.Go(b.tellUp)
	if !b.cluster {
		b.running.Go(b.lookout)
	}
	for _, l := range b.links {
		b.running.Go(l.run)
		b.running.Go(l.watchdog)
	}
	return nil
}

// check finds what the server lacks. One that cannot be reached lacks nothing yet.
func (b *Broker) check(ctx context.Context) error {
	info, err := b.client.Info(ctx, "server").Result()
	if err != nil {
		var refused redis.Error
		if errors.As(err, &refused) && refused.Error() != "" && isAuth(err) {
			return fmt.Errorf("redis: %w", err)
		}
		return nil
	}
	version := field(info, "redis_version")
	least := 6.2
	if b.cluster {
		least = 7.0
	}
	if number(version) < least {
		return fmt.Errorf("redis: version %s is too old: it must be %.1f at least", version, least)
	}
	return nil
}

// CanKeep finds what the server lacks for rooms with a history. One that cannot be reached
// lacks nothing yet.
func (b *Broker) CanKeep(ctx context.Context) error {
	var mu sync.Mutex // guards lacks: masters are asked at once
	var lacks error
	ask := func(ctx context.Context, server redis.Cmdable) {
		if info, err := server.Info(ctx).Result(); err == nil {
			mu.Lock()
			defer mu.Unlock()
			lacks = cmp.Or(lacks, lackForHistory(info))
		}
	}
	if c, ok := b.client.(*redis.ClusterClient); ok {
		c.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
			ask(ctx, master)
			return nil
		})
	} else {
		ask(ctx, b.client)
	}
	return lacks
}

func lackForHistory(info string) error {
	if err := oldForHistory(info); err != nil {
		return err
	}
	most, policy := field(info, "maxmemory"), field(info, "maxmemory_policy")
	if most != "" && most != "0" && policy != "" && policy != "noeviction" {
		return fmt.Errorf("redis: rooms with history need maxmemory-policy noeviction: with %s, Redis throws them away when its memory is full", policy)
	}
	return nil
}

func oldForHistory(info string) error {
	if version := field(info, "redis_version"); number(version) < 7 {
		return fmt.Errorf("redis: version %s is too old for rooms with history: it must be 7.0 at least", version)
	}
	return nil
}

func isAuth(err error) bool {
	text := err.Error()
	return strings.HasPrefix(text, "NOAUTH") || strings.HasPrefix(text, "WRONGPASS") || strings.HasPrefix(text, "NOPERM")
}

// field is a line of INFO.
func field(info, name string) string {
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// number is the first two parts of a version.
func number(version string) float64 {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	n, err := strconv.ParseFloat(major+"."+minor, 64)
	if err != nil {
		return 0
	}
	return n
}

// Watch subscribes to rooms, and waits until Redis has said so.
func (b *Broker) Watch(ctx context.Context, add, drop []string) error {
	if b.in == nil {
		return errors.New("redis: not started")
	}
	changes := make(map[*link]*change)
	at := func(room string) *change {
		l := b.links[b.linkOf(partitionOf(room))]
		if changes[l] == nil {
			changes[l] = &change{}
		}
		return changes[l]
	}
	for _, room := range drop {
		c := at(room)
		c.drop = append(c.drop, b.roomChannel(room))
	}
	for _, room := range add {
		c := at(room)
		c.add = append(c.add, b.roomChannel(room))
	}
	for l, c := range changes {
		if err := l.change(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// reload has the client ask which server has which slots, before it uses them again.
func (b *Broker) reload() {
	if c, ok := b.client.(*redis.ClusterClient); ok {
		c.ReloadState(b.ctx)
	}
}

// now is a time that does not go with the clock of the wall, in nanoseconds.
func (b *Broker) now() int64 { return int64(time.Since(b.began)) }

// goes has f run in a goroutine that Close waits for; false: it is closed.
func (b *Broker) goes(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.running.Go(f)
	}
	return !b.closed
}

// gateOf is that before what is kept of a room.
func (b *Broker) gateOf(room string) *gate { return b.gates[b.linkOf(partitionOf(room))] }

// lookout looks each second whether the server is another, or has started anew: what this
// node publishes may not tell.
func (b *Broker) lookout() {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			b.gates[0].check()
		case <-b.ctx.Done():
			return
		}
	}
}

// linkOf is which link carries a partition.
func (b *Broker) linkOf(partition int) int { return partition % len(b.links) }

// connected counts links: the engine is up if all are.
func (b *Broker) connected(l *link, up bool, cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if up == l.up {
		return
	}
	if l.up = up; up {
		b.down--
	} else {
		b.down++
	}
	b.cause = cause
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// tellUp calls Up, one call after the other and under no lock.
func (b *Broker) tellUp() {
	for told := false; ; {
		select {
		case <-b.changed:
		case <-b.ctx.Done():
			return
		}
		if up, cause := b.state(); up != told {
			told = up
			b.in.Up(up, cause)
		}
	}
}

func (b *Broker) state() (up bool, cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.down == 0, b.cause
}

// Close ends the connections.
func (b *Broker) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.stop()
	for _, l := range b.links {
		l.close()
	}
	done := make(chan struct{})
	go func() {
		b.running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := b.client.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
		return err
	}
	return nil
}
