package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/cluster/nats/embedded"
	"github.com/nextrush/nextrush/plugins/cluster/redis"
	"github.com/nextrush/nextrush/websocket"
)

// serve is a node of ours, until it is killed. The engine is the URL of a Redis, or "nats:"
// and addresses where nodes meet, of which the first is its own, or nothing. With
// "nats-kept:" they are those of all nodes, and there are rooms with history.
func serve(engine string) error {
	slog.SetLogLoggerLevel(slog.LevelError)
	broker, err := open(engine)
	if err != nil {
		return err
	}
	rooms := websocket.Rooms{"crowd/*": {Presence: true}}
	if !strings.HasPrefix(engine, "nats:") {
		rooms["kept/*"] = websocket.RoomOptions{History: websocket.History{Messages: 100}}
	}
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{Broker: broker, Rooms: rooms})
	app.WS("/room", func(s *websocket.Socket, c *nextrush.Context) error {
		s.OnMessage(func(m websocket.Message) { app.WSTo("all").Send(m.Text()) })
		return s.Join("all")
	})
	app.WS("/in", sit)
	app.Get("/publish", publishMany)
	app.Get("/ask", askMany)
	app.Get("/stats", func(c *nextrush.Context) error { return c.JSON(app.WebSockets().Stats()) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return app.Serve(l)
}

func open(engine string) (websocket.Broker, error) {
	kind, addrs, _ := strings.Cut(engine, ":")
	list := strings.Split(addrs, ",")
	switch kind {
	case "":
		return nil, nil
	case "nats":
		return embedded.Open(embedded.Options{Listen: list[0], Peers: list[1:], Secret: "secret"})
	case "nats-kept":
		return embedded.Open(embedded.Options{Listen: list[0], Peers: list, Secret: "secret", Memory: true, Expected: len(list)})
	}
	return redis.Open(engine)
}

// sit is a socket that says nothing. It is that of a user, and in the rooms of the query.
func sit(s *websocket.Socket, c *nextrush.Context) error {
	q := c.Request().URL.Query()
	if user := q.Get("user"); user != "" {
		if err := s.SetUser(user, nil); err != nil {
			return err
		}
	}
	for _, room := range q["room"] {
		if err := s.Join(room); err != nil {
			return err
		}
	}
	return nil
}

// burst is what publishMany is asked for, and cost what that takes.
type (
	burst struct {
		Room string `query:"room"`
		N    int    `query:"n"`
		Rate int    `query:"rate"` // a second; 0: as many as the engine takes
	}
	cost struct {
		CPU     float64 `json:"cpu"` // of the process, µs for each
		Seconds float64 `json:"seconds"`
	}
)

const (
	enough   = 1 << 20 // bytes that wait for the engine
	together = 100     // messages between two looks at them
)

// publishMany publishes events to a room in which nobody is at this node.
func publishMany(c *nextrush.Context) error {
	var b burst
	if err := c.Bind(&b); err != nil {
		return err
	}
	srv, text := c.App().WebSockets(), strings.Repeat("x", 100)
	waits := func(most int64) bool { return srv.Stats().Cluster.Queued > most }
	used, start := processTime(), time.Now()
	for i := range b.N {
		if b.Rate > 0 && i%max(1, b.Rate/1000) == 0 {
			time.Sleep(time.Until(start.Add(time.Duration(i) * time.Second / time.Duration(b.Rate))))
		}
		for i%together == 0 && waits(enough) {
			time.Sleep(100 * time.Microsecond)
		}
		if err := srv.To(b.Room).Emit("said", text); err != nil {
			return err
		}
	}
	for waits(0) {
		time.Sleep(100 * time.Microsecond)
	}
	if dropped := srv.Stats().Cluster.Dropped; dropped > 0 {
		return fmt.Errorf("%d messages were dropped", dropped)
	}
	return c.JSON(cost{float64((processTime() - used).Nanoseconds()) / 1e3 / float64(b.N), time.Since(start).Seconds()})
}

func processTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail for the process itself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// question is what askMany is asked for, and answer what one call has brought.
type (
	question struct {
		Op string `query:"op"`
		N  int    `query:"n"`
	}
	answer struct {
		Micros  float64 `json:"micros"`
		Found   int     `json:"found"`
		Missing int     `json:"missing"`
	}
)

// askMany asks all nodes again and again.
func askMany(c *nextrush.Context) error {
	var q question
	if err := c.Bind(&q); err != nil {
		return err
	}
	answers := make([]answer, q.N)
	for i := range answers {
		start := time.Now()
		found, err := askOnce(c.Context(), c.App().WebSockets().Cluster(), q.Op, i)
		answers[i] = answer{Micros: micros(time.Since(start)), Found: found}
		var partial *websocket.PartialError
		if errors.As(err, &partial) {
			answers[i].Missing = len(partial.Missing)
		} else if err != nil {
			return err
		}
	}
	return c.JSON(answers)
}

// askOnce is call number i.
func askOnce(ctx context.Context, c websocket.Cluster, op string, i int) (found int, err error) {
	switch op {
	case "count":
		count, err := c.Count(ctx, "all")
		return count.Sockets, err
	case "sockets":
		list, err := c.Sockets(ctx, websocket.Room("all"), 10_000)
		return len(list), err
	case "disconnect":
		return c.Disconnect(ctx, websocket.User(fmt.Sprint("u", i)), 4401, "signed out")
	}
	return 0, fmt.Errorf("no operation %q", op)
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
