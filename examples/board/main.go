// Command board is a whiteboard that people share: pens, an eraser, notes, and the cursors
// of whoever is there. What is drawn without a connection is sent when it is back.
//
//	go run ./examples/board
//	# then open http://localhost:3000, and the address it leads to in a second window
//
// With -dir boards they are kept in that folder.
package main

import (
	"context"
	"crypto/rand"
	"embed"
	"flag"
	"io/fs"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/client"
	"github.com/nextrush/nextrush/plugins/static"
	"github.com/nextrush/nextrush/websocket"
)

const maxOps = 100 // in one request

//go:embed index.html
var index string

//go:embed page
var page embed.FS

// live is what somebody does at this moment. It is passed on and forgotten: what was done
// comes as operations.
type live struct {
	User   string   `json:"user"` // which the server sets
	X      *float32 `json:"x,omitempty"`
	Y      *float32 `json:"y,omitempty"`      // of the cursor; nil: it is elsewhere
	Stroke *element `json:"stroke,omitempty"` // that is being drawn, with the points that are new
	Note   *edit    `json:"note,omitempty"`   // that is being moved
}

func newApp(dir string) *nextrush.App {
	app := nextrush.New()
	app.Use(middleware.Production())
	app.EnableWebSocket(websocket.Options{
		MaxMessageSize: 128 << 10,
		RateLimit:      websocket.RateLimit{Messages: 60, Burst: 200},
		Resume:         websocket.Resume{For: time.Minute},
		Rooms: websocket.Rooms{
			"*": {History: websocket.History{Messages: 1000, Bytes: 4 << 20, Age: 10 * time.Minute}, Presence: true},
		},
	})
	boards := app.Namespace("/live")
	once := websocket.Once(time.Hour, 10_000) // what a client sends again, after a loss
	boards.WSUse(func(s *websocket.Socket, _ *nextrush.Context, next func() error) error {
		s.UseEvents(once)
		return next()
	})
	st := &store{dir: dir, sockets: app.WebSockets().Namespace("/live"), log: app.Log(), stop: make(chan struct{}), boards: map[string]*board{}}
	app.OnStart(st.start)
	app.OnShutdown(st.shutdown)
	boards.WS("/:board", st.join)
	app.Get("/boards/:board", middleware.Compress(), st.show)
	app.Get("/b/:board", func(c *nextrush.Context) error { return c.NoCache().HTML(index) })
	app.Get("/", func(c *nextrush.Context) error {
		return c.Redirect("/b/"+strings.ToLower(rand.Text()[:8]), http.StatusFound)
	})
	files, _ := fs.Sub(page, "page")
	app.Register(client.New(), static.FS("/", files))
	return app
}

// show answers with the whole board, and with the place in the room's history from which a
// client goes on.
func (st *store) show(c *nextrush.Context) error {
	b, err := st.open(c.Param("board"))
	if err != nil {
		return err
	}
	now, err := b.snapshot(c.Context())
	if err != nil {
		return err
	}
	return c.NoCache().JSON(now)
}

// join lets a socket into the room of its board. There is no login: whoever names a user is
// that user.
func (st *store) join(s *websocket.Socket, c *nextrush.Context) error {
	user := c.Query("user")
	if !goodID.MatchString(user) {
		return nextrush.NewError(http.StatusBadRequest, "a user has 1 to 32 letters and digits")
	}
	b, err := st.open(c.Param("board"))
	if err != nil {
		return err
	}
	if err := s.SetUser(user, nil); err != nil {
		return err
	}
	websocket.Handle(s, "do", func(_ context.Context, _ *websocket.Socket, ops []op) ([]result, error) {
		if len(ops) > maxOps {
			return nil, &websocket.EventError{Message: "too many operations at once"}
		}
		results := make([]result, len(ops))
		for i, o := range ops {
			results[i] = b.do(user, o)
		}
		return results, nil
	})
	websocket.On(s, "live", func(s *websocket.Socket, l live) error {
		l.User = user
		if d := l.Stroke; d != nil {
			if !goodID.MatchString(d.ID) || d.check() != nil {
				return &websocket.EventError{Message: "this is not a stroke"}
			}
			l.Stroke = &element{ID: d.ID, Color: d.Color, Width: d.Width, Points: d.Points}
		}
		if m := l.Note; m != nil {
			l.Note = &edit{ID: m.ID, X: m.X, Y: m.Y}
		}
		return s.To(b.name).Coalesce(user).Emit("live", l)
	})
	return s.Join(b.name)
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	dir := flag.String("dir", "", "folder that keeps the boards; empty: they are kept in memory")
	flag.Parse()
	if err := newApp(*dir).Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
