package auth_test

import (
	"net/http/httptest"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/auth"
)

// The engine takes any list that names its protocol (RFC 6455 §4.2.1).
func TestTheTokenOfAnUpgradeIsFoundWhereverTheListNamesWebSocket(t *testing.T) {
	a := auth.New(withSecret())
	app := nextrush.New()
	app.Register(a)
	app.Get("/who", func(c *nextrush.Context) error {
		if user := auth.User(c); user != nil {
			return c.Text(user.ID)
		}
		return nextrush.NewError(401)
	})
	token := issue(t, a, auth.Principal{ID: "ann"})
	for _, lines := range [][]string{{"websocket"}, {"WebSocket"}, {"foo, websocket"}, {"foo", "websocket"}} {
		r := httptest.NewRequest("GET", "/who", nil)
		r.Header["Upgrade"] = lines
		r.Header["Sec-Websocket-Protocol"] = []string{auth.Subprotocol, token}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != 200 || w.Body.String() != "ann" {
			t.Errorf("%q: %d %s", lines, w.Code, w.Body)
		}
	}
}
