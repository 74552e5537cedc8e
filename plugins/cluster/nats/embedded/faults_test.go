package embedded_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/nextrush/nextrush/internal/freeport"
	"github.com/nextrush/nextrush/plugins/cluster/nats/embedded"
	"github.com/nextrush/nextrush/plugins/cluster/nats/internal/natstest"
	"github.com/nextrush/nextrush/websocket/broker"
)

// patience is how long something may take that is to happen.
const patience = natstest.Patience

// node is a broker that is started, and what it has told.
type node struct {
	*embedded.Broker
	*natstest.Node
	t *testing.T
}

func start(t *testing.T, o embedded.Options) *node {
	t.Helper()
	return startBroker(t, open(t, o))
}

func startBroker(t *testing.T, b *embedded.Broker) *node {
	t.Helper()
	return &node{b, natstest.Begin(t, b, nil), t}
}

func (n *node) close() { natstest.Close(n.t, n.Broker) }

// all waits until the node has so many nodes, itself too.
func (n *node) all(count int) {
	n.t.Helper()
	for over := time.After(patience); n.Nodes() != count; {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-over:
			n.t.Fatalf("%d nodes, want %d", n.Nodes(), count)
		}
	}
}

// hears waits until what another publishes to a room arrives.
func (n *node) hears(from *node, room, text string) {
	n.t.Helper()
	if err := n.Watch(context.Background(), []string{room}, nil); err != nil {
		n.t.Error(err)
	}
	if err := from.Publish(context.Background(), []broker.Envelope{{From: from.ID, Seq: 1, Room: room, Body: []byte(text)}}); err != nil {
		n.t.Error(err)
	}
	n.Await(text, func(told natstest.Told) bool {
		return len(told.Got) > 0 && string(told.Got[len(told.Got)-1].Body) == text
	})
}

func TestARouteThatIsCutOrHeldIsToldAndComesBack(t *testing.T) {
	a := start(t, embedded.Options{Listen: "127.0.0.1:0", Secret: "secret", Expected: 1})
	p := natstest.NewProxy(t, a.Addr().String())
	b := start(t, embedded.Options{Listen: "127.0.0.1:0", Peers: []string{p.Addr().String()}, Secret: "secret", Expected: 2})
	b.hears(a, "room", "before")
	if err := b.Health(t.Context()); err != nil {
		t.Error(err)
	}
	for _, x := range []struct {
		name      string
		end, mend func()
	}{
		{"cut", func() { p.Hold(true); p.Cut() }, func() { p.Hold(false) }},
		{"held", func() { p.Hold(true) }, func() { p.Cut(); p.Hold(false) }},
	} {
		lost := b.Told().Lost
		x.end()
		b.all(1)
		if err := b.Health(t.Context()); err == nil || !strings.Contains(err.Error(), "1 of 2") {
			t.Errorf("%s: health is %v", x.name, err)
		}
		b.Await("Lost", func(told natstest.Told) bool { return told.Lost > lost })
		x.mend()
		b.all(2)
		a.all(2)
		b.hears(a, "room", "after it was "+x.name)
	}
}

func TestAPeerThatIsLateIsFound(t *testing.T) {
	late := freeport.Address(t)
	a := start(t, embedded.Options{Listen: "127.0.0.1:0", Peers: []string{late}, Secret: "secret"})
	a.all(1)
	b := start(t, embedded.Options{Listen: late, Secret: "secret"})
	c := start(t, embedded.Options{Listen: "127.0.0.1:0", Peers: []string{late}, Secret: "secret"})
	for _, n := range []*node{a, b, c} {
		n.all(3)
	}
	a.hears(c, "room", "c")
	c.hears(a, "room", "a")
	b.close()
	a.all(2)
}

// holds returns a function that tells for how long this process was not run, at the longest.
func holds(t *testing.T) (longest func() time.Duration) {
	var most atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() {
		for last := time.Now(); ctx.Err() == nil; last = time.Now() {
			<-time.After(50 * time.Millisecond)
			most.Store(max(most.Load(), int64(time.Since(last))))
		}
	}()
	return func() time.Duration { return time.Duration(most.Load()) }
}

// A name gets and loses addresses, as that of a service does whose processes come and go.
func TestNamesAreLookedUpAgain(t *testing.T) {
	listen := "127.0.0.1:" + port(freeport.Address(t))
	var mu sync.Mutex
	var found []string
	looked := make(chan bool)
	set := func(addresses ...string) {
		mu.Lock()
		defer mu.Unlock()
		found = addresses
	}
	b := open(t, embedded.Options{Listen: "127.0.0.1:0", Peers: []string{"app.internal:" + port(listen)}, Secret: "secret"})
	b.Resolve(func(context.Context, string) ([]string, error) {
		select {
		case looked <- true:
		default:
		}
		mu.Lock()
		defer mu.Unlock()
		if found == nil {
			return nil, errors.New("no such host")
		}
		return found, nil
	})
	n := startBroker(t, b)
	other := start(t, embedded.Options{Listen: listen, Secret: "secret"})
	n.all(1)
	set("127.0.0.1")
	n.all(2)
	n.hears(other, "room", "hello")
	held := holds(t)
	set("127.0.0.2") // there is a connection with the other one still
	for range 2 {
		select {
		case <-looked:
		case <-time.After(patience):
			t.Fatal("the name is not looked up again")
		}
	}
	n.hears(other, "room", "still there")
	if n.Told().Lost > 0 && held() < time.Second { // it is probed
		t.Error("the connection has ended")
	}
	other.close()
	n.all(1)
	if l, err := net.Listen("tcp", "127.0.0.2:0"); err != nil {
		t.Skip("there is one address alone: ", err)
	} else {
		l.Close()
	}
	again := start(t, embedded.Options{Listen: "127.0.0.2:" + port(listen), Secret: "secret"})
	n.all(2)
	n.hears(again, "room", "another address")
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

func TestNobodyElseIsAClient(t *testing.T) {
	n := start(t, embedded.Options{Listen: "127.0.0.1:0", Secret: "secret"})
	for _, o := range []natsgo.Option{natsgo.Token(""), natsgo.Token("secret"), natsgo.UserInfo("nextrush", "secret")} {
		c, err := natsgo.Connect(n.ClientURL(), o)
		if !errors.Is(err, natsgo.ErrAuthorization) {
			t.Errorf("a stranger connects: %v", err)
			c.Close()
		}
	}
}

// warnings are what is logged.
type warnings struct {
	slog.Handler
	found chan string
}

func (w warnings) Handle(_ context.Context, r slog.Record) error {
	select {
	case w.found <- r.Message:
	default:
	}
	return nil
}

func TestAnotherSecretDoesNotJoin(t *testing.T) {
	w := warnings{slog.DiscardHandler, make(chan string, 100)}
	w.Handler = slog.NewTextHandler(nil, nil)
	a := start(t, embedded.Options{Listen: "127.0.0.1:0", Secret: "secret", Logger: slog.New(w)})
	for i, secret := range []string{"another", ""} {
		if i > 0 { // the same text is logged once a minute
			w = warnings{w.Handler, make(chan string, 100)}
			a = start(t, embedded.Options{Listen: "127.0.0.1:0", Secret: "secret", Logger: slog.New(w)})
		}
		o := embedded.Options{Listen: "127.0.0.1:0", Peers: []string{a.Addr().String()}, Secret: secret}
		b := start(t, o)
		for over := time.After(patience); ; {
			var text string
			select {
			case text = <-w.found:
			case <-over:
				t.Fatal("a is not told")
			}
			if strings.Contains(strings.ToLower(text), "auth") {
				break
			}
		}
		if a.Nodes() != 1 || b.Nodes() != 1 {
			t.Errorf("with the secret %q there are %d and %d nodes", secret, a.Nodes(), b.Nodes())
		}
	}
}

func TestMistakesNameTheFix(t *testing.T) {
	for want, o := range map[string]embedded.Options{
		"set Secret or TLS":     {Listen: ":6222"},
		"or listen on 127":      {Listen: "0.0.0.0:6222"},
		"Secret or TLS,":        {Listen: "app.internal:6222"},
		"as in \":6222\"":       {Listen: "6222"},
		"no number":             {Listen: "127.0.0.1:http"},
		"needs Listen":          {Peers: []string{"a:1"}},
		"a name and a port":     {Listen: "127.0.0.1:0", Peers: []string{"a"}},
		"need Expected":         {Memory: true},
		"3 and more":            {StoreDir: "x", Expected: 2},
		"1 names":               {StoreDir: "x", Expected: 3, Listen: "127.0.0.1:1", Peers: []string{"a:1"}},
		"cannot begin a subjec": {Prefix: "a b"},
	} {
		if _, err := embedded.Open(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want a text with %q", o, err, want)
		}
	}
	b := open(t, embedded.Options{})
	if err := b.CanKeep(t.Context()); err == nil || !strings.Contains(err.Error(), "StoreDir or Memory") {
		t.Errorf("rooms with history: %v", err)
	}
}

func TestAnAddressThatIsTakenIsAMistake(t *testing.T) {
	a := start(t, embedded.Options{Listen: "127.0.0.1:0"})
	b := open(t, embedded.Options{Listen: a.Addr().String()})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := b.Start(ctx, broker.NewNodeID(), natstest.NewNode(t)); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("%v", err)
	}
}
