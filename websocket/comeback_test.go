package websocket_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

// Who comes back into a room that the handler joins by JoinLast gets all that it has
// missed, if that is more than those, too; and if it is not kept any more, those behind a
// gap.
func TestWhoComesBackGetsWhatIsKept(t *testing.T) {
	g := newGate(t)
	srv := websocket.NewServer(websocket.Options{Rooms: websocket.Rooms{"log": {History: websocket.History{Messages: 20}}}})
	g.serve(t, srv, func(s *websocket.Socket) error { return s.JoinLast(s.Context(), "log", 3) })
	c := websocket.NewClient(g.url(), &websocket.ClientOptions{Backoff: websocket.Backoff{Base: 50 * time.Millisecond, First: 50 * time.Millisecond}})
	told := make(chan string, 100)
	c.On("n", func(e *websocket.Event) {
		var n int
		e.Bind(0, &n)
		told <- fmt.Sprint(n)
	})
	c.OnGap(func(g websocket.Gap) {
		if g.Room != "" {
			told <- fmt.Sprint("gap to ", g.To.Offset)
		}
	})
	states, server := phases(c), g.target
	next := 0
	emit := func(n int) {
		for range n {
			next++
			srv.To("log").Emit("n", next)
		}
	}
	hears := func(want ...string) {
		t.Helper()
		for _, w := range want {
			if got := <-told; got != w {
				t.Fatalf("heard %s, want %s", got, w)
			}
		}
	}
	emit(5)
	start(t, c)
	hears("3", "4", "5")
	for _, missed := range []struct {
		n    int
		want []string
	}{
		{8, []string{"6", "7", "8", "9", "10", "11", "12", "13"}},
		{30, []string{"gap to 40", "41", "42", "43"}},
		{2, []string{"44", "45"}},
	} {
		await(t, states, websocket.ClientOpen)
		g.lead("") // nobody is let in
		g.cut()
		await(t, states, websocket.ClientWaiting)
		emit(missed.n)
		g.lead(server)
		hears(missed.want...)
	}
}
