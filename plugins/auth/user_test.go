package auth_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/auth"
	"github.com/nextrush/nextrush/websocket"
)

// limited allows one socket of each user, and a second for those who do not say who they are.
func limited(t *testing.T, a *auth.Plugin) *nextrush.App {
	t.Helper()
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{MaxConnectionsPerUser: 1, AuthTimeout: time.Second})
	app.WSUse(func(s *websocket.Socket, c *nextrush.Context, next func() error) error {
		if name := c.Query("as"); name != "" {
			s.SetUser(name, "info")
		}
		return next()
	})
	if err := app.Register(a); err != nil {
		t.Fatal(err)
	}
	app.With(auth.Require()).WS("/ws", func(s *websocket.Socket, _ *nextrush.Context) error {
		id, info := s.User()
		return s.Emit("user", id, info)
	})
	app.WS("/first", func(s *websocket.Socket, _ *nextrush.Context) error {
		if _, err := a.FirstMessage(s, 500*time.Millisecond); err != nil {
			return err
		}
		id, _ := s.User()
		return s.Emit("user", id, nil)
	})
	return app
}

func TestTheHolderIsTheUserOfTheSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := auth.New(withSecret())
		c := nextrushtest.New(t, limited(t, a))
		ann := c.With("Authorization", "Bearer "+issue(t, a, auth.Principal{ID: "ann"}))
		bob := issue(t, a, auth.Principal{ID: "bob"})

		hers := ann.Dial("/ws")
		var id, info string
		if hers.ExpectEvent("user", &id); id != "ann" {
			t.Errorf("the socket is %q's", id)
		}
		if e := ann.DialError("/ws"); e.Status != 429 {
			t.Errorf("her second socket: %v", e)
		}
		if e := ann.Dial("/ws?as=account-7").ExpectEvent("user", &id); id != "account-7" || e.Bind(1, &info) != nil || info != "info" {
			t.Errorf("the app's own user became %q, %q", id, info)
		}

		late := c.Dial("/first")
		late.Send(`{"token":"` + bob + `"}`)
		if late.ExpectEvent("user", &id); id != "bob" {
			t.Errorf("the late socket is %q's", id)
		}
		again := c.Dial("/first")
		again.Send(`{"token":"` + bob + `"}`)
		again.ExpectClose(4429)

		time.Sleep(2 * time.Second)
		if hers.State() != websocket.StateOpen || late.State() != websocket.StateOpen {
			t.Error("AuthTimeout closes sockets of known users")
		}
	})
}

func TestAHolderWithoutAnIDIsNobody(t *testing.T) {
	a := auth.New(auth.Options{Lookup: func(*nextrush.Context) (*auth.Principal, error) {
		return &auth.Principal{Roles: []string{"guest"}}, nil
	}})
	var id string
	nextrushtest.New(t, limited(t, a)).Dial("/ws").ExpectEvent("user", &id)
	if id != "" {
		t.Errorf("it is %q's", id)
	}
}
