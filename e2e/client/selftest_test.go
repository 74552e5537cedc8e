package client

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/websocket"
)

//go:embed testdata/selftest.html
var selfTest string

// TestBrowsers has a page test the client by itself, which needs nobody who drives the
// browser. After a WebSocket that has failed, Firefox keeps back the next ones for longer
// and longer, unless HTTP tells it that the server is there.
func TestBrowsers(t *testing.T) {
	never, aMinute := websocket.Resume{}, websocket.Resume{For: time.Minute}
	firefox := func(resume websocket.Resume) func(*testing.T) {
		return func(t *testing.T) {
			browse(t, resume, "firefox-esr", "--headless", "--no-remote", "--profile", profile(t))
		}
	}
	t.Run("firefox", firefox(never))
	t.Run("firefox, sessions resumed", firefox(aMinute))
	t.Run("chromium, sessions resumed", func(t *testing.T) {
		browse(t, aMinute, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir())
	})
}

// profile is a folder for Firefox in which it asks nothing and fetches nothing.
func profile(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	prefs := []string{
		`user_pref("browser.aboutwelcome.enabled", false);`,
		`user_pref("browser.shell.checkDefaultBrowser", false);`,
		`user_pref("datareporting.policy.dataSubmissionEnabled", false);`,
		`user_pref("app.normandy.enabled", false);`,
		`user_pref("network.captive-portal-service.enabled", false);`,
		`user_pref("network.connectivity-service.enabled", false);`,
	}
	if err := os.WriteFile(filepath.Join(dir, "user.js"), []byte(strings.Join(prefs, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// browse starts a browser with the page, and waits for its result.
func browse(t *testing.T, resume websocket.Resume, name string, args ...string) {
	results := make(chan string, 1)
	var app *nextrush.App
	var news atomic.Int64
	publish := func() { app.WSTo("tea").Emit("news", news.Add(1)) }
	app = newApp(t, websocket.Options{
		PingInterval: 2 * time.Second, PongTimeout: 3 * time.Second, Resume: resume,
		Rooms: websocket.Rooms{"tea": {History: websocket.History{Messages: 100}, Presence: true}},
		OnConnection: func(s *websocket.Socket) {
			websocket.Handle(s, "length", func(_ context.Context, _ *websocket.Socket, b []byte) (int, error) { return len(b), nil })
			websocket.Handle(s, "publish", func(context.Context, *websocket.Socket, int) (bool, error) { publish(); return true, nil })
			var counted []string
			websocket.On(s, "count", func(_ *websocket.Socket, how string) error { counted = append(counted, how); return nil })
			websocket.Handle(s, "counted", func(context.Context, *websocket.Socket, any) (string, error) { return strings.Join(counted, " "), nil })
			s.Join("tea")
		},
	})
	app.Get("/self-test", func(c *nextrush.Context) error { return c.HTML(selfTest) })
	ln := listen(t)
	addr := ln.Addr().String()
	p := newProxy(t, addr)
	app.Post("/break/:how", func(c *nextrush.Context) error {
		c.SetHeader("Access-Control-Allow-Origin", "*")
		breakAs(t, p, c.Param("how"))
		publish()
		return c.Send("done")
	})
	app.Post("/result", func(c *nextrush.Context) error {
		c.SetHeader("Access-Control-Allow-Origin", "*")
		text, err := c.Body()
		results <- string(text)
		return err
	})
	serveOn(t, app, ln)

	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, name, append(args, fmt.Sprintf("http://%s/self-test?control=http://%s&resume=%t", p.addr, addr, resume.For > 0))...)
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir()) // root's Firefox wants a home of its own
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cancel()
	select {
	case result := <-results:
		t.Log(result)
		if !strings.HasPrefix(result, "passed\n") {
			t.Error("the page did not pass its test")
		}
	case <-time.After(2 * time.Minute):
		t.Error("the page says nothing")
	}
}

func breakAs(t *testing.T, p *proxy, how string) {
	switch how {
	case "rst":
		p.rst()
	case "fin":
		p.fin()
	case "stall":
		p.stall(true, true)
	case "refuse":
		p.refuse()
		time.AfterFunc(3*time.Second, func() { p.accept(t) })
	}
}
