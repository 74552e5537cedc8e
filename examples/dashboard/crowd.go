package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/websocket"
)

type position struct {
	X float64 `json:"x" validate:"min=0,max=1"`
	Y float64 `json:"y" validate:"min=0,max=1"`
}

type line struct {
	Text string `json:"text" validate:"required,max=280"`
}

// play is something to be measured: cursors, a chat, pictures, and work that takes its
// time.
func play(s *websocket.Socket, c *nextrush.Context) error {
	room := c.Param("room")
	websocket.On(s, "move", func(s *websocket.Socket, to position) error {
		return s.To("play/"+room).Coalesce(s.ID()).Emit("moved", s.ID(), to)
	})
	websocket.On(s, "chat", func(s *websocket.Socket, in line) error {
		return s.To("play/"+room).Emit("chat", in)
	})
	websocket.On(s, "picture", func(s *websocket.Socket, picture []byte) error {
		return s.To("play/"+room).Emit("picture", picture)
	})
	websocket.Handle(s, "report", func(ctx context.Context, _ *websocket.Socket, _ any) (string, error) {
		select {
		case <-time.After(30 * time.Millisecond): // a query, say
			return "done", nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	})
	return s.Join("play/" + room)
}

var rooms = []string{"red", "green", "blue"}

// visit keeps n visitors busy, each of whom leaves after a while and comes again.
func visit(url string, n int) {
	for i := range n {
		time.Sleep(200 * time.Millisecond) // or the limit of requests would keep others out
		go func() {
			for {
				visitor(url+"/play/"+rooms[i%len(rooms)], i%10 == 0)
				time.Sleep(time.Second)
			}
		}()
	}
}

// visitor stays for about a minute. One who is deaf stays longer and reads nothing: its
// messages wait, and only the newest position of each of the others is kept.
func visitor(url string, deaf bool) {
	stay := time.Duration(30+rand.IntN(60)) * time.Second
	if deaf {
		stay *= 3
	}
	ctx, leave := context.WithTimeout(context.Background(), stay)
	defer leave()
	opts := websocket.DialOptions{Protocols: []string{websocket.Protocol}, Handler: func(s *websocket.Socket) error {
		if !deaf {
			s.OnMessage(func(websocket.Message) {})
		}
		return nil
	}}
	if deaf {
		opts.NetDial = dialSmall
	}
	s, err := websocket.Dial(ctx, url, &opts)
	if err != nil {
		return
	}
	defer s.Close(websocket.StatusCode(4000+rand.IntN(3)), "")
	for {
		act(s)
		select {
		case <-time.After(time.Duration(100+rand.IntN(400)) * time.Millisecond):
		case <-s.Context().Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// dialSmall makes connections with little room in the kernel, so that who does not read
// shows soon.
func dialSmall(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetReadBuffer(4 << 10)
	}
	return conn, err
}

func act(s *websocket.Socket) {
	switch n := rand.IntN(200); {
	case n == 0:
		s.Emit("picture", make([]byte, 100<<10))
	case n < 10:
		s.Emit("chat", line{fmt.Sprint("hello ", rand.IntN(1000))})
	case n < 20:
		s.Emit("report")
	default:
		s.Emit("move", position{rand.Float64(), rand.Float64()})
	}
}
