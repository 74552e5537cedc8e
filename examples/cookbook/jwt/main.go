// Command jwt gives out tokens of five minutes: for an API, and for a socket that lives as long
// as its token is renewed.
//
//	go run ./examples/cookbook/jwt -ttl 20s
//	# then open http://localhost:3000: ann has the password correct-horse
//
//	curl --json '{"name":"ann","password":"correct-horse"}' localhost:3000/login
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

const login = 12 * time.Hour // for so long tokens are renewed

var hashes = map[string]string{ // by passwords.Hash; a table of users can take its place
	"ann": "$argon2id$v=19$m=19456,t=2,p=1$WcZvZ/ngf8HqaiYHDe7qHQ$QnUez6Khx+F1f0SDXy8VWnh/j41eyZ4zu2ksOO9PaUc",
}

type credentials struct {
	Name     string `json:"name" validate:"required,max=64"`
	Password string `json:"password" validate:"required,max=1024"`
}

type message struct {
	From string `json:"from"`
	Text string `json:"text" validate:"required,max=500"`
}

func newApp(secret string, ttl time.Duration) *nextrush.App {
	var passwords auth.Passwords
	app := nextrush.New()
	a := auth.New(auth.Options{Keys: []auth.Key{{ID: "1", Key: []byte(secret)}}, TTL: ttl})
	app.Use(middleware.Production())
	app.EnableWebSocket(websocket.Options{Protocols: []string{auth.Subprotocol}})
	app.Register(a, client.New(), static.FS("/", page))
	issue := func(c *nextrush.Context, user auth.Principal) error {
		token, err := a.Issue(user)
		if err != nil {
			return err
		}
		return c.NoCache().JSON(map[string]string{"token": token})
	}

	app.Post("/login", middleware.RateLimit(middleware.RateLimitOptions{Requests: 20}), func(c *nextrush.Context) error {
		var in credentials
		if err := c.Bind(&in); err != nil {
			return err
		}
		if _, err := passwords.Verify(c.Context(), hashes[in.Name], in.Password); err != nil {
			return nextrush.NewError(401, "wrong name or password").WithCause(err)
		}
		until := time.Now().Add(login).Unix()
		return issue(c, auth.Principal{ID: in.Name, Claims: map[string]any{"until": until}})
	})
	app.Post("/renew", auth.Require(), func(c *nextrush.Context) error {
		user := auth.User(c)
		if until, _ := user.Claims["until"].(float64); time.Now().Unix() >= int64(until) {
			return nextrush.NewError(401, "log in again")
		}
		return issue(c, *user)
	})
	app.With(auth.Require()).WS("/chat", func(s *websocket.Socket, c *nextrush.Context) error {
		websocket.On(s, "say", func(s *websocket.Socket, in message) error {
			return app.WSTo("chat").Emit("said", message{auth.SocketUser(s).ID, in.Text})
		})
		return s.Join("chat")
	})
	return app
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	ttl := flag.Duration("ttl", 5*time.Minute, "lifetime of a token")
	flag.Parse()
	if err := newApp(rand.Text()+rand.Text(), *ttl).Listen(*addr); err != nil { // tokens end with the process
		log.Fatal(err)
	}
}
