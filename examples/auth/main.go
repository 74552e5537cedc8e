// Command auth is a notice board for people who have logged in: a form and a cookie
// for browsers, tokens for programs, and a protected socket.
//
//	go run ./examples/auth
//	# then open http://localhost:3000: ann may write, bob may read
//
//	curl -d name=ann -d password=correct-horse http://localhost:3000/api/token
package main

import (
	"crypto/rand"
	"embed"
	"flag"
	"log"
	"net/http"
	"os"
	"slices"
	"sync"
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

type note struct {
	By   string    `json:"by"`
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

type noteInput struct {
	Text string `json:"text" validate:"required,max=500"`
}

type refreshInput struct {
	Token string `json:"token" validate:"required"`
}

// board keeps the notes and serves them.
type board struct {
	app   *nextrush.App
	auth  *auth.Plugin
	users *users

	mu    sync.Mutex // guards notes, and that the room is told of them in their order
	notes []note
}

// state is the notes, and the position in the room's history of what changes them after.
type state struct {
	Notes    []note             `json:"notes"`
	Position websocket.Position `json:"position"`
}

func newApp(secret []byte) (*nextrush.App, error) {
	b := &board{app: nextrush.New(), users: newUsers(), notes: []note{}}
	b.auth = auth.New(auth.Options{
		Keys:   []auth.Key{{ID: "1", Key: secret}},
		Cookie: "token",
		TTL:    time.Hour,
		Roles: map[string][]string{
			"writer": {"notes:*"},
			"reader": {"notes:read"},
			"admin":  {"*"},
		},
	})
	app := b.app
	app.Use(middleware.RequestID(), middleware.Recover(), middleware.SecureHeaders(), middleware.CSRF())
	if err := app.Register(b.auth, client.New(), static.FS("/", page)); err != nil {
		return nil, err
	}
	app.EnableWebSocket(websocket.Options{
		Protocols:      []string{auth.Subprotocol},
		MaxMessageSize: 16 << 10,
		Rooms:          websocket.Rooms{"notes": {History: websocket.History{Messages: 100}}},
	})

	app.Post("/logout", b.logout)
	guesses := middleware.RateLimit(middleware.RateLimitOptions{Requests: 20})
	app.Post("/login", guesses, b.login)
	app.Post("/api/token", guesses, b.token)

	// The page asks who has logged in; a 401 for nobody would be an error in the browser's console.
	app.Get("/api/me", func(c *nextrush.Context) error { return c.NoCache().JSON(auth.User(c)) })
	api := app.Group("/api", auth.Require())
	api.Get("/notes", auth.Require("notes:read"), b.list)
	api.Post("/notes", auth.Require("notes:write"), b.post)
	api.Delete("/notes", auth.RequireRole("admin"), b.clear)
	app.With(auth.Require("notes:read")).WS("/feed", b.feed)
	return app, nil
}

// login is for the form: the browser keeps the token in a cookie.
func (b *board) login(c *nextrush.Context) error {
	user, err := b.users.check(c)
	if nextrush.StatusOf(err) == http.StatusUnauthorized {
		return c.Redirect("/?failed=1", http.StatusSeeOther)
	}
	if err != nil {
		return err
	}
	if err := b.auth.Login(c, user); err != nil {
		return err
	}
	return c.Redirect("/", http.StatusSeeOther)
}

func (b *board) logout(c *nextrush.Context) error {
	b.auth.Logout(c)
	return c.Redirect("/", http.StatusSeeOther)
}

// token is for programs, which send it in the Authorization header.
func (b *board) token(c *nextrush.Context) error {
	user, err := b.users.check(c)
	if err != nil {
		return err
	}
	token, err := b.auth.Issue(user)
	if err != nil {
		return err
	}
	return c.NoCache().JSON(map[string]string{"token": token})
}

func (b *board) list(c *nextrush.Context) error {
	b.mu.Lock()
	at, err := b.app.WebSockets().Position(c.Context(), "notes")
	now := state{slices.Clone(b.notes), at}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	return c.NoCache().JSON(now)
}

func (b *board) post(c *nextrush.Context) error {
	var in noteInput
	if err := c.Bind(&in); err != nil {
		return err
	}
	n := note{auth.User(c).ID, in.Text, time.Now()}
	if err := b.add(n); err != nil {
		return err
	}
	return c.Status(http.StatusCreated).JSON(n)
}

func (b *board) add(n note) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.notes = append(b.notes, n)
	b.notes = b.notes[max(0, len(b.notes)-100):]
	return b.app.WSTo("notes").Emit("note", n)
}

func (b *board) clear(c *nextrush.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.notes = []note{}
	if err := b.app.WSTo("notes").Emit("cleared"); err != nil {
		return err
	}
	return c.NoContent()
}

// feed sends new notes, for as long as the token lasts or is refreshed.
func (b *board) feed(s *websocket.Socket, c *nextrush.Context) error {
	websocket.On(s, "refresh", func(s *websocket.Socket, in refreshInput) error {
		return b.auth.Refresh(s, in.Token)
	})
	if err := s.Join("notes"); err != nil {
		return err
	}
	return s.Emit("welcome", auth.SocketUser(s).ID)
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	flag.Parse()
	secret := []byte(os.Getenv("AUTH_SECRET"))
	if len(secret) == 0 { // tokens end with the process
		secret = make([]byte, 32)
		rand.Read(secret)
	}
	app, err := newApp(secret)
	if err != nil {
		log.Fatal(err)
	}
	if err := app.Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
