// Command job works in the background, and tells whoever has started the work how far it is.
//
//	go run ./examples/cookbook/job
//	# then open http://localhost:3000, start a job, and reload the page, or open it again
package main

import (
	"crypto/rand"
	"embed"
	"flag"
	"log"
	"net/http"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/client"
	"github.com/nextrush/nextrush/plugins/static"
	"github.com/nextrush/nextrush/websocket"
)

//go:embed index.html app.js style.css
var page embed.FS

func newApp() *nextrush.App {
	app := nextrush.New()
	app.Use(middleware.Production(), middleware.CSRF(), visitor([]byte(rand.Text()+rand.Text())))
	app.EnableWebSocket(websocket.Options{})
	jobs := newJobs(app)
	app.BeforeShutdown(jobs.stop)
	app.Post("/jobs", func(c *nextrush.Context) error {
		started, err := jobs.start(user(c))
		if err != nil {
			return err
		}
		return c.Status(http.StatusAccepted).JSON(started)
	})
	app.WS("/jobs", func(s *websocket.Socket, c *nextrush.Context) error { return jobs.follow(s, user(c)) })
	app.Register(client.New(), static.FS("/", page))
	return app
}

// visitor tells visitors apart by a cookie, which comes with the page. With plugin auth, the
// login takes its place, and user returns auth.User(c).ID.
func visitor(secret []byte) nextrush.Handler {
	cookies := nextrush.NewSignedCookies(secret)
	return func(c *nextrush.Context) error {
		id, ok := cookies.Get(c, "visitor")
		switch {
		case ok:
		case c.Path() != "/":
			return c.Next()
		default:
			id = rand.Text()
			if err := cookies.Set(c, &http.Cookie{Name: "visitor", Value: id}); err != nil {
				return err
			}
		}
		c.Set("user", id)
		return c.Next()
	}
}

func user(c *nextrush.Context) string {
	id, _ := c.Get("user").(string)
	return id
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	flag.Parse()
	if err := newApp().Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
