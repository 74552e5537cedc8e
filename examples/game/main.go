// Command game is a game for up to eight players in a browser: collect gems, and dash into
// others so that they lose theirs. It is played with a keyboard or by touch.
//
//	go run ./examples/game
//	# then open http://localhost:3000 in two windows, or /#tea on two phones
//
// The server alone decides what happens, thirty times a second, and sends each tick to all
// in one binary message. Pages show their own ship ahead of that, and the others behind it.
package main

import (
	"context"
	"embed"
	"flag"
	"log"
	"strings"
	"time"
	"unicode"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/client"
	"github.com/nextrush/nextrush/plugins/static"
	"github.com/nextrush/nextrush/websocket"
)

//go:embed index.html style.css *.js
var page embed.FS

// newApp makes the game, in which some bots play as long as there are seats.
func newApp(bots int) *nextrush.App {
	app := nextrush.New()
	app.Use(middleware.Production())
	app.EnableWebSocket(websocket.Options{
		MaxConnections: 2_000,
		MaxMessageSize: 4 << 10,
		// A page sends 30 messages a second, and what was held up comes at once.
		RateLimit: websocket.RateLimit{Messages: 2 * hertz, Burst: 10 * hertz},
		// Who loses the connection keeps the ship for a while.
		Resume:       websocket.Resume{For: 30 * time.Second},
		PingInterval: 5 * time.Second,
	})
	l := newLobby(app, bots)
	app.OnShutdown(l.close)
	app.WS("/play", l.play)
	app.Register(client.New(), static.FS("/", page))
	return app
}

// entry is what a page asks for when it has connected, also again.
type entry struct {
	Name  string `json:"name" validate:"required,max=16"`
	Watch bool   `json:"watch"`
}

type entered struct {
	Match string `json:"match"`
	Seat  int    `json:"seat"` // -1: to watch
}

// play lets a socket into a match.
func (l *lobby) play(s *websocket.Socket, c *nextrush.Context) error {
	m, err := l.enter(c.Query("match"))
	if err != nil {
		return err
	}
	v := newVisitor()
	s.OnClose(func(websocket.StatusCode, string) { l.leave(m, v) })
	s.OnMessage(func(msg websocket.Message) {
		if err := v.hear(msg); err != nil {
			s.Close(websocket.StatusInvalidFramePayloadData, err.Error())
		}
	})
	websocket.Handle(s, "enter", func(_ context.Context, _ *websocket.Socket, in entry) (entered, error) {
		name := clean(in.Name)
		if name == "" {
			return entered{}, &websocket.EventError{Message: "a name is needed"}
		}
		out := entered{Match: m.name, Seat: -1}
		m.do(func() {
			if in.Watch {
				m.rise(v)
			} else {
				m.sit(v, name)
			}
			out.Seat = m.seat(v)
		})
		return out, nil
	})
	return s.Join(m.name)
}

// clean leaves a name without what would not show, or would change how others show.
func clean(name string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, name)
	return strings.Join(strings.Fields(name), " ")
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	bots := flag.Int("bots", 3, "players in each match that the server plays, while there are seats")
	flag.Parse()
	if err := newApp(*bots).Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
