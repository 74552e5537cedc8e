package cluster

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nextrush/nextrush/internal/freeport"
)

// asNATS makes the test's own program a NATS server, with the options in it, until its
// input ends.
const asNATS = "CHAOS_NATS"

// natsd is a NATS server in a process of its own.
type natsd struct {
	Name, Dir            string
	Client, Route, Wrong int      // ports; at Wrong nobody listens
	Ways                 []string // to all servers, itself too

	cmd *exec.Cmd
	in  io.Closer
}

func beNATS(text string) error {
	var d natsd
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return err
	}
	var routes []*url.URL
	for _, way := range d.Ways {
		routes = append(routes, &url.URL{Scheme: "nats", Host: way})
	}
	s, err := natsserver.NewServer(&natsserver.Options{
		ServerName: d.Name, Host: "127.0.0.1", Port: d.Client, NoLog: true, NoSigs: true, JetStream: true, StoreDir: d.Dir, Routes: routes,
		// What others tell of this server leads nowhere: all go by the ways that they were given.
		Cluster: natsserver.ClusterOpts{Name: "chaos", Host: "127.0.0.1", Port: d.Route, Advertise: address(d.Wrong)},
	})
	if err != nil {
		return err
	}
	s.Start()
	io.Copy(io.Discard, os.Stdin)
	return nil
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func (d *natsd) start(t *testing.T) {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	d.cmd = exec.Command(os.Args[0])
	d.cmd.Env, d.cmd.Stderr = append(os.Environ(), asNATS+"="+string(text)), os.Stderr
	if d.in, err = d.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

func (d *natsd) kill() {
	d.cmd.Process.Kill()
	d.cmd.Wait()
}

// mesh is three NATS servers that are one. What is between two of them can be cut.
type mesh struct {
	t       *testing.T
	servers []*natsd
	ways    [][]*proxy // from the first to the second
}

func newMesh(t *testing.T) *mesh {
	t.Helper()
	m := &mesh{t: t}
	for i := range 3 {
		m.servers = append(m.servers, &natsd{Name: fmt.Sprint("n", i), Dir: t.TempDir(), Client: freeport.Get(t), Route: freeport.Get(t), Wrong: freeport.Get(t)})
	}
	for i, d := range m.servers {
		m.ways = append(m.ways, make([]*proxy, len(m.servers)))
		for j, to := range m.servers {
			way := address(to.Route)
			if i != j {
				m.ways[i][j] = newProxy(t, func() string { return address(to.Route) })
				way = m.ways[i][j].addr()
			}
			d.Ways = append(d.Ways, way)
		}
		d.start(t)
		t.Cleanup(d.kill)
	}
	m.whole()
	return m
}

// around does something to all ways from a server and to it.
func (m *mesh) around(i int, do func(*proxy)) {
	for j := range m.servers {
		if j != i {
			do(m.ways[i][j])
			do(m.ways[j][i])
		}
	}
}

// url is that of a node that stays with a server, or, if it may, goes to another when that
// is gone.
func (m *mesh) url(first int, stays bool) string {
	var list []string
	for i := range m.servers {
		list = append(list, "nats://"+address(m.servers[(first+i)%len(m.servers)].Client))
	}
	if stays {
		list = list[:1]
	}
	return strings.Join(list, ",") + " 3"
}

// whole waits until each server has what JetStream is to keep on all of them.
func (m *mesh) whole() {
	m.t.Helper()
	var err error
	defer func() {
		if err != nil {
			m.t.Log(err)
		}
	}()
	for _, d := range m.servers {
		eventually(m.t, "a server keeps streams on all", func() bool { err = d.keeps(m.t); return err == nil })
	}
}

func (d *natsd) keeps(t *testing.T) error {
	conn, err := natsgo.Connect("nats://"+address(d.Client), natsgo.IgnoreDiscoveredServers(), natsgo.Timeout(time.Second))
	if err != nil {
		return err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	s, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: "looking", Subjects: []string{"looking"}, Replicas: 3, Storage: jetstream.MemoryStorage})
	if err != nil {
		return err
	}
	info, err := s.Info(t.Context())
	if err != nil {
		return err
	}
	if c := info.Cluster; c == nil || c.Leader == "" || len(c.Replicas) < 2 || slices.ContainsFunc(c.Replicas, func(p *jetstream.PeerInfo) bool { return !p.Current || p.Offline }) {
		return fmt.Errorf("not all have it: %+v", info.Cluster)
	}
	return nil
}

// stay makes nodes, of which each stays with a server of its own.
func (m *mesh) stay() (list []*node) {
	m.t.Helper()
	for i := range m.servers {
		list = append(list, start(m.t, m.url(i, true)))
	}
	acquainted(m.t, list, len(list))
	return list
}

// The servers of one NATS cannot reach each other, and then they can. What is lost is
// counted, and what is kept arrives later, or clients are told.
func TestRoutesAreCut(t *testing.T) {
	beside(t)
	for _, how := range []struct {
		name string
		set  func(p *proxy, off bool)
		long time.Duration
		who  []int
	}{
		{"cut", (*proxy).setCut, 8 * time.Second, often([]int{0, 1, 2}, []int{2})},
		{"held", (*proxy).setHeld, often(12*time.Second, 3*time.Second), []int{2}},
	} {
		t.Run(how.name, func(t *testing.T) {
			beside(t)
			m := newMesh(t)
			list := m.stay()
			rooms := talks(3, 3)
			c := gather(t, rooms, 30, everywhere(rooms), list[0].addr(), list[1].addr(), list[2].addr())
			stop := speak(t, rooms, 10, list...)
			c.heard()
			for _, i := range how.who {
				pause(t, 2*time.Second)
				m.around(i, func(p *proxy) { how.set(p, true) })
				pause(t, how.long)
				m.around(i, func(p *proxy) { how.set(p, false) })
				acquainted(t, list, 3)
			}
			pause(t, 3*time.Second)
			stop()
			c.whole(false)
			c.counted(list)
		})
	}
}

// One of three servers is killed, and starts again with its files.
func TestANATSServerIsKilled(t *testing.T) {
	beside(t)
	m := newMesh(t)
	var list []*node
	for i := range m.servers {
		list = append(list, start(t, m.url(i, false)))
	}
	acquainted(t, list, 3)
	rooms := talks(3, 3)
	c := gather(t, rooms, 30, everywhere(rooms), list[0].addr(), list[1].addr(), list[2].addr())
	stop := speak(t, rooms, 10, list...)
	c.heard()
	for i := range often(3, 1) {
		pause(t, 2*time.Second)
		m.servers[i].kill()
		pause(t, 3*time.Second)
		m.servers[i].start(t)
		pause(t, 3*time.Second)
		m.whole()
	}
	stop()
	c.whole(false)
	c.counted(list)
}
