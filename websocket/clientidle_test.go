package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/internal/memnet"
	"github.com/nextrush/nextrush/websocket"
)

// mute is a connection over which nothing goes any more once it is told so, though nobody
// hears that.
type mute struct {
	net.Conn
	on *atomic.Bool
}

func (m mute) Read(b []byte) (int, error) {
	for {
		n, err := m.Conn.Read(b)
		if err != nil || !m.on.Load() {
			return n, err
		}
	}
}

func (m mute) Write(b []byte) (int, error) {
	if m.on.Load() {
		return len(b), nil
	}
	return m.Conn.Write(b)
}

// inBubble runs f with a client of a server, where time passes when nothing else happens.
// prepare is called with each socket before its 101.
func inBubble(t *testing.T, prepare func(*http.Request, *websocket.Socket), o websocket.ClientOptions, f func(c *websocket.Client, off *atomic.Bool)) {
	synctest.Test(t, func(t *testing.T) {
		srv, l := websocket.NewServer(websocket.Options{Logger: quiet}), memnet.Listen()
		hs := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h, err := srv.Accept(w, r)
			if err != nil {
				t.Error(err)
				return
			}
			prepare(r, h.Socket())
			h.Open(nil)
		})}
		go hs.Serve(l)
		var off atomic.Bool
		o.Dial.NetDial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			if off.Load() {
				return nil, errors.New("no network")
			}
			c, err := l.DialContext(ctx, "", "")
			return mute{c, &off}, err
		}
		c := websocket.NewClient("ws://server.example/", &o)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		synctest.Wait()
		f(c, &off)
		cancel()
		<-done
		srv.Close()
		hs.Close()
		l.Close()
		time.Sleep(time.Minute) // what is left of connections that were given up
	})
}

func TestAnIdleClientStaysAndADeadConnectionIsFound(t *testing.T) {
	inBubble(t, func(*http.Request, *websocket.Socket) {}, websocket.ClientOptions{}, func(c *websocket.Client, off *atomic.Bool) {
		began := c.State()
		time.Sleep(time.Hour)
		if s := c.State(); s.Phase != websocket.ClientOpen || s.Since != began.Since || c.RTT() != 0 {
			t.Errorf("%+v, then %+v, rtt %v", began, s, c.RTT())
		}
		off.Store(true)
		now, lost := phases(c), time.Now()
		await(t, now, websocket.ClientWaiting)
		if d := time.Since(lost); d > 41*time.Second { // the server's beat of 30 s, and 10 s, to doubt and to ask
			t.Errorf("found after %v", d)
		}
		c.Emit("x")
		off.Store(false)
		await(t, now, websocket.ClientOpen)
	})
}

// diary is what has happened.
type diary struct {
	mu    sync.Mutex // guards lines
	lines []string
}

func (d *diary) note(line string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
	return len(d.lines)
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return fmt.Sprint(d.lines)
}

func TestATokenIsRenewedOnTheOpenConnection(t *testing.T) {
	var told diary
	o := websocket.ClientOptions{Token: func(_ context.Context, why websocket.TokenReason) (string, error) {
		return fmt.Sprint("t", told.note(why.String())), nil
	}}
	let := func(r *http.Request, s *websocket.Socket) {
		told.note(r.Header.Get("Authorization"))
		s.SetCredential(websocket.Credential{Expires: time.Now().Add(100 * time.Second), Renew: func(_ *websocket.Socket, token string) (time.Time, error) {
			if told.note(token) > 4 {
				return time.Time{}, nil // it does not end
			}
			return time.Now().Add(100 * time.Second), nil
		}})
	}
	inBubble(t, let, o, func(c *websocket.Client, _ *atomic.Bool) {
		began := c.State().Since
		time.Sleep(79 * time.Second)
		synctest.Wait()
		if want := "[first Bearer t1]"; told.String() != want {
			t.Error(told.String())
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if want := "[first Bearer t1 expiring t3 expiring t5]"; told.String() != want || c.State().Since != began {
			t.Error(told.String())
		}
	})
}

// All methods are called at once while the server comes and goes.
func TestAllMethodsOfAClientAtOnce(t *testing.T) {
	g := newGate(t)
	g.serve(t, websocket.NewServer(websocket.Options{Logger: quiet, Rooms: keeping, Resume: websocket.Resume{For: time.Minute}}), func(s *websocket.Socket) error {
		s.On("x", func(e *websocket.Event) { s.Emit("x") })
		return s.Join("tea")
	})
	c := websocket.NewClient(g.url(), &websocket.ClientOptions{Backoff: impatient})
	soon := func(f func(context.Context)) func() {
		return func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(20))*time.Millisecond)
			defer cancel()
			f(ctx)
		}
	}
	seldom := func(f func()) func() {
		return func() {
			if rand.IntN(200) == 0 {
				f()
			}
		}
	}
	room := func() websocket.ClientRoom { return c.Room([]string{"tea", "open", "crowd"}[rand.IntN(3)]) }
	stop := make(chan bool)
	methods := map[string]func(){
		"Buffered":  func() { c.Buffered() },
		"Close":     seldom(c.Close),
		"Emit":      func() { c.Emit("x", 1) },
		"Handle":    func() { c.Handle("y", func(context.Context, *websocket.Event) (any, error) { return 1, nil }) },
		"ID":        func() { c.ID() },
		"Off":       func() { c.Off("x") },
		"On":        seldom(func() { c.On("x", func(*websocket.Event) { c.Emit("y") }) }),
		"OnDropped": seldom(func() { c.OnDropped(func(websocket.Dropped) { c.Emit("x") }) }),
		"OnError":   seldom(func() { c.OnError(func(error) { c.State() }) }),
		"OnGap":     seldom(func() { c.OnGap(func(websocket.Gap) { c.Emit("x") }) }),
		"OnMessage": func() { c.OnMessage(func(websocket.Message) {}) },
		"OnState":   seldom(func() { c.OnState(func(websocket.ClientState) { panic("boom") }) }),
		"RTT":       func() { c.RTT() },
		"Repeat":    soon(func(ctx context.Context) { c.Repeat("").Request(ctx, "x") }),
		"Request":   soon(func(ctx context.Context) { c.Request(ctx, "x") }),
		"Room": soon(func(ctx context.Context) {
			room().Join(ctx)
			room().Present()
			room().Leave(ctx)
			room().Show(1)
			room().Position()
			room().Joined()
			room().Since(websocket.Position{Epoch: "e", Offset: 1})
		}),
		"Run":      func() { c.Run(t.Context()); runtime.Gosched() },
		"Send":     func() { c.Send("text") },
		"State":    func() { c.State() },
		"Volatile": func() { c.Volatile().Emit("x") },
		"Within":   func() { c.Within(time.Second).Emit("x") },
	}
	var all sync.WaitGroup
	of := reflect.TypeFor[*websocket.Client]()
	for i := range of.NumMethod() {
		name := of.Method(i).Name
		f := methods[name]
		if f == nil {
			t.Fatal("add ", name)
		}
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					f()
					runtime.Gosched()
				}
			}
		})
	}
	for range 20 {
		g.cut()
		<-time.After(50 * time.Millisecond)
	}
	close(stop)
	over := make(chan bool)
	go func() {
		all.Wait()
		close(over)
	}()
	for {
		c.Close() // ends Run, whenever it has begun
		select {
		case <-over:
			if _, err := c.Request(context.Background(), "x"); !errors.Is(err, websocket.ErrClosed) {
				t.Error(err)
			}
			return
		default:
			runtime.Gosched()
		}
	}
}
