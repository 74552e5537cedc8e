package main

import (
	"net"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/websocket"
)

// serveNextrush has the app's options, so that each way to serve HTTP has a name of its
// own. The App listens by itself, as programs do, in the place of the listener.
func serveNextrush(opts nextrush.Options) func(net.Listener) error {
	return func(l net.Listener) error {
		app := newNextrush(opts, websocket.Options{})
		l.Close()
		return app.Listen(l.Addr().String())
	}
}

func serveNextrushCompressed(l net.Listener) error {
	return newNextrush(nextrush.Options{}, websocket.Options{Compression: websocket.Compression{Enabled: true, Threshold: 1}}).Serve(l)
}

func serveNextrushPortable(l net.Listener) error {
	return newNextrush(nextrush.Options{}, websocket.Options{DisablePolling: true}).Serve(l)
}

func serveNextrushTLS(l net.Listener) error {
	return nextrushTLS(l, false)
}

func serveNextrushPortableTLS(l net.Listener) error {
	return nextrushTLS(l, true)
}

func nextrushTLS(l net.Listener, portable bool) error {
	config, err := selfSigned()
	if err != nil {
		return err
	}
	return newNextrush(nextrush.Options{}, websocket.Options{DisablePolling: portable}).ServeTLS(l, config)
}

func newNextrush(opts nextrush.Options, sockets websocket.Options) *nextrush.App {
	app := nextrush.New(opts)
	app.EnableWebSocket(sockets)
	app.WS("/echo", func(s *websocket.Socket, c *nextrush.Context) error {
		s.OnMessage(func(m websocket.Message) { s.SendMessage(m) })
		return nil
	})
	app.WS("/block", func(s *websocket.Socket, c *nextrush.Context) error {
		d, err := time.ParseDuration(c.Query("for"))
		if err != nil {
			return err
		}
		s.OnMessage(func(m websocket.Message) {
			time.Sleep(d) // like a query to a database
			s.SendMessage(m)
		})
		return nil
	})
	app.WS("/joined", func(s *websocket.Socket, c *nextrush.Context) error {
		s.OnMessage(func(m websocket.Message) { s.SendMessage(m) })
		return s.Join("all")
	})
	app.WS("/room", func(s *websocket.Socket, c *nextrush.Context) error {
		s.OnMessage(func(m websocket.Message) { app.WSTo("all").Send(m.Text()) })
		return s.Join("all")
	})
	app.Get("/goroutines", func(c *nextrush.Context) error { return c.Text(countGoroutines()) })
	addNextrushTransfers(app)
	app.Get("/plain", func(c *nextrush.Context) error { return c.Text(hello) })
	app.Get("/json", func(c *nextrush.Context) error { return c.JSON(message{hello}) })
	app.Get("/users/:id", func(c *nextrush.Context) error { return c.Text(c.Param("id")) })
	app.Post("/users", func(c *nextrush.Context) error {
		var u user
		if err := c.Bind(&u); err != nil {
			return err
		}
		return c.JSON(u)
	})
	return app
}
