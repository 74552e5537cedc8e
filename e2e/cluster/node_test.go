package cluster

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/nextrush/nextrush/plugins/cluster/nats"
	"github.com/nextrush/nextrush/plugins/cluster/redis"
	"github.com/nextrush/nextrush/websocket"
)

// node is a server with a broker.
type node struct {
	srv  *websocket.Server
	site *httptest.Server
	gaps atomic.Int64 // messages that OnGap has told of
}

const secret = "of the tests"

// newNode makes a node whose sockets join the rooms that their URL names.
func newNode(url string) (*node, error) {
	b, err := open(url)
	if err != nil {
		return nil, err
	}
	return serve(b), nil
}

// open opens the broker of a URL: that of a NATS server is followed by the number of replicas.
func open(url string) (websocket.Broker, error) {
	if !strings.HasPrefix(url, "nats:") {
		return redis.New(redis.Options{URL: url, Secret: secret})
	}
	servers, replicas, _ := strings.Cut(url, " ")
	n, err := strconv.Atoi(replicas)
	if err != nil {
		return nil, err
	}
	return nats.New(nats.Options{URL: servers, Secret: secret, Streams: nats.Streams{Replicas: n},
		Connect: []natsgo.Option{natsgo.IgnoreDiscoveredServers(), natsgo.DontRandomize()}})
}

func serve(b websocket.Broker) *node {
	n := &node{}
	logger := slog.New(slog.NewTextHandler(io.Discard, nil))
	if os.Getenv("CHAOS_LOG") != "" {
		logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	n.srv = websocket.NewServer(websocket.Options{
		Broker: b, Logger: logger, ReconnectRate: 1 << 20, DrainWindow: time.Second,
		OnGap: func(g websocket.NodeGap) { n.gaps.Add(g.Lost) },
		Rooms: websocket.Rooms{
			"kept*": {History: websocket.History{Messages: 5000, Bytes: 4 << 20}},
			"hall":  {Presence: true},
		},
	})
	n.site = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.srv.Upgrade(w, r, func(s *websocket.Socket) error {
			if user := r.URL.Query().Get("user"); user != "" {
				if err := s.SetUser(user, nil); err != nil {
					return err
				}
			}
			for _, room := range r.URL.Query()["room"] {
				if err := s.Join(room); err != nil {
					return err
				}
			}
			return nil
		})
	}))
	return n
}

// start starts a node in this process.
func start(t *testing.T, url string) *node {
	t.Helper()
	n, err := newNode(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.close)
	return n
}

func (n *node) addr() string { return n.site.Listener.Addr().String() }

func (n *node) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	n.srv.Shutdown(ctx)
	n.site.CloseClientConnections()
	n.site.Close()
}

func (n *node) stats() *websocket.ClusterStats { return n.srv.Stats().Cluster }

// child is a node in a process of its own.
type child struct {
	cmd  *exec.Cmd
	in   io.Closer
	addr string
}

func startChild(t *testing.T, url string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), asNode+"="+url)
	c.cmd.Stderr = os.Stderr
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.kill)
	c.in = in
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	c.addr = strings.TrimSpace(line)
	return c
}

func (c *child) signal(sig os.Signal) { c.cmd.Process.Signal(sig) }

func (c *child) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// nodes starts nodes that know each other.
func nodes(t *testing.T, url string, n int) (list []*node) {
	t.Helper()
	for range n {
		list = append(list, start(t, url))
	}
	eventually(t, "they know each other", func() bool { return mutual(list) })
	for _, node := range list {
		node.keeps(t)
	}
	return list
}

// keeps waits until rooms are kept: a server that has just started is asked to wait for nodes
// of an earlier run.
func (n *node) keeps(t *testing.T) {
	t.Helper()
	eventually(t, "rooms are kept", func() bool {
		_, err := n.srv.Position(t.Context(), "kept")
		return err == nil
	})
}

// mutual reports whether each knows all, of whom there may be more.
func mutual(list []*node) bool {
	for _, a := range list {
		known := a.srv.Cluster().Nodes()
		for _, b := range list {
			id := b.srv.Cluster().Nodes()[0].ID
			if !slices.ContainsFunc(known, func(n websocket.NodeInfo) bool { return n.ID == id }) {
				return false
			}
		}
	}
	return true
}

// acquainted waits until each knows of n nodes.
func acquainted(t *testing.T, list []*node, n int) {
	t.Helper()
	eventually(t, "they know each other", func() bool {
		for _, node := range list {
			if len(node.srv.Cluster().Nodes()) != n {
				return false
			}
		}
		return true
	})
}
