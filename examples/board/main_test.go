package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

const patience = 60 * time.Second

// visitor does what the page does, but for drawing: it has what it was told of the board.
type visitor struct {
	t      *testing.T
	url    string
	client *websocket.Client

	mu    sync.Mutex // guards what follows
	conn  net.Conn
	told  elements // nil: it is to be loaded
	n     int64
	loads int
	news  chan struct{} // closed at the next change
}

func visit(t *testing.T, addr, user string) *visitor {
	v := &visitor{t: t, url: "http://" + addr, news: make(chan struct{})}
	v.client = websocket.NewClient("ws://"+addr+"/live/tea?user="+user, &websocket.ClientOptions{
		Dial:    websocket.DialOptions{NetDial: v.dial},
		Backoff: websocket.Backoff{Base: time.Millisecond, Cap: 20 * time.Millisecond, First: time.Millisecond},
	})
	v.client.On("did", v.hear)
	v.client.OnGap(func(g websocket.Gap) {
		if g.Room != "" {
			v.forget()
			v.load()
		}
	})
	v.client.OnState(func(s websocket.ClientState) {
		if s.Phase == websocket.ClientOpen && v.lacksAll() {
			v.load()
		}
	})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { v.client.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return v
}

func (v *visitor) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.conn = conn
	return conn, err
}

func (v *visitor) cut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.conn != nil {
		v.conn.(*net.TCPConn).SetLinger(0)
		v.conn.Close()
	}
}

// forget has the board loaded anew.
func (v *visitor) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.told = nil
}

func (v *visitor) lacksAll() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.told == nil
}

func (v *visitor) load() {
	now, err := snapshotOf(v.url)
	if err != nil { // the next connection loads it
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.told, v.n = elements{}, now.N
	for _, e := range now.Elements {
		v.told[e.ID] = e
	}
	v.loads++
	v.client.Room("tea").Since(now.Position)
	v.tellLocked()
}

func (v *visitor) hear(e *websocket.Event) {
	var c change
	if err := e.Bind(0, &c); err != nil {
		v.t.Error(err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.told == nil || c.N <= v.n {
		return
	}
	if c.N != v.n+1 {
		v.t.Errorf("after %d comes %d", v.n, c.N)
	}
	v.n = c.N
	v.told.take(&c)
	v.tellLocked()
}

func (v *visitor) tellLocked() {
	close(v.news)
	v.news = make(chan struct{})
}

// sees waits until what was told fulfils f.
func (v *visitor) sees(what string, f func(n int64, all elements) bool) {
	v.t.Helper()
	late := time.After(patience)
	for {
		v.mu.Lock()
		ok, news := v.told != nil && f(v.n, v.told), v.news
		v.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-news:
		case <-late:
			v.t.Fatalf("does not see %s: %+v, %d", what, v.client.State(), v.n)
		}
	}
}

func (v *visitor) do(key string, ops ...op) []result {
	ctx, cancel := context.WithTimeout(v.t.Context(), patience)
	defer cancel()
	results, err := websocket.Ask[[]op, []result](ctx, v.client.Repeat(key), "do", ops)
	if err != nil {
		v.t.Errorf("%s: %v", key, err)
	}
	return results
}

func snapshotOf(url string) (now state, err error) {
	r, err := http.Get(url + "/boards/tea")
	if err != nil {
		return now, err
	}
	defer r.Body.Close()
	if r.StatusCode != 200 {
		return now, errors.New(r.Status)
	}
	return now, json.NewDecoder(r.Body).Decode(&now)
}

// listen serves a board app until stop.
func listen(t *testing.T, app *nextrush.App, addr string) (at string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { app.Serve(l) })
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		app.Shutdown(ctx)
		serving.Wait()
	})
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

func stroke(id string, points ...float32) *element {
	return &element{ID: id, Color: "ink", Width: 4, Points: points}
}

// randomOp is something that somebody does who sees all.
func randomOp(r *rand.Rand, id string, all elements) op {
	o := op{ID: id}
	ids := slices.Sorted(maps.Keys(all))
	switch x, y, text := r.Float32()*900, r.Float32()*900, "text "+id; {
	case r.IntN(40) == 0:
		o.Clear = true
	case r.IntN(8) == 0 && len(ids) > 0:
		o.Hide = []string{ids[r.IntN(len(ids))], ids[r.IntN(len(ids))]}
	case r.IntN(8) == 0 && len(ids) > 0:
		o.Show = all[ids[r.IntN(len(ids))]].Gone
	case r.IntN(3) == 0 && len(ids) > 0:
		e := all[ids[r.IntN(len(ids))]]
		if o.Set = (&edit{ID: e.ID, X: &x, Y: &y}); r.IntN(2) == 0 {
			o.Set = &edit{ID: e.ID, Text: &text, V: []string{e.V, "seen long ago"}[r.IntN(2)]}
		}
	case r.IntN(3) == 0:
		o.Add = &element{ID: "n" + id, Color: "blue", X: x, Y: y, Text: text}
	default:
		o.Add = stroke("s"+id, x, y, y, x)
	}
	return o
}

// Whatever everybody does at once, and however often connections are cut, or sessions ended
// by the server: all have the same board in the end, and each operation was done once.
func TestAllHaveTheSameBoardInTheEnd(t *testing.T) {
	const visitors, ops = 8, 80
	app := newApp("")
	addr, _ := listen(t, app, "127.0.0.1:0")
	var all sync.WaitGroup
	added := make([]int, visitors)
	vs := make([]*visitor, visitors)
	for i := range vs {
		vs[i] = visit(t, addr, fmt.Sprint("user", i))
	}
	for i, v := range vs {
		all.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			v.sees("the board", func(int64, elements) bool { return true })
			for k := range ops {
				v.mu.Lock()
				o := randomOp(r, fmt.Sprint(i, "-", k), v.told)
				v.mu.Unlock()
				if o.Add != nil {
					added[i]++
				}
				switch r.IntN(20) {
				case 0:
					go v.cut()
				case 1:
					app.WebSockets().Namespace("/live").All().ToID(v.client.ID()).Close(websocket.StatusInternalError, "")
				}
				v.do("a key of 16 bytes "+o.ID, o)
			}
		})
	}
	all.Wait()
	now, err := snapshotOf("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	kept, own := 0, map[string]bool{}
	for _, e := range now.Elements {
		if strings.HasPrefix(e.ID, "kept.") {
			kept++
		} else {
			own[e.ID] = true
		}
	}
	sum := 0
	for _, n := range added {
		sum += n
	}
	if len(own) != sum || len(now.Elements) != sum+kept {
		t.Errorf("%d elements, want %d", len(own), sum)
	}
	for i, v := range vs {
		v.sees("the end", func(n int64, _ elements) bool { return n == now.N })
		if got := v.told.sorted(); !reflect.DeepEqual(got, now.Elements) {
			t.Errorf("visitor %d has another board: %d elements of %d", i, len(got), len(now.Elements))
		}
		if v.loads != 1 {
			t.Errorf("visitor %d has loaded the board %d times", i, v.loads)
		}
	}
	t.Logf("%d changes, %d texts kept, %d resumed", now.N, kept, app.WebSocketStats().Resumed)
}

// A server that starts anew has what was saved, and its clients load it.
func TestABoardOutlivesTheServer(t *testing.T) {
	dir := t.TempDir()
	addr, stop := listen(t, newApp(dir), "127.0.0.1:0")
	ann := visit(t, addr, "ann")
	ann.do("key 1", op{ID: "1", Add: stroke("a", 0, 0, 5, 5)}, op{ID: "2", Add: stroke("b", 0, 0, 7, 7)}, op{ID: "3", Hide: []string{"a"}})
	stop()
	listen(t, newApp(dir), addr)
	bob := visit(t, addr, "bob")
	bob.do("key 2", op{ID: "4", Show: "3"})
	for _, v := range []*visitor{ann, bob} {
		v.sees("both strokes", func(n int64, all elements) bool { return n == 4 && len(all) == 2 && all["a"].Gone == "" })
	}
	// What ann sends again, since she has not heard of it, is not done again.
	ann.do("key 3", op{ID: "1", Add: stroke("a", 0, 0, 5, 5)}, op{ID: "3", Hide: nil})
	if now, err := snapshotOf("http://" + addr); now.N != 4 {
		t.Errorf("%d changes, %v", now.N, err)
	}
}

// board is one without a server, for what operations do.
func alone(t *testing.T) *board {
	st := &store{sockets: websocket.NewServer(websocket.Options{}).Namespace("/live"), boards: map[string]*board{}}
	b, err := st.open("alone")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestNoTextIsLost(t *testing.T) {
	b := alone(t)
	texts := func() (list []string) {
		for _, e := range b.all.sorted() {
			list = append(list, cmp.Or(e.Gone, "seen")+" "+e.By+" "+e.Text)
		}
		return list
	}
	write := func(text string) *string { return &text }
	b.do("ann", op{ID: "1", Add: &element{ID: "note", Color: "red", Text: "tea"}})
	b.do("ann", op{ID: "2", Set: &edit{ID: "note", Text: write("coffee"), V: "1"}})
	b.do("bob", op{ID: "3", Set: &edit{ID: "note", Text: write("milk"), V: "1"}}) // who has not seen the coffee
	if got, want := texts(), []string{"seen bob milk", "seen ann coffee"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	b.do("bob", op{ID: "3", Set: &edit{ID: "note", Text: write("milk"), V: "1"}}) // again
	b.do("ann", op{ID: "4", Clear: true})
	b.do("bob", op{ID: "5", Set: &edit{ID: "note", Text: write("water"), V: "3"}}) // who has not seen it go
	if got, want := texts(), []string{"seen bob water", "4 ann coffee"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	b.do("ann", op{ID: "6", Show: "4"})
	b.do("ann", op{ID: "4", Clear: true})
	x := float32(7)
	b.do("ann", op{ID: "7", Set: &edit{ID: "kept.3", X: &x, Y: &x}})
	if e := b.all["kept.3"]; e.X != 7 || e.Gone != "4" {
		t.Errorf("got %+v", e)
	}
}

func TestBoundsAreTold(t *testing.T) {
	b := alone(t)
	long, huge := strings.Repeat("ü", maxText+1), float32(2*maxExtent)
	b.do("ann", op{ID: "note", Add: &element{ID: "note", Color: "red"}})
	for want, o := range map[string]op{
		"points":          {ID: "1", Add: stroke("a", make([]float32, 2*maxPoints+2)...)},
		"characters":      {ID: "1", Add: &element{ID: "a", Color: "red", Text: long}},
		"500 characters":  {ID: "1", Set: &edit{ID: "note", Text: &long}},
		"edge":            {ID: "1", Add: stroke("a", 0, huge)},
		"the edge":        {ID: "1", Set: &edit{ID: "note", X: &huge, Y: &huge}},
		"neither":         {ID: "1", Add: stroke("a", 1, 2, 3)},
		"nor a note":      {ID: "1", Add: &element{ID: "a", Color: "red", Points: []float32{1, 2}, Width: 100}},
		"a stroke":        {ID: "1", Add: &element{ID: "a", Color: "red", Points: []float32{1, 2}, Width: 2, Pressure: []float32{1, 1}}},
		"color":           {ID: "1", Add: &element{ID: "a", Color: "url(evil)"}},
		"element needs":   {ID: "1", Add: stroke("kept.9", 1, 2)},
		"operation needs": {ID: "", Add: stroke("a", 1, 2)},
		"not there":       {ID: "1", Set: &edit{ID: "nowhere"}},
	} {
		if r := b.do("ann", o); !strings.Contains(r.Error, want) {
			t.Errorf("%s: got %+v", want, r)
		}
	}
	if b.n != 1 {
		t.Errorf("%d changes", b.n)
	}
}

func TestAFullBoardForgetsWhatIsHidden(t *testing.T) {
	for name, points := range map[string]int{"elements": 2, "bytes": 2 * maxPoints} {
		b, n := alone(t), 0
		add := func() result {
			n++
			return b.do("ann", op{ID: fmt.Sprint(n), Add: stroke(fmt.Sprint("s", n), make([]float32, points)...)})
		}
		for add().Error == "" {
		}
		if n < 100 || n > maxElements+1 {
			t.Fatalf("%s: full at %d", name, n)
		}
		b.do("ann", op{ID: "hide", Hide: []string{"s5", "s1"}})
		if r := add(); r.Error != "" || b.all["s1"] != nil || b.all["s5"] == nil {
			t.Errorf("%s: %+v, %v, %v", name, r, b.all["s1"], b.all["s5"])
		}
	}
}

// The server answers rubbish, and goes on.
func TestRubbish(t *testing.T) {
	c := nextrushtest.New(t, newApp(""))
	c.Get("/boards/Tea").WantStatus(404)
	c.Get("/boards/" + strings.Repeat("a", 41)).WantStatus(404)
	for _, path := range []string{"/live/tea", "/live/tea?user=a%20b", "/live/TEA?user=ann"} {
		var end *websocket.CloseError
		if _, err := c.Dial(path).Receive(t.Context()); !errors.As(err, &end) || end.Code < 4400 {
			t.Errorf("%s: %v", path, err)
		}
	}
	s := c.Dial("/live/tea?user=ann")
	s.Emit("live", live{X: new(float32), Stroke: &element{Color: "none"}})
	if m := s.Next(); !strings.Contains(m.Text(), "not a stroke") {
		t.Error(m.Text())
	}
	for data, want := range map[string]string{
		`{}`: "error", `[7]`: "error", `["x"]`: "error", `[{"add":7}]`: "error",
		`[{"id":"1","add":{"id":"a","color":"red","points":[1e999,0]}}]`: "error",
		`[` + strings.Repeat("{},", maxOps) + `{}]`:                      "too many operations",
		`[{"id":"1"},{},{"id":"2","hide":["x","x"]}]`:                    `[{},{"error":"an operation needs an id of 1 to 32 letters and digits"},{}]`,
	} {
		s.Send(fmt.Sprintf(`{"type":"event","event":"do","id":1,"data":[%s]}`, data))
		if m := s.Next(); !strings.Contains(m.Text(), want) {
			t.Errorf("%.20s: %s", data, m.Text())
		}
	}
}

func TestCursorsAndWhatIsBeingDrawnArePassedOn(t *testing.T) {
	c := nextrushtest.New(t, newApp(""))
	ann, bob := c.Dial("/live/tea?user=ann"), c.Dial("/live/tea?user=bob")
	if _, err := bob.Request(t.Context(), "do", []op{}); err != nil { // he is in the room now
		t.Fatal(err)
	}
	x := float32(3)
	ann.Emit("live", live{User: "carl", X: &x, Y: &x, Stroke: stroke("a", 1, 2, 3, 4)})
	var l live
	bob.ExpectEvent("live", &l)
	if l.User != "ann" || *l.X != 3 || len(l.Stroke.Points) != 4 {
		t.Errorf("got %+v", l)
	}
}

func TestPages(t *testing.T) {
	c := nextrushtest.New(t, newApp(""))
	to := c.Get("/").WantStatus(302).Header.Get("Location")
	if page := c.Get(to).WantStatus(200).Text(); !strings.Contains(page, "/app.js") {
		t.Error(page)
	}
	for _, file := range []string{"/app.js", "/board.js", "/notes.js", "/draw.js", "/people.js", "/style.css", "/nextrush.js"} {
		c.Get(file).WantStatus(200)
	}
}
