package nextrushtest_test

import (
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

func newApp() *nextrush.App {
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	app.Get("/users/:id", func(c *nextrush.Context) error { return c.Text("user " + c.Param("id")) })
	app.WS("/echo", func(s *websocket.Socket, c *nextrush.Context) error {
		s.OnMessage(func(m websocket.Message) { s.Send("Echo: " + m.Text()) })
		return nil
	})
	return app
}

// In a test function of a program:
func Example() {
	testApp := func(t *testing.T) {
		c := nextrushtest.New(t, newApp())
		c.Get("/users/7").WantStatus(200)
		s := c.Dial("/echo")
		s.Send("hi")
		s.Expect("Echo: hi")
	}
	testing.RunTests(func(_, _ string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "app", F: testApp}})
	// Output:
}
