// Command votes has rooms of people who vote, over typed events, and a page that describes
// them and can be tried.
//
//	go run ./examples/votes
//	# then open http://localhost:3000/asyncapi in two windows
package main

import (
	"context"
	"flag"
	"log"
	"maps"
	"sync"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/asyncapi"
	"github.com/nextrush/nextrush/websocket"
)

type vote struct {
	Choice string `json:"choice" validate:"required,max=50" example:"tea" doc:"what to drink"`
}

type results struct {
	Votes map[string]int `json:"votes" example:"{\"tea\":2,\"coffee\":1}"`
}

type none struct{}

var (
	voting  = asyncapi.Event[vote]{Name: "vote", Summary: "Votes; who votes again changes it"}
	asking  = asyncapi.Call[none, results]{Name: "results", Summary: "Asks how it stands"}
	changed = asyncapi.Event[results]{Name: "changed", Summary: "Somebody has voted"}
)

// polls are the votes of each room by socket.
type polls struct {
	app *nextrush.App

	mu    sync.Mutex // guards what follows
	votes map[string]map[string]string
}

func newApp() *nextrush.App {
	app := nextrush.New()
	p := &polls{app: app, votes: map[string]map[string]string{}}
	app.Use(middleware.Logger(), middleware.SecureHeaders())
	app.EnableWebSocket(websocket.Options{RateLimit: websocket.RateLimit{Messages: 10, Burst: 20}})
	app.WS("/votes/:room", p.join)
	app.Register(asyncapi.New(asyncapi.Options{Title: "Votes"}, asyncapi.Channel{
		Path:     "/votes/:room",
		Summary:  "One question",
		Rooms:    []string{"{room}"},
		Receives: []asyncapi.Message{voting, asking},
		Sends:    []asyncapi.Message{changed},
	}))
	app.Get("/", func(c *nextrush.Context) error { return c.Redirect("/asyncapi") })
	return app
}

func (p *polls) join(s *websocket.Socket, c *nextrush.Context) error {
	room := c.Param("room")
	voting.On(s, func(s *websocket.Socket, in vote) error {
		return changed.Emit(p.app.WSTo(room), p.vote(room, s.ID(), in.Choice))
	})
	asking.Handle(s, func(context.Context, *websocket.Socket, none) (results, error) { return p.vote(room, "", ""), nil })
	s.OnClose(func(websocket.StatusCode, string) { p.leave(room, s.ID()) })
	return s.Join(room)
}

// vote counts the votes of a room, after that of a socket if there is one.
func (p *polls) vote(room, id, choice string) results {
	p.mu.Lock()
	defer p.mu.Unlock()
	if id != "" && p.votes[room] == nil {
		p.votes[room] = map[string]string{}
	}
	if id != "" {
		p.votes[room][id] = choice
	}
	sum := map[string]int{}
	for choice := range maps.Values(p.votes[room]) {
		sum[choice]++
	}
	return results{sum}
}

func (p *polls) leave(room, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if delete(p.votes[room], id); len(p.votes[room]) == 0 {
		delete(p.votes, room)
	}
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	flag.Parse()
	if err := newApp().Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
