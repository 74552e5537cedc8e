package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/auth"
	"github.com/nextrush/nextrush/websocket"
)

func Example() {
	a := auth.New(auth.Options{
		Keys:  []auth.Key{{ID: "2026-11", Key: []byte("thirty-two bytes from crypto/rand")}},
		Roles: map[string][]string{"editor": {"posts:*"}},
	})
	app := nextrush.New()
	if err := app.Register(a); err != nil {
		fmt.Println(err)
	}
	app.Post("/posts", auth.Require("posts:write"), func(c *nextrush.Context) error {
		return c.Text("written by " + auth.User(c).ID)
	})

	token, err := a.Issue(auth.Principal{ID: "ann", Roles: []string{"editor"}})
	if err != nil {
		fmt.Println(err)
	}
	for _, header := range []string{"Bearer " + token, "Bearer nonsense"} {
		r := httptest.NewRequest(http.MethodPost, "/posts", nil)
		r.Header.Set("Authorization", header)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 200
	// 401
}

// Known users may open a socket. It lives as long as the token, and longer with a
// newer one.
func ExamplePlugin_Refresh() {
	a := auth.New(auth.Options{Keys: []auth.Key{{Key: []byte("thirty-two bytes from crypto/rand")}}})
	app := nextrush.New()
	app.Register(a)
	app.EnableWebSocket(websocket.Options{Protocols: []string{auth.Subprotocol}})
	app.With(auth.Require()).WS("/feed", func(s *websocket.Socket, c *nextrush.Context) error {
		type credentials struct {
			Token string `json:"token"`
		}
		websocket.On(s, "refresh", func(s *websocket.Socket, in credentials) error {
			return a.Refresh(s, in.Token)
		})
		return s.Send("hello " + auth.SocketUser(s).ID)
	})
}

// Anybody may open the socket, but must send a token within ten seconds.
func ExamplePlugin_FirstMessage() {
	a := auth.New(auth.Options{Keys: []auth.Key{{Key: []byte("thirty-two bytes from crypto/rand")}}})
	app := nextrush.New()
	app.Register(a)
	app.EnableWebSocket(websocket.Options{})
	app.WS("/feed", func(s *websocket.Socket, c *nextrush.Context) error {
		user, err := a.FirstMessage(s, 10*time.Second)
		if err != nil {
			return err
		}
		return s.Send("hello " + user.ID)
	})
}

// The page asks for a ticket with its cookie or token, and opens
// new WebSocket("/feed?ticket=" + ticket).
func ExamplePlugin_Ticket() {
	a := auth.New(auth.Options{Keys: []auth.Key{{Key: []byte("thirty-two bytes from crypto/rand")}}})
	app := nextrush.New()
	app.Register(a)
	app.Post("/ticket", auth.Require(), func(c *nextrush.Context) error {
		ticket, err := a.Ticket(c)
		if err != nil {
			return err
		}
		return c.NoCache().JSON(map[string]string{"ticket": ticket})
	})
}

func ExamplePasswords() {
	ctx := context.Background()
	var passwords auth.Passwords
	stored, err := passwords.Hash(ctx, "correct horse battery staple")
	if err != nil {
		fmt.Println(err)
	}
	upgrade, err := passwords.Verify(ctx, stored, "correct horse battery staple")
	fmt.Println(upgrade == "", err)
	_, err = passwords.Verify(ctx, stored, "12345678")
	fmt.Println(errors.Is(err, auth.ErrPassword))
	// Output:
	// true <nil>
	// true
}
