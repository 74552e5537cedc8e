package main

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/auth"
	"github.com/nextrush/nextrush/websocket"
)

func app() *nextrush.App { return newApp("thirty-two bytes from crypto/rand", 5*time.Minute) }

func tokenOf(r *nextrushtest.Response) string {
	var out struct{ Token string }
	r.WantStatus(200).JSON(&out)
	return out.Token
}

func logIn(c *nextrushtest.Client) string {
	return tokenOf(c.Post("/login", credentials{"ann", "correct-horse"}))
}

func renew(c *nextrushtest.Client, token string) *nextrushtest.Response {
	return c.With("Authorization", "Bearer "+token).Post("/renew", nil)
}

// follow opens the socket and reads it, as a page does, until it ends with a code.
func follow(t *testing.T, c *nextrushtest.Client, token string) (s *nextrushtest.Socket, said chan message, ended chan websocket.StatusCode) {
	said, ended = make(chan message, 100), make(chan websocket.StatusCode, 1)
	s = c.Dial("/chat", &websocket.DialOptions{Protocols: []string{websocket.Protocol, auth.Subprotocol, token}})
	go func() {
		for {
			m, err := s.Receive(t.Context())
			if err != nil {
				var end *websocket.CloseError
				if errors.As(err, &end) {
					ended <- end.Code
				}
				return
			}
			var in message
			if e, ok := m.Event(); ok && e.Bind(0, &in) == nil {
				said <- in
			}
		}
	}()
	return s, said, ended
}

func TestASocketLivesAsLongAsItsTokenIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := nextrushtest.New(t, app())
		token := logIn(c)
		kept, said, _ := follow(t, c, token)
		_, _, ended := follow(t, c, token)
		for range 3 {
			time.Sleep(4 * time.Minute)
			token = tokenOf(renew(c, token))
			kept.Send(json.RawMessage(`{"type":"auth","id":1,"token":"` + token + `"}`))
			kept.Emit("say", message{Text: "still here"})
			if got := <-said; got != (message{"ann", "still here"}) {
				t.Errorf("got %+v", got)
			}
		}
		if code := <-ended; code != auth.StatusUnauthorized {
			t.Errorf("the socket whose token is not renewed ended with %d", code)
		}
	})
}

func TestALoginEndsAfterTwelveHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := nextrushtest.New(t, app())
		token, began := logIn(c), time.Now()
		for time.Since(began) < login-4*time.Minute {
			time.Sleep(4 * time.Minute)
			token = tokenOf(renew(c, token))
		}
		time.Sleep(4 * time.Minute)
		renew(c, token).WantStatus(401)
	})
}

func TestStrangersAreNotLetIn(t *testing.T) {
	c := nextrushtest.New(t, app())
	c.Post("/login", credentials{"ann", "battery-staple"}).WantStatus(401)
	c.Post("/login", credentials{"eve", "correct-horse"}).WantStatus(401)
	renew(c, "made up").WantStatus(401)
	if e := c.DialError("/chat"); e.Status != 401 {
		t.Error(e)
	}
}

func TestThePageIsServed(t *testing.T) {
	c := nextrushtest.New(t, app())
	for _, path := range []string{"/", "/app.js", "/style.css", "/nextrush.js"} {
		c.Get(path).WantStatus(200)
	}
}
