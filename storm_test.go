package nextrush

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush/internal/apptest"
	"github.com/nextrush/nextrush/websocket"
)

// setUp are the methods of App that are called before it serves, or that serve.
var setUp = []string{
	"Any", "BeforeShutdown", "Delete", "EnableWebSocket", "Get", "Group", "Handle", "Head", "Host", "Listen", "ListenTLS",
	"ListenTLSConfig", "Mount", "Namespace", "NotFound", "OnShutdown", "OnStart", "Options", "Patch", "Post", "Pre", "Put", "Register", "Route",
	"Serve", "ServeTLS", "Start", "Use", "WS", "WSUse", "With",
}

// running are the methods of App that are safe from any goroutine while it serves.
func running(app *App) map[string]func() {
	return map[string]func(){
		"Context":              func() { app.Context().Err() },
		"Log":                  func() { app.Log() },
		"Plugin":               func() { app.Plugin("websocket") },
		"Routes":               func() { app.Routes() },
		"ServeHTTP":            func() { app.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/page", nil)) },
		"Shutdown":             func() {}, // ends the storm
		"TrustProxies":         func() { app.TrustProxies("loopback") },
		"TrustsOrigin":         func() { app.TrustsOrigin(httptest.NewRequest("GET", "/", nil), "https://a.example") },
		"URL":                  func() { app.URL("page") },
		"WSAll":                func() { app.WSAll().Emit("tick", 1) },
		"WSBroadcast":          func() { app.WSBroadcast(map[string]int{"news": 1}); app.WSBroadcast("hi", "room") },
		"WSTo":                 func() { app.WSTo("room").Emit("tick", 1) },
		"WebSocketConnections": func() { app.WebSocketConnections() },
		"WebSocketStats":       func() { app.WebSocketStats() },
		"WebSockets":           func() { app.WebSockets().SocketsIn("room") },
	}
}

func TestTheStormKnowsEveryMethodOfApp(t *testing.T) {
	known := running(nil)
	for _, name := range setUp {
		known[name] = func() {}
	}
	of := reflect.TypeFor[*App]()
	for i := range of.NumMethod() {
		if name := of.Method(i).Name; known[name] == nil {
			t.Errorf("App has a method %s that the storm neither calls nor leaves to set-up", name)
		}
	}
}

// TestStormOnAnApp calls what is safe from any goroutine while sockets come, talk,
// break off and fail, with both drivers, until Shutdown returns.
func TestStormOnAnApp(t *testing.T) {
	for name, portable := range map[string]bool{"polling": false, "portable": true} {
		t.Run(name, func(t *testing.T) { storm(t, portable) })
	}
}

func storm(t *testing.T, portable bool) {
	const peers, callers = 40, 8
	app := New(Options{Logger: slog.New(slog.DiscardHandler)})
	app.EnableWebSocket(websocket.Options{DisablePolling: portable, DrainWindow: -1, CloseTimeout: 200 * time.Millisecond})
	app.Get("/page", text("page")).Named("page")
	app.WSUse(func(s *websocket.Socket, c *Context, next func() error) error {
		s.Join("room")
		return next()
	})
	app.WS("/storm", stormy)
	srv := apptest.Serve(app)
	defer srv.Close()
	over := make(chan bool)
	var calling, talking sync.WaitGroup
	for range callers {
		calling.Go(func() { callAll(app, over) })
	}
	for range peers {
		talking.Go(func() { stormyPeer(t, srv) })
	}
	finished := make(chan error, 1)
	go func() {
		talking.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		err := app.Shutdown(ctx)
		close(over)
		calling.Wait()
		finished <- err
	}()
	select {
	case err := <-finished:
		if err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the storm does not end")
	}
	if got := app.WebSocketStats(); got.Connections != 0 || got.Rooms != 0 || got.QueuedBytes != 0 || got.BytesSent < 0 {
		t.Errorf("left behind: %+v", got)
	}
}

func callAll(app *App, over <-chan bool) {
	methods := running(app)
	for {
		for _, f := range methods { // in no order
			f()
		}
		select {
		case <-over:
			return
		default:
			runtime.Gosched()
		}
	}
}

// stormy uses the socket and the context of its request from several goroutines.
func stormy(s *websocket.Socket, c *Context) error {
	for range 2 {
		go func() {
			for s.SendText(c.Path()+c.ID()+c.IP()) == nil {
				runtime.Gosched()
			}
		}()
	}
	s.OnMessage(func(m websocket.Message) {
		switch rand.IntN(10) {
		case 0:
			panic("storm")
		case 1:
			s.Leave("room")
		case 2:
			s.To("room").Send(m)
		}
	})
	s.OnClose(func(websocket.StatusCode, string) { s.Broadcast("gone", "room") })
	switch rand.IntN(5) {
	case 0:
		return errors.New("storm")
	case 1:
		return NewError(http.StatusNotFound)
	}
	return nil
}

// stormyPeer talks for a while, asks for a page, and ends as it likes.
func stormyPeer(t *testing.T, srv *apptest.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(100+rand.IntN(400))*time.Millisecond)
	defer cancel()
	if res, err := srv.Client().Get(srv.URL + "/page"); err == nil {
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	s, err := websocket.Dial(ctx, srv.URL+"/storm", nil)
	if err != nil {
		return
	}
	t.Cleanup(func() { s.Close(websocket.StatusNormalClosure, "") })
	for i := 0; s.Send(fmt.Sprint(i)) == nil; i++ {
		if _, err := s.Receive(ctx); err != nil {
			break
		}
	}
	if rand.IntN(2) == 0 {
		s.Close(websocket.StatusNormalClosure, "")
	}
}
