package main

import (
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/internal/leak"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

func TestMain(m *testing.M) { leak.Main(m) }

const token = "a token of 128 random bits"

func visitors(t *testing.T) *nextrushtest.Client { return nextrushtest.New(t, newApp(token)) }

// next returns the next event of that name.
func next[T any](t *testing.T, s *nextrushtest.Socket, name string) (v T) {
	t.Helper()
	for {
		if e, ok := s.Next().Event(); ok && e.Name == name {
			if err := e.Bind(0, &v); err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
}

func TestTenFramesASecondAndOneTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := visitors(t).Dial("/live")
		if p := next[picture](t, s, "picture"); len(p.Frames) != 1 || len(p.Tables.Handlers) != powers {
			t.Errorf("the first to come sees %+v", p)
		}
		var frames []frame
		tables, start := 0, time.Now()
		for len(frames) < 100 {
			e, _ := s.Next().Event()
			var f frame
			if e.Name == "tables" {
				tables++
			} else if err := e.Bind(0, &f); err != nil {
				t.Fatal(err)
			} else {
				frames = append(frames, f)
			}
		}
		if took := time.Since(start); took != 100*every || tables != 10 {
			t.Errorf("100 frames and %d tables in %v", tables, took)
		}
		for i, f := range frames[1:] {
			if math.Abs(f.T-frames[i].T-every.Seconds()) > 1e-6 || f.Sent < frames[i].Sent || f.Sockets != 1 || f.Heap == 0 || f.Goroutines == 0 {
				t.Errorf("%+v after %+v", f, frames[i])
			}
		}
	})
}

func TestWhoComesSeesTheLastMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := visitors(t)
		time.Sleep(90*time.Second + every/2)
		s := c.Dial("/live")
		p := next[picture](t, s, "picture")
		first, last := p.Frames[0].T, p.Frames[len(p.Frames)-1].T
		if len(p.Frames) != kept || math.Abs(first-30.1) > 1e-6 || math.Abs(last-90) > 1e-6 {
			t.Errorf("%d frames from %v to %v", len(p.Frames), first, last)
		}
		if f := next[frame](t, s, "frame"); math.Abs(f.T-90.1) > 1e-6 {
			t.Errorf("then the frame of %v", f.T)
		}
	})
}

// The others get every frame while one does not read.
func TestWhoStallsGetsTheNewestAndNobodyElseNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := visitors(t)
		stalled, other := c.Dial("/live"), c.Dial("/live")
		next[frame](t, stalled, "frame")
		stalled.Hold()
		last := next[frame](t, other, "frame")
		for range 200 {
			f := next[frame](t, other, "frame")
			if math.Abs(f.T-last.T-every.Seconds()) > 1e-6 {
				t.Fatalf("the other has the frame of %v after that of %v", f.T, last.T)
			}
			last = f
		}
		if last.Dropped == 0 || last.Waiting > 20<<10 {
			t.Errorf("%d frames are dropped, %d bytes wait", last.Dropped, last.Waiting)
		}
		stalled.Release()
		go func() {
			for other.Context().Err() == nil {
				other.Receive(t.Context())
			}
		}()
		start := time.Now()
		for next[frame](t, stalled, "frame").T < last.T {
		}
		if took := time.Since(start); took > every {
			t.Errorf("it had the newest after %v", took)
		}
	})
}

// What visitors do is seen by route and event.
func TestThePageIsToldWhatIsCounted(t *testing.T) {
	c := visitors(t)
	ann, bob := c.Dial("/play/red"), c.Dial("/play/red")
	if _, err := bob.Request(t.Context(), "report"); err != nil { // he is in the room now
		t.Fatal(err)
	}
	ann.Emit("move", position{0.5, 0.5})
	ann.Emit("chat", line{"hello"})
	bob.ExpectEvent("moved", nil)
	bob.ExpectEvent("chat", nil)
	ann.Emit("picture", []byte("pixels"))
	var picture []byte
	if bob.ExpectEvent("picture", &picture); string(picture) != "pixels" {
		t.Errorf("the picture is %q", picture)
	}
	watcher := c.Dial("/live")
	for {
		now := next[tables](t, watcher, "tables")
		i := slices.IndexFunc(now.Events, func(e eventRow) bool { return e.Event == "report" && e.Route == "/play/:room" })
		if i < 0 || len(now.Events) < 4 {
			continue
		}
		long := 0 // 2^14 µs and more
		for _, n := range now.Handlers[15:] {
			long += int(n)
		}
		if now.Events[i].P50 < 0.03 || long < 1 {
			t.Errorf("%+v, %v", now.Events[i], now.Handlers)
		}
		if want := []roomRow{{"play/red", 2}, {"live", 1}}; !slices.Equal(now.Rooms, want) || len(now.Sockets) != 3 {
			t.Errorf("rooms %v, sockets %v", now.Rooms, now.Sockets)
		}
		return
	}
}

func TestWhatVisitorsSayIsChecked(t *testing.T) {
	s := visitors(t).Dial("/play/red")
	for event, in := range map[string]any{"move": position{2, 0}, "chat": line{strings.Repeat("x", 300)}} {
		if _, err := s.Request(t.Context(), event, in); err == nil {
			t.Errorf("%s is taken", event)
		}
	}
}

func TestThePageIsServed(t *testing.T) {
	c := visitors(t)
	for _, path := range []string{"/", "/app.js", "/chart.js", "/table.js", "/style.css", "/nextrush.js"} {
		c.Get(path).WantStatus(200)
	}
}

func TestDisconnectingNeedsTheToken(t *testing.T) {
	c := visitors(t)
	s := c.Dial("/play/red")
	var id string
	for watcher := c.Dial("/live"); id == ""; {
		for _, row := range next[tables](t, watcher, "tables").Sockets {
			if row.Path == "/play/red" {
				id = row.ID
			}
		}
	}
	path, admin := "/admin/sockets/"+id, c.With("Authorization", "Bearer "+token)
	for _, who := range []*nextrushtest.Client{c, c.With("Authorization", "Bearer "), c.With("Authorization", "Bearer guess")} {
		who.Get("/admin").WantStatus(401)
		who.Delete(path).WantStatus(401)
	}
	admin.With("Sec-Fetch-Site", "cross-site").Delete(path).WantStatus(403)
	admin.With("Origin", "https://other.example").Delete(path).WantStatus(403)
	if s.State() != websocket.StateOpen {
		t.Fatal("it is closed")
	}
	admin.Get("/admin").WantStatus(204)
	admin.Delete(path).WantStatus(204)
	s.ExpectClose(disconnected)
	admin.Delete(path).WantStatus(404)
}

func TestWhoIsDisconnectedIsToldWhyAndDoesNotComeBack(t *testing.T) {
	app := newApp(token)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- app.Serve(ln) }()
	defer func() {
		if err := errors.Join(app.Shutdown(context.Background()), <-served); err != nil {
			t.Error(err)
		}
	}()
	address := ln.Addr().String()
	s := websocket.NewClient("ws://"+address+"/live", nil)
	s.OnState(func(state websocket.ClientState) {
		if state.Phase != websocket.ClientOpen {
			return
		}
		r, _ := http.NewRequest("DELETE", "http://"+address+"/admin/sockets/"+s.ID(), nil)
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(r)
		if err != nil || answer.StatusCode != http.StatusNoContent {
			t.Error(answer, err)
			s.Close()
			return
		}
		answer.Body.Close()
	})
	var end *websocket.CloseError
	if err := s.Run(t.Context()); !errors.As(err, &end) || end.Code != disconnected || end.Reason != "disconnected by an administrator" {
		t.Errorf("it ended with %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}
