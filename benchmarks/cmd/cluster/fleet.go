package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fleet is some nodes of a server, and what joins them.
type fleet struct {
	server string
	cores  string
	redis  *process // nil: none
	url    string   // of redis
	nodes  []*process
	meet   []string // addresses where nodes with NATS meet
}

// process is one of them.
type process struct {
	cmd  *exec.Cmd
	addr string
}

const (
	serverCore = "0"
	loadCore   = "1"
	bothCores  = "0,1"
	patience   = 20 * time.Second
)

// start starts n nodes and waits until they are there.
func (b *bench) start(server string, n int, cores string) (f *fleet, err error) {
	f = &fleet{server: server, cores: cores}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	if server != "one" && !f.isNATS() {
		if err := f.startRedis(); err != nil {
			return f, err
		}
	}
	if f.meet, err = free(n); err != nil {
		return f, err
	}
	for i := range n {
		p, err := b.startNode(f, i)
		if err != nil {
			return f, fmt.Errorf("%s: node %d: %w", server, i, err)
		}
		f.nodes = append(f.nodes, p)
	}
	return f, f.together()
}

func (b *bench) startNode(f *fleet, i int) (*process, error) {
	switch f.server {
	case "socket.io":
		return spawn(f.cores, []string{"NODE_ENV=production"}, "node", "js/socketio-cluster.js", f.url)
	case "centrifugo":
		return startCentrifugo(f, b.centrifugo, f.meet[i])
	}
	engine := f.url
	if f.isNATS() {
		engine = f.server + ":" + strings.Join(slices.Concat(f.meet[i:], f.meet[:i]), ",")
	}
	return spawn(f.cores, nil, os.Args[0], "-node", "-engine", engine)
}

func (f *fleet) isNATS() bool { return strings.HasPrefix(f.server, "nats") }

// startCentrifugo has it listen at addr; what is told of its health there says when it does.
func startCentrifugo(f *fleet, program, addr string) (*process, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	p := &process{addr: addr}
	env := []string{
		"CENTRIFUGO_HTTP_SERVER_ADDRESS=" + host, "CENTRIFUGO_HTTP_SERVER_PORT=" + port, "CENTRIFUGO_HEALTH_ENABLED=true",
		"CENTRIFUGO_ENGINE_TYPE=redis", "CENTRIFUGO_ENGINE_REDIS_ADDRESS=" + f.url, "CENTRIFUGO_CLIENT_INSECURE=true", "CENTRIFUGO_LOG_LEVEL=error",
	}
	p.cmd = command(f.cores, env, program)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	return p, await(func() bool {
		res, err := http.Get("http://" + addr + "/health")
		if err == nil {
			res.Body.Close()
		}
		return err == nil && res.StatusCode == http.StatusOK
	})
}

func (f *fleet) startRedis() error {
	addrs, err := free(1)
	if err != nil {
		return err
	}
	_, port, _ := strings.Cut(addrs[0], ":")
	f.redis = &process{addr: addrs[0], cmd: command(f.cores, nil, "redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--loglevel", "warning")}
	f.redis.cmd.Dir = os.TempDir()
	f.url = "redis://" + addrs[0]
	if err := f.redis.cmd.Start(); err != nil {
		return err
	}
	return await(func() bool { _, err := f.info(); return err == nil })
}

// info is what Redis tells of itself, by name.
func (f *fleet) info() (map[string]float64, error) {
	conn, err := net.Dial("tcp", f.redis.addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	fmt.Fprint(conn, "INFO\r\nQUIT\r\n")
	text, err := io.ReadAll(conn)
	values := make(map[string]float64)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			values[name] = v
		}
	}
	return values, err
}

// together waits until each node of ours knows the others.
func (f *fleet) together() error {
	if f.server != "redis" && !f.isNATS() {
		return nil
	}
	return await(func() bool {
		for _, p := range f.nodes {
			if s, err := p.stats(); err != nil || s.Cluster.Nodes != len(f.nodes) {
				return false
			}
		}
		return true
	})
}

// await waits until something is so.
func await(is func() bool) error {
	for late := time.Now().Add(patience); time.Now().Before(late); time.Sleep(20 * time.Millisecond) {
		if is() {
			return nil
		}
	}
	return errors.New("it does not come about")
}

func (f *fleet) close() {
	for _, p := range append(f.nodes, f.redis) {
		p.kill()
	}
}

// each is the addresses and the process numbers of the nodes, separated by commas.
func (f *fleet) each() (addrs, pids string) {
	var a, p []string
	for _, node := range f.nodes {
		a, p = append(a, node.addr), append(p, node.pid())
	}
	return strings.Join(a, ","), strings.Join(p, ",")
}

// command is one that runs on some cores: Go takes GOMAXPROCS from them, and taskset
// executes the program in its own process.
func command(cores string, env []string, name string, args ...string) *exec.Cmd {
	cmd := exec.Command("taskset", append([]string{"-c", cmp.Or(cores, bothCores), name}, args...)...)
	cmd.Env, cmd.Stderr = append(os.Environ(), env...), os.Stderr
	return cmd
}

// spawn starts a program that prints its address.
func spawn(cores string, env []string, name string, args ...string) (*process, error) {
	p := &process{cmd: command(cores, env, name, args...)}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		p.kill()
	}
	p.addr = strings.TrimSpace(line)
	return p, err
}

func (p *process) kill() {
	if p != nil && p.cmd.Process != nil {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	}
}

func (p *process) pid() string { return strconv.Itoa(p.cmd.Process.Pid) }

// get asks a process for JSON.
func (p *process) get(target string, v any) error {
	res, err := http.Get("http://" + p.addr + target)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(res.Body)
		return fmt.Errorf("%s: %s: %s", target, res.Status, text)
	}
	return json.NewDecoder(res.Body).Decode(v)
}

// stats are those of a node of ours that are used here.
type stats struct {
	Connections int64 `json:"connections"`
	Cluster     struct {
		Nodes      int   `json:"nodes"`
		Rooms      int   `json:"rooms"`
		Published  int64 `json:"published"`
		Received   int64 `json:"received"`
		Lost       int64 `json:"lost"`
		Duplicates int64 `json:"duplicates"`
		Invalid    int64 `json:"invalid"`
	} `json:"cluster"`
}

func (p *process) stats() (s stats, err error) {
	err = p.get("/stats", &s)
	return s, err
}

// free finds ports that are free now.
func free(n int) (addrs []string, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}
