// Command client checks a running demo server: it prints a line for each check
// and exits with 1 if one fails.
//
//	go run ./examples/demo/client [address]
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

func main() {
	address := "localhost:3001"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if failed := run(ctx, address, os.Stdout); failed > 0 {
		os.Exit(1)
	}
}

// checker prints what each check found and counts failures.
type checker struct {
	out    io.Writer
	failed int
}

func (c *checker) check(name string, err error) bool {
	if err != nil {
		c.failed++
		fmt.Fprintf(c.out, "FAIL  %s: %v\n", name, err)
		return false
	}
	fmt.Fprintf(c.out, "ok    %s\n", name)
	return true
}

func run(ctx context.Context, address string, out io.Writer) (failed int) {
	c := &checker{out: out}
	s, err := websocket.Dial(ctx, "ws://"+address+"/echo", nil)
	if !c.check("connect", err) {
		return c.failed
	}
	defer s.Close(websocket.StatusNormalClosure, "")

	_, err = next(ctx, s, "welcome")
	c.check("welcome message", err)

	text := "hello from Go"
	s.Send(map[string]any{"type": "echo", "text": text})
	reply, err := next(ctx, s, "echo")
	if err == nil && reply["text"] != text {
		err = fmt.Errorf("got text %q", reply["text"])
	}
	c.check("echo", err)

	s.Send(map[string]any{"type": "ping"})
	_, err = next(ctx, s, "pong")
	c.check("ping and pong", err)

	s.Send(map[string]any{"type": "nonsense"})
	_, err = next(ctx, s, "error")
	c.check("unknown type is answered with an error", err)

	c.check("chat reaches the others", chat(ctx, address))
	c.check("statistics", stats(ctx, address))
	return c.failed
}

// next receives a message and checks its type.
func next(ctx context.Context, s *websocket.Socket, kind string) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	m, err := s.Receive(ctx)
	if err != nil {
		return nil, err
	}
	var v map[string]any
	if err := m.JSON(&v); err != nil {
		return nil, err
	}
	if v["type"] != kind {
		return nil, fmt.Errorf("got type %q, want %q", v["type"], kind)
	}
	return v, nil
}

func chat(ctx context.Context, address string) error {
	a, err := websocket.Dial(ctx, "ws://"+address+"/chat", nil)
	if err != nil {
		return err
	}
	defer a.Close(websocket.StatusNormalClosure, "")
	b, err := websocket.Dial(ctx, "ws://"+address+"/chat", nil)
	if err != nil {
		return err
	}
	defer b.Close(websocket.StatusNormalClosure, "")
	// b's handler joins the room after b's Dial has returned, so the first message may
	// come too early: a repeats it until b gets one.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for ctx.Err() == nil && a.Send(map[string]any{"type": "chat", "text": "hi"}) == nil {
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
	v, err := next(ctx, b, "chat")
	if err == nil && v["text"] != "hi" {
		err = fmt.Errorf("got text %q", v["text"])
	}
	return err
}

func stats(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/api/websocket/stats", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var v map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		return err
	}
	for _, key := range []string{"connections", "totalConnections", "messagesSent", "messagesReceived", "rooms",
		"uptime", "bytesReceived", "bytesSent", "errors", "reconnections"} {
		if _, ok := v[key]; !ok {
			return fmt.Errorf("%q is missing", key)
		}
	}
	return nil
}
