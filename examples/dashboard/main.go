// Command dashboard shows live what the socket engine counts: sockets by route, the times
// of callbacks by event, round trips, dropped messages, and who closes.
//
//	go run ./examples/dashboard -crowd 100   # then open http://localhost:3000
//
// With -crowd it has visitors of its own, of whom some do not read. Who may see such a
// page of your own program is up to you: put it behind a login.
package main

import (
	"context"
	"embed"
	"flag"
	"log"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/client"
	"github.com/nextrush/nextrush/plugins/static"
	"github.com/nextrush/nextrush/websocket"
)

//go:embed index.html app.js chart.js style.css
var page embed.FS

const (
	every = time.Second
	live  = "live" // the room of those who watch
)

type position struct {
	X float64 `json:"x" validate:"min=0,max=1"`
	Y float64 `json:"y" validate:"min=0,max=1"`
}

type line struct {
	Text string `json:"text" validate:"required,max=280"`
}

func newApp() *nextrush.App {
	app := nextrush.New()
	app.Use(middleware.Production())
	app.EnableWebSocket(websocket.Options{
		TimeEvents:   true,
		RateLimit:    websocket.RateLimit{Messages: 100, Burst: 200},
		PingInterval: 5 * time.Second, // so that round trips show soon
		PongTimeout:  time.Minute,     // who does not read is to show, too
	})
	app.Register(client.New(), static.FS("/", page))
	app.WS("/live", func(s *websocket.Socket, c *nextrush.Context) error { return s.Join(live) })
	app.WS("/play/:room", play)

	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	app.OnStart(func(context.Context) error {
		go func() {
			defer close(stopped)
			report(ctx, app)
		}()
		return nil
	})
	app.OnShutdown(func(context.Context) error {
		stop()
		<-stopped
		return nil
	})
	return app
}

// report sends the statistics to everybody who watches. Who is slow gets the newest.
func report(ctx context.Context, app *nextrush.App) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		app.WSTo(live).Coalesce("stats").Emit("stats", app.WebSocketStats())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// play is something to be measured: cursors, a chat, pictures, and work that takes its
// time.
func play(s *websocket.Socket, c *nextrush.Context) error {
	room := c.Param("room")
	websocket.On(s, "move", func(s *websocket.Socket, to position) error {
		return s.To("play/"+room).Coalesce(s.ID()).Emit("moved", s.ID(), to)
	})
	websocket.On(s, "chat", func(s *websocket.Socket, in line) error {
		return s.To("play/"+room).Emit("chat", in)
	})
	websocket.On(s, "picture", func(s *websocket.Socket, picture []byte) error {
		return s.To("play/"+room).Emit("picture", picture)
	})
	websocket.Handle(s, "report", func(ctx context.Context, _ *websocket.Socket, _ any) (string, error) {
		select {
		case <-time.After(30 * time.Millisecond): // a query, say
			return "done", nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	})
	return s.Join("play/" + room)
}

func main() {
	addr := flag.String("addr", "localhost:3000", "address to listen on")
	crowd := flag.Int("crowd", 0, "visitors that the program makes up")
	flag.Parse()
	app := newApp()
	if *crowd > 0 {
		go visit("ws://"+*addr, *crowd)
	}
	if err := app.Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
