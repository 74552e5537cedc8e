package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
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

// guest is a socket in the game.
type guest struct {
	*nextrushtest.Socket
	t       *testing.T
	players []string // as the server has told last
}

func visit(t *testing.T, c *nextrushtest.Client, query string) *guest {
	t.Helper()
	return &guest{Socket: c.Dial("/play" + query), t: t}
}

// enter asks for a seat, or to watch, and returns the answer.
func (g *guest) enter(name string, watch bool) entered {
	g.t.Helper()
	g.Send(fmt.Sprintf(`{"type":"event","event":"enter","data":[{"name":%q,"watch":%t}],"id":1}`, name, watch))
	for {
		var m struct {
			Type string
			Data []entered
		}
		if g.next().JSON(&m) == nil && m.Type == "ack" {
			return m.Data[0]
		}
	}
}

// next returns the next message, and notes the players.
func (g *guest) next() websocket.Message {
	g.t.Helper()
	m := g.Next()
	var list []seated
	if e, ok := m.Event(); ok && e.Name == "players" && e.Bind(0, &list) == nil {
		g.players = nil
		for _, p := range list {
			g.players = append(g.players, p.Name)
		}
	}
	return m
}

// player is somebody in a snapshot.
type shown struct{ seat, x, y, flags, score, ack int }

// see returns the next snapshot.
func (g *guest) see() (tick int, players []shown) {
	g.t.Helper()
	m := g.next()
	for m.Type != websocket.Binary {
		m = g.next()
	}
	b, n := m.Bytes(), binary.LittleEndian.Uint16
	for i := range int(b[7]) {
		p := b[9+17*i:]
		players = append(players, shown{int(p[0]), int(n(p[1:])), int(n(p[3:])), int(p[10]), int(n(p[11:])), int(binary.LittleEndian.Uint32(p[13:]))})
	}
	return int(binary.LittleEndian.Uint32(b)), players
}

func (g *guest) steer(tick, x, y int) {
	b := binary.LittleEndian.AppendUint32(nil, uint32(tick))
	g.Send(append(b, byte(x), byte(y), 0))
}

func TestAShipMovesForAll(t *testing.T) {
	c := nextrushtest.New(t, newApp(0))
	ann, bob := visit(t, c, ""), visit(t, c, "")
	a, b := ann.enter(" Ann\u202e  Lee ", false), bob.enter("Bob", false)
	if a.Match != b.Match || !strings.HasPrefix(a.Match, "open-") || a.Seat != 0 || b.Seat != 1 {
		t.Fatalf("Ann has %+v, Bob %+v", a, b)
	}
	if !slices.Equal(bob.players, []string{"Ann Lee", "Bob"}) {
		t.Errorf("the players are %q", bob.players)
	}
	tick, _ := ann.see()
	ann.steer(tick+2, 0, 100)
	for {
		if _, players := bob.see(); players[0].ack == tick+2 && players[0].y > start(0).y+10*unit && players[1].y == start(1).y {
			return
		}
	}
}

func TestMatchesAreApart(t *testing.T) {
	c := nextrushtest.New(t, newApp(2))
	visit(t, c, "?match=tea").enter("Ann", false)
	if in := visit(t, c, "").enter("Bob", false); in.Match == "tea" || in.Seat != 2 {
		t.Errorf("Bob has %+v", in)
	}
	if in := visit(t, c, "?match=tea").enter("Bob", false); in.Match != "tea" || in.Seat != 3 {
		t.Errorf("Bob has %+v", in)
	}
	for _, name := range []string{"%C3%A9", "Tea", "a+b", strings.Repeat("x", 33)} {
		visit(t, c, "?match="+name).ExpectClose(4400)
	}
}

func TestSeatsAreTakenAndGivenBack(t *testing.T) {
	c := nextrushtest.New(t, newApp(3))
	var all []*guest
	seats := map[int]bool{}
	for i := range maxPlayers {
		g := visit(t, c, "?match=tea")
		all = append(all, g)
		seats[g.enter(fmt.Sprint("p", i), false).Seat] = true
	}
	if len(seats) != maxPlayers || seats[-1] {
		t.Errorf("the seats are %v", seats)
	}
	late := visit(t, c, "?match=tea")
	if in := late.enter("late", false); in.Seat != -1 {
		t.Errorf("the ninth player has seat %d", in.Seat)
	}
	all[4].enter("p4", true)
	if in := late.enter("late", false); in.Seat == -1 {
		t.Error("a seat that was given back is not free")
	}
	for range maxSockets - maxPlayers - 1 {
		visit(t, c, "?match=tea")
	}
	visit(t, c, "?match=tea").ExpectClose(4403)
}

// Who is not heard from is shown to be away. When the last one has left the match ends.
func TestPlayersGoAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := nextrushtest.New(t, newApp(0))
		ann := visit(t, c, "?match=tea")
		ann.enter("Ann", false)
		for {
			if tick, players := ann.see(); players[0].flags == flagAway {
				if tick < away {
					t.Errorf("Ann is away in tick %d", tick)
				}
				break
			}
		}
		ann.Disconnect()
		synctest.Wait()
		again := visit(t, c, "?match=tea")
		again.enter("Ann", false)
		if tick, _ := again.see(); tick >= away {
			t.Errorf("the match has gone on without anybody, to tick %d", tick)
		}
		again.Close(websocket.StatusNormalClosure, "")
	})
}

// Who loses the connection comes back to the same ship.
func TestAPlayerComesBack(t *testing.T) {
	app := newApp(0)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- app.Serve(ln) }()
	t.Cleanup(func() {
		app.Shutdown(context.Background())
		<-served
	})
	conns := make(chan net.Conn, 10)
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		conns <- conn
		return conn, err
	}
	c := websocket.NewClient("ws://"+ln.Addr().String()+"/play?match=tea", &websocket.ClientOptions{
		Dial: websocket.DialOptions{NetDial: dial}, Backoff: websocket.Backoff{First: time.Millisecond, Base: time.Millisecond},
	})
	opened := make(chan websocket.ClientState, 10)
	c.OnState(func(s websocket.ClientState) {
		if s.Phase == websocket.ClientOpen {
			opened <- s
		}
	})
	ran := make(chan error, 1)
	go func() { ran <- c.Run(t.Context()) }()
	for n := range 3 {
		if s := <-opened; s.Resumed != (n > 0) {
			t.Errorf("connection %d: %+v", n, s)
		}
		in, err := websocket.Ask[entry, entered](t.Context(), c, "enter", entry{Name: "Ann"})
		if err != nil || in != (entered{"tea", 0}) {
			t.Errorf("connection %d: Ann has %+v, %v", n, in, err)
		}
		(<-conns).Close()
	}
	c.Close()
	<-ran
}

func TestWhatIsNoInputEndsTheSocket(t *testing.T) {
	c := nextrushtest.New(t, newApp(0))
	for _, bad := range []any{"text", `{"type":"what"}`, []byte{}, []byte("123456"), []byte("12345678"),
		[]byte{0, 0, 0, 0, 127, 127, 0}, []byte{0, 0, 0, 0, 0x80, 0, 0}, []byte{0, 0, 0, 0, 0, 0, 2}, []byte{0, 0, 0, 255, 0, 0, 0}} {
		g := visit(t, c, "")
		g.enter("Ann", false)
		g.Send(bad)
		if code := g.end(); code != websocket.StatusInvalidFramePayloadData {
			t.Errorf("%q ends with %d", bad, code)
		}
	}
	g := visit(t, c, "")
	g.enter("Ann", false)
	for tick := range 1000 {
		g.steer(tick, 0, 0)
	}
	if code := g.end(); code != websocket.StatusPolicyViolation {
		t.Errorf("a flood ends with %d", code)
	}
}

// end waits until the server has closed the socket.
func (g *guest) end() websocket.StatusCode {
	for {
		var closed *websocket.CloseError
		if _, err := g.Receive(g.t.Context()); errors.As(err, &closed) {
			return closed.Code
		} else if err != nil {
			g.t.Fatal(err)
		}
	}
}

func TestANameIsNeeded(t *testing.T) {
	c := nextrushtest.New(t, newApp(0))
	s := c.Dial("/play")
	for _, name := range []string{"", " \u200b\t", "12345678901234567"} {
		if _, err := s.Request(t.Context(), "enter", entry{Name: name}); err == nil {
			t.Errorf("the name %q is taken", name)
		}
	}
}

func TestThePageIsServed(t *testing.T) {
	c := nextrushtest.New(t, newApp(0))
	for _, path := range []string{"/", "/app.js", "/draw.js", "/game.js", "/style.css", "/nextrush.js"} {
		c.Get(path).WantStatus(200)
	}
}
