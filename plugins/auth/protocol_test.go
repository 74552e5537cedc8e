package auth_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/auth"
	"github.com/nextrush/nextrush/websocket"
)

func TestClientsOfTheProtocolRenewTheirTokens(t *testing.T) {
	a := auth.New(withSecret())
	app := withSockets(t, a)
	c := nextrushtest.New(t, app)
	token := issue(t, a, auth.Principal{ID: "ann"})
	s := c.Dial("/ws", &websocket.DialOptions{Protocols: []string{websocket.Protocol, "bearer", token}})
	s.Expect("hello ann")
	expires := app.WebSocketConnections()[0].Credential().Expires
	if left := time.Until(expires); left < 14*time.Minute || left > 15*time.Minute {
		t.Errorf("the token expires in %v", left)
	}
	s.Send(fmt.Sprintf(`{"type":"auth","id":1,"token":%q}`, issue(t, a, auth.Principal{ID: "ann"})))
	var ack struct {
		Type string
		Data []struct{ Expires int64 }
	}
	if err := json.Unmarshal(s.Next().Bytes(), &ack); err != nil || ack.Type != "ack" || ack.Data[0].Expires < expires.UnixMilli() {
		t.Errorf("answer is %+v, %v; before it was %v", ack, err, expires)
	}
	s.Send(fmt.Sprintf(`{"type":"auth","id":2,"token":%q}`, issue(t, a, auth.Principal{ID: "bob"})))
	s.Expect(`{"type":"error","id":2,"message":"the token is not valid"}`)
}

func TestClientsOfTheProtocolRenewByTickets(t *testing.T) {
	a := auth.New(withSecret())
	app := withSockets(t, a)
	app.Get("/new", func(c *nextrush.Context) error {
		ticket, err := a.Ticket(c)
		if err != nil {
			return err
		}
		return c.Text(ticket)
	})
	c := nextrushtest.New(t, app)
	ticket := func(user string) string {
		return c.With("Authorization", "Bearer "+issue(t, a, auth.Principal{ID: user})).Get("/new").Text()
	}
	s := c.Dial("/ws?ticket="+ticket("ann"), &websocket.DialOptions{Protocols: []string{websocket.Protocol}})
	s.Expect("hello ann")
	newer := ticket("ann")
	for i, test := range []struct{ ticket, want string }{
		{newer, `{"type":"ack","id":0,`},
		{newer, `{"type":"error","id":1,"message":"the token is not valid"}`}, // it was spent
		{ticket("bob"), `{"type":"error","id":2,"message":"the token is not valid"}`},
		{"", `{"type":"error","id":3,"message":"the token is not valid"}`},
	} {
		s.Send(fmt.Sprintf(`{"type":"auth","id":%d,"ticket":%q}`, i, test.ticket))
		if got := s.Next().Text(); !strings.HasPrefix(got, test.want) {
			t.Errorf("the answer is %s, want %s", got, test.want)
		}
	}
}

func TestProbesAreAuthenticatedAndSpendNoTicket(t *testing.T) {
	a := auth.New(withSecret())
	app := withSockets(t, a)
	app.Get("/ticket", func(c *nextrush.Context) error {
		ticket, err := a.Ticket(c)
		if err != nil {
			return err
		}
		return c.Text(ticket)
	})
	ask := func(path, token string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("NextRush-Probe", "1")
		r.Header.Set("Accept", "application/problem+json")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		return w
	}
	token := issue(t, a, auth.Principal{ID: "ann"})
	if w := ask("/ws", token); w.Code != http.StatusUpgradeRequired || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("with a token: %d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := ask("/ws", ""); w.Code != http.StatusUnauthorized {
		t.Errorf("without: %d %s", w.Code, w.Body)
	}
	if w := ask("/ws?ticket=any", ""); w.Code != http.StatusUpgradeRequired {
		t.Errorf("with a ticket: %d %s", w.Code, w.Body)
	}
	c := nextrushtest.New(t, app)
	ticket := ask("/ticket", token).Body.String()
	if w := ask("/ticket?ticket="+ticket, ""); w.Code == http.StatusOK {
		t.Error("a ticket gave another ticket")
	}
	ask("/ws?ticket="+ticket, "")
	c.Dial("/ws?ticket="+ticket, nil).Expect("hello ann")
}
