// Command chat is a chat with a login, the last fifty messages, and who is here.
//
//	go run ./examples/cookbook/chat
//	# then open http://localhost:3000: ann has the password correct-horse, bob battery-staple
package main

import (
	"crypto/rand"
	"embed"
	"flag"
	"log"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/auth"
	"github.com/nextrush/nextrush/plugins/client"
	"github.com/nextrush/nextrush/plugins/static"
	"github.com/nextrush/nextrush/websocket"
)

//go:embed index.html app.js style.css
var page embed.FS

var hashes = map[string]string{ // by passwords.Hash; a table of users can take its place
	"ann": "$argon2id$v=19$m=19456,t=2,p=1$WcZvZ/ngf8HqaiYHDe7qHQ$QnUez6Khx+F1f0SDXy8VWnh/j41eyZ4zu2ksOO9PaUc",
	"bob": "$argon2id$v=19$m=19456,t=2,p=1$6+bGGzGWrUHeWEB4ktMfYw$EOtyFXKsznka6BA4S+9Sx6E8LwTRKZtnXJpntWv13/o",
}

type message struct {
	From string `json:"from"`
	Text string `json:"text" validate:"required,max=2000"`
}

func newApp(secret string) *nextrush.App {
	var passwords auth.Passwords
	app := nextrush.New()
	a := auth.New(auth.Options{Keys: []auth.Key{{Key: []byte(secret)}}, Cookie: "token", TTL: 12 * time.Hour})
	app.Use(middleware.Production(), middleware.CSRF())
	app.EnableWebSocket(websocket.Options{
		Rooms: websocket.Rooms{"lobby": {History: websocket.History{Messages: 500}, Presence: true}},
	})
	app.Register(a, client.New(), static.FS("/", page))
	app.Get("/me", func(c *nextrush.Context) error { return c.NoCache().JSON(auth.User(c)) })
	app.Post("/login", middleware.RateLimit(middleware.RateLimitOptions{Requests: 20}), func(c *nextrush.Context) error {
		name := c.Form("name")
		if _, err := passwords.Verify(c.Context(), hashes[name], c.Form("password")); err != nil {
			return c.Redirect("/?failed", 303)
		}
		if err := a.Login(c, auth.Principal{ID: name}); err != nil {
			return err
		}
		return c.Redirect("/", 303)
	})
	app.With(auth.Require()).WS("/chat", func(s *websocket.Socket, c *nextrush.Context) error {
		me := auth.User(c).ID
		websocket.On(s, "say", func(s *websocket.Socket, in message) error {
			return app.WSTo("lobby").Emit("said", message{me, in.Text})
		})
		return s.JoinLast(s.Context(), "lobby", 50)
	})
	return app
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	flag.Parse()
	if err := newApp(rand.Text() + rand.Text()).Listen(*addr); err != nil { // logins end with the process
		log.Fatal(err)
	}
}
