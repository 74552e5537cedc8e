// Command cuts measures what reaches clients whose connections are cut again and again, in
// both directions, and how soon they have caught up. Server, proxy and clients are three
// parts of one machine; the server is a process of its own.
//
//	go run ./cmd/cuts                        # 500 clients, 20 messages a second, 60 s
//	go run ./cmd/cuts -resume=false -kill    # the server is killed and started again, too
//	go run ./cmd/cuts -deploy -history=false # how long does nobody send to a client in a deploy?
//	go run ./cmd/cuts -kill -every 0 -clients 2000 -rate 1 -up 0   # when do they all come back?
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

var (
	clients = flag.Int("clients", 500, "number of clients")
	rate    = flag.Int("rate", 20, "messages a second, to all clients")
	up      = flag.Float64("up", 2, "messages a second from each client; 0: none")
	length  = flag.Duration("for", time.Minute, "how long")
	every   = flag.Duration("every", 15*time.Second, "time between two cuts of a client; 0: it is not cut")
	away    = flag.Duration("away", 2*time.Second, "how long a cut lasts")
	resume  = flag.Bool("resume", true, "keep sessions")
	history = flag.Bool("history", true, "keep a history")
	plain   = flag.Bool("plain", false, "clients without the subprotocol")
	kill    = flag.Bool("kill", false, "kill the server halfway, and start it again after 3 s")
	deploy  = flag.Bool("deploy", false, "halfway start another server, lead newcomers to it, and have the first shut down; the clients are not cut")
	serve   = flag.String("serve", "", "address of the server; for the command itself")
)

func main() {
	flag.Parse()
	if *serve != "" {
		log.Fatal(runServer(*serve))
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

// runServer sends numbered messages to the room "all", and answers events "up" of clients
// with the numbers that were lost or doubled.
func runServer(addr string) error {
	opts := websocket.Options{AllowOrigins: []string{"*"}}
	if *resume {
		opts.Resume = websocket.Resume{For: time.Minute, Bytes: 1 << 20}
	}
	if *history {
		opts.Rooms = websocket.Rooms{"all": {History: websocket.History{Messages: 10_000, Age: 5 * time.Minute}}}
	}
	srv := websocket.NewServer(opts)
	arrivals := newLedgers()
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		srv.Upgrade(w, r, func(s *websocket.Socket) error {
			websocket.On(s, "up", func(s *websocket.Socket, m arrival) error {
				arrivals.of(m.Client).take(m.N)
				return nil
			})
			return s.Join("all")
		})
	})
	mux.HandleFunc("/up", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, arrivals.sum()) })
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	go func() {
		n, start := 0, time.Now().UnixNano()
		for now := range time.Tick(time.Second / time.Duration(*rate)) {
			n++
			if *deploy { // both servers say the same
				start, n = 1, int(now.UnixMilli()*int64(*rate)/1000)
			}
			srv.To("all").Emit("down", start, n, now.UnixNano())
		}
	}()
	go shutDownOnSignal(srv)
	return http.Serve(l, mux)
}

func shutDownOnSignal(srv *websocket.Server) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
	if err := srv.Shutdown(context.Background()); err != nil {
		log.Print(err)
	}
	os.Exit(0)
}

// arrival is a message of a client.
type arrival struct {
	Client int `json:"c"`
	N      int `json:"n"`
}

// ledger compares numbers that come with those that should: 1, 2, 3, …
type ledger struct {
	mu                      sync.Mutex
	last, came, twice, lost int
}

func (l *ledger) take(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.came++
	switch {
	case n == l.last+1:
	case n <= l.last:
		l.twice++
	default:
		l.lost += n - l.last - 1
	}
	l.last = max(l.last, n)
}

type ledgers struct {
	mu  sync.Mutex
	all map[int]*ledger
}

func newLedgers() *ledgers { return &ledgers{all: make(map[int]*ledger)} }

func (ls *ledgers) of(client int) *ledger {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.all[client] == nil {
		ls.all[client] = new(ledger)
	}
	return ls.all[client]
}

func (ls *ledgers) sum() string {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var came, twice, lost int
	for _, l := range ls.all {
		l.mu.Lock()
		came, twice, lost = came+l.came, twice+l.twice, lost+l.lost
		l.mu.Unlock()
	}
	return fmt.Sprintf("%d came, %.3f %% of what was sent; %d twice or out of order, %d never", came, 100*float64(came-twice)/float64(max(1, came-twice+lost)), twice, lost)
}

// startServer runs the command itself as a server, and returns its address.
func startServer(addr string) (*exec.Cmd, string, error) {
	cmd := exec.Command(os.Args[0], append([]string{"-serve", addr}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	return cmd, strings.TrimSpace(line), err
}

func run() error {
	server, addr, err := startServer("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { server.Process.Kill() }()
	ctx, cancel := context.WithTimeout(context.Background(), *length)
	defer cancel()

	var all []*client
	var proxies []*proxy
	var running sync.WaitGroup
	for i := range *clients {
		p, err := newProxy(addr)
		if err != nil {
			return err
		}
		c := newClient(i, p)
		all, proxies = append(all, c), append(proxies, p)
		running.Go(func() { c.run(ctx) })
		if *every > 0 && !*deploy {
			go p.cutAgainAndAgain(ctx)
		}
	}
	if *deploy {
		time.Sleep(*length / 2)
		next, to, err := startServer("127.0.0.1:0")
		if err != nil {
			return err
		}
		defer next.Process.Kill()
		for _, p := range proxies {
			p.lead(to)
		}
		server.Process.Signal(syscall.SIGTERM)
	}
	var restarted time.Time
	if *kill {
		time.Sleep(*length / 2)
		server.Process.Kill()
		server.Wait()
		time.Sleep(3 * time.Second)
		restarted = time.Now()
		if server, _, err = startServer(addr); err != nil {
			return err
		}
	}
	<-ctx.Done()
	time.Sleep(3 * time.Second) // nobody is cut any more
	report(all, addr)
	if *kill {
		reportReturn(all, restarted)
	}
	for _, c := range all {
		c.Close()
	}
	running.Wait()
	return nil
}

// client checks what comes, and sends numbered messages.
type client struct {
	*websocket.Client
	n     int
	down  ledger
	gaps  atomic.Int64
	start int64 // of the server whose messages are counted

	mu     sync.Mutex
	heard  time.Time     // the last message
	silent time.Duration // the longest time between two
	opened time.Time     // the last connection
	behind time.Time     // since when it has a connection and is not up to date; zero: it is
	waits  []time.Duration
}

func newClient(n int, p *proxy) *client {
	c := &client{n: n}
	c.Client = websocket.NewClient("ws://"+p.l.Addr().String()+"/ws", &websocket.ClientOptions{
		Plain: *plain, Buffer: websocket.Buffer{Messages: 10_000, Bytes: 10 << 20, Age: time.Minute},
	})
	c.OnState(func(s websocket.ClientState) {
		if s.Phase == websocket.ClientOpen {
			c.mu.Lock()
			c.opened = time.Now()
			c.behind = c.opened
			c.mu.Unlock()
		}
	})
	c.OnGap(func(g websocket.Gap) {
		if g.Room != "" {
			c.gaps.Add(1)
		}
	})
	c.On("down", func(e *websocket.Event) {
		var start, sent int64
		var number int
		if err := e.BindAll(&start, &number, &sent); err != nil {
			log.Fatal(err)
		}
		if c.start != start { // the first message, or another server
			c.start, c.down.last = start, number-1
		}
		c.down.take(number)
		c.caughtUp(time.Unix(0, sent))
		c.heardNow()
	})
	return c
}

// caughtUp notes when a message has come that was sent since the client has its connection.
func (c *client) caughtUp(sent time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.behind.IsZero() && sent.Add(time.Second/time.Duration(*rate)).After(c.behind) {
		c.waits = append(c.waits, time.Since(c.behind))
		c.behind = time.Time{}
	}
}

func (c *client) heardNow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if !c.heard.IsZero() {
		c.silent = max(c.silent, now.Sub(c.heard))
	}
	c.heard = now
}

func (c *client) run(ctx context.Context) {
	if *up > 0 {
		go c.talk(ctx)
	}
	c.Client.Run(context.Background())
}

// talk sends numbered messages.
func (c *client) talk(ctx context.Context) {
	n := 0
	tick := time.NewTicker(time.Duration(float64(time.Second) / *up))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			n++
			c.Emit("up", arrival{c.n, n})
		}
	}
}

func report(all []*client, addr string) {
	var came, twice, lost int
	var gaps int64
	var waits, silent []time.Duration
	for _, c := range all {
		c.down.mu.Lock()
		came, twice, lost = came+c.down.came, twice+c.down.twice, lost+c.down.lost
		c.down.mu.Unlock()
		gaps += c.gaps.Load()
		c.mu.Lock()
		waits = append(waits, c.waits...)
		silent = append(silent, c.silent)
		c.mu.Unlock()
	}
	fmt.Printf("to clients: %d came, %.3f %% of what was sent; %d twice or out of order, %d never, %d gaps told\n",
		came, 100*float64(came-twice)/float64(max(1, came-twice+lost)), twice, lost, gaps)
	slices.Sort(silent)
	fmt.Printf("longest time without a message: half of the clients %v, 99 %% %v, all %v\n", silent[len(silent)/2].Round(time.Millisecond),
		silent[len(silent)*99/100].Round(time.Millisecond), silent[len(silent)-1].Round(time.Millisecond))
	slices.Sort(waits)
	at := func(q float64) time.Duration { return waits[int(q*float64(len(waits)-1))].Round(time.Millisecond) }
	if len(waits) > 0 {
		fmt.Printf("caught up: %d times, p50 %v, p99 %v, at most %v after the connection was open\n", len(waits), at(0.5), at(0.99), at(1))
	}
	if res, err := http.Get("http://" + addr + "/up"); err == nil {
		text, _ := bufio.NewReader(res.Body).ReadString('\n')
		res.Body.Close()
		fmt.Print("to the server: ", text)
	}
}

// reportReturn tells when the clients have come back to a server that was started again.
func reportReturn(all []*client, restarted time.Time) {
	var after []time.Duration
	bins := make(map[time.Duration]int) // of 100 ms
	for _, c := range all {
		c.mu.Lock()
		if d := c.opened.Sub(restarted); d > 0 {
			after = append(after, d)
			bins[d.Truncate(100*time.Millisecond)]++
		}
		c.mu.Unlock()
	}
	if len(after) == 0 {
		return
	}
	slices.Sort(after)
	peak := 0
	for _, n := range bins {
		peak = max(peak, n)
	}
	at := func(q float64) time.Duration { return after[int(q*float64(len(after)-1))].Round(time.Millisecond) }
	fmt.Printf("back: %d of %d, half after %v, 99 %% after %v; in the busiest 100 ms came %d\n", len(after), len(all), at(0.5), at(0.99), peak)
}
