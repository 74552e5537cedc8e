package main

import (
	"net"
	"net/http"

	fastws "github.com/fasthttp/websocket"
	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	nbws "github.com/lesismal/nbio/nbhttp/websocket"
	"github.com/valyala/fasthttp"
)

// serveNbio uses nbio's own HTTP server and pollers, without a goroutine for each
// connection.
func serveNbio(l net.Listener) error {
	logging.SetLevel(logging.LevelError)
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", nbioEcho())
	mux.HandleFunc("/room", nbioRoom())
	mux.HandleFunc("/goroutines", goroutines)
	engine := nbhttp.NewEngine(nbhttp.Config{
		Network: "tcp", Addrs: []string{l.Addr().String()}, Handler: mux,
		MaxWebsocketFramePayloadSize: 2 << 20, // no fragments, like the others
		Listen:                       func(string, string) (net.Listener, error) { return l, nil },
	})
	if err := engine.Start(); err != nil {
		return err
	}
	engine.Wait()
	return net.ErrClosed
}

func nbioEcho() http.HandlerFunc {
	up := nbws.NewUpgrader()
	up.OnMessage(func(c *nbws.Conn, kind nbws.MessageType, b []byte) { c.WriteMessage(kind, b) })
	return func(w http.ResponseWriter, r *http.Request) { up.Upgrade(w, r, nil) }
}

func nbioRoom() http.HandlerFunc {
	var room members[*nbws.Conn]
	up := nbws.NewUpgrader()
	up.OnOpen(room.join)
	up.OnClose(func(c *nbws.Conn, _ error) { room.leave(c) })
	up.OnMessage(func(_ *nbws.Conn, kind nbws.MessageType, b []byte) {
		room.each(func(c *nbws.Conn) { c.WriteMessage(kind, b) })
	})
	return func(w http.ResponseWriter, r *http.Request) { up.Upgrade(w, r, nil) }
}

// serveFasthttp has gorilla's code on fasthttp.
func serveFasthttp(l net.Listener) error {
	var up fastws.FastHTTPUpgrader
	var room members[*fastClient]
	return fasthttp.Serve(l, func(ctx *fasthttp.RequestCtx) {
		switch string(ctx.Path()) {
		case "/echo":
			up.Upgrade(ctx, fastEcho)
		case "/room":
			up.Upgrade(ctx, func(c *fastws.Conn) { fastRoom(&room, c) })
		case "/goroutines":
			ctx.SetBodyString(countGoroutines())
		default:
			ctx.NotFound()
		}
	})
}

func fastEcho(c *fastws.Conn) {
	defer c.Close()
	for {
		kind, b, err := c.ReadMessage()
		if err != nil || c.WriteMessage(kind, b) != nil {
			return
		}
	}
}

type fastClient struct {
	*fastws.Conn
	queue chan *fastws.PreparedMessage
}

// fastRoom is gorillaRoom for fasthttp.
func fastRoom(room *members[*fastClient], conn *fastws.Conn) {
	c := &fastClient{conn, make(chan *fastws.PreparedMessage, queueLength)}
	done := make(chan struct{})
	room.join(c)
	defer func() { room.leave(c); close(done); c.Close() }()
	go func() {
		for {
			select {
			case p := <-c.queue:
				c.WritePreparedMessage(p)
			case <-done:
				return
			}
		}
	}()
	for {
		kind, b, err := c.ReadMessage()
		if err != nil {
			return
		}
		if p, err := fastws.NewPreparedMessage(kind, b); err == nil {
			room.each(func(c *fastClient) {
				select {
				case c.queue <- p:
				default:
					c.NetConn().Close()
				}
			})
		}
	}
}
