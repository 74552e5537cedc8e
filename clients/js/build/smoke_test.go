package main

import (
	"bufio"
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/websocket"
)

// serverAddress has the program be the server of the smoke test.
const serverAddress = "SMOKE_ADDRESS"

func TestMain(m *testing.M) {
	if addr := os.Getenv(serverAddress); addr != "" {
		log.Fatal(smokeServer().Listen(addr))
	}
	os.Exit(m.Run())
}

func smokeServer() *nextrush.App {
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{Rooms: websocket.Rooms{
		"tea":  {History: websocket.History{Messages: 100}, Presence: true},
		"open": {Join: func(*websocket.Socket, string) error { return nil }},
	}})
	app.WS("/rooms", rooms(app))
	app.WS("/echo", func(s *websocket.Socket, _ *nextrush.Context) error {
		websocket.On(s, "say", func(s *websocket.Socket, in map[string]string) error { return s.Emit("echo", in) })
		websocket.Handle(s, "double", func(_ context.Context, _ *websocket.Socket, n int) (int, error) { return 2 * n, nil })
		s.On("ask", ask)
		websocket.On(s, "bytes", func(s *websocket.Socket, b []byte) error { return s.Emit("bytes", b) })
		websocket.Handle(s, "count", func(_ context.Context, _ *websocket.Socket, b []byte) (int, error) { return len(b), nil })
		websocket.Handle(s, "fail", func(context.Context, *websocket.Socket, int) (int, error) {
			return 0, nextrush.NewError(http.StatusConflict, "it fails")
		})
		return nil
	})
	return app
}

// rooms has sockets in the room tea, to which they can have the server send numbers.
func rooms(app *nextrush.App) func(*websocket.Socket, *nextrush.Context) error {
	var last atomic.Int64
	publish := func(n int) {
		for range n {
			app.WSTo("tea").Emit("news", last.Add(1))
		}
	}
	return func(s *websocket.Socket, _ *nextrush.Context) error {
		websocket.Handle(s, "publish", func(_ context.Context, _ *websocket.Socket, n int) (bool, error) {
			publish(n)
			return true, nil
		})
		websocket.On(s, "leave", func(s *websocket.Socket, reason string) error {
			s.OnClose(func(websocket.StatusCode, string) { publish(2) })
			return s.Close(websocket.StatusServiceRestart, reason)
		})
		websocket.Handle(s, "again", func(ctx context.Context, s *websocket.Socket, back int64) (bool, error) {
			s.Leave("tea")
			at, err := app.WebSockets().Position(ctx, "tea")
			if err != nil {
				return false, err
			}
			at.Offset -= back
			return s.JoinFrom(ctx, "tea", at)
		})
		return s.Join("tea")
	}
}

// ask answers with what the client answers.
func ask(e *websocket.Event) {
	go func() {
		answer, err := e.Socket.Request(e.Socket.Context(), "upper", "name")
		var text string
		if err == nil {
			err = answer.Bind(0, &text)
		}
		if err != nil {
			text = err.Error()
		}
		e.Reply(text)
	}()
}

// TestAgainstARealServer has the published client talk to a server that is killed and
// comes back.
func TestAgainstARealServer(t *testing.T) {
	for _, mode := range []string{"plain", websocket.Protocol} {
		t.Run(mode, func(t *testing.T) { smoke(t, node(t), mode) })
	}
}

func TestRoomsOfARealServer(t *testing.T) {
	addr := freeAddress(t)
	startServer(t, addr)
	client := command(t, node(t), "../test/rooms.mjs", "http://"+addr)
	if out, err := client.CombinedOutput(); err != nil || string(out) != "done\n" {
		t.Errorf("%v\n%s", err, out)
	}
}

// command runs a program for a minute at most.
func command(t *testing.T, r runtime, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	args = append(slices.Clone(r.run), args...)
	return exec.CommandContext(ctx, args[0], args[1:]...)
}

func smoke(t *testing.T, r runtime, mode string) {
	t.Helper()
	addr := freeAddress(t)
	server := startServer(t, addr)
	client := command(t, r, "../test/smoke.mjs", "http://"+addr, mode)
	client.Stderr = os.Stderr
	out, err := client.StdoutPipe()
	if err == nil {
		err = client.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said = append(said, lines.Text())
		if lines.Text() == "connected" {
			server.Process.Kill()
			server.Wait()
			startServer(t, addr)
		}
	}
	if err := client.Wait(); err != nil || strings.Join(said, " ") != "connected done" {
		t.Errorf("the client said %q: %v", said, err)
	}
}

func startServer(t *testing.T, addr string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverAddress+"="+addr)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for deadline := time.Now().Add(30 * time.Second); ; {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return cmd
		}
		if time.Now().After(deadline) {
			t.Fatal(errors.Join(errors.New("the server does not start"), err))
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
