package nextrushtest_test

import (
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

// Bytes in events arrive whether the socket takes binary events or not.
func TestBytesInEvents(t *testing.T) {
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	app.WS("/images", func(s *websocket.Socket, _ *nextrush.Context) error {
		websocket.On(s, "image", func(s *websocket.Socket, e *websocket.Event) error {
			var name string
			var image []byte
			if err := e.BindAll(&name, &image); err != nil {
				return err
			}
			return s.Emit("image", name, image)
		})
		return nil
	})
	c := nextrushtest.New(t, app)
	for _, protocols := range [][]string{nil, {websocket.Protocol}} {
		s := c.Dial("/images", &websocket.DialOptions{Protocols: protocols})
		s.Emit("image", "a.png", []byte("\xFFpixels"))
		var name string
		var image []byte
		e := s.ExpectEvent("image", &name)
		if err := e.Bind(1, &image); err != nil || name != "a.png" || string(image) != "\xFFpixels" || (e.Bytes() != nil) != (protocols != nil) {
			t.Errorf("%v: got %q, %q, %v", protocols, name, image, err)
		}
	}
}
