package websocket

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// answerStore is a OnceStore in memory that can be down.
type answerStore struct {
	mu     sync.Mutex // guards the fields below
	values map[string][]byte
	down   bool
}

var errStoreDown = errors.New("the store is down")

func (s *answerStore) Get(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errStoreDown
	}
	return s.values[key], nil
}

func (s *answerStore) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return errStoreDown
	}
	if value == nil {
		delete(s.values, key)
		return nil
	}
	s.values[key] = value
	return nil
}

func (s *answerStore) Add(_ context.Context, key string, value []byte, ttl time.Duration) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errStoreDown
	}
	if existing := s.values[key]; existing != nil {
		return existing, nil
	}
	s.values[key] = value
	return nil, nil
}

func (s *answerStore) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// shops are nodes with one store.
type shops struct {
	store *answerStore
	ran   atomic.Int32
	late  chan *Event // that "late" has not answered yet
}

func newShops() *shops {
	return &shops{store: &answerStore{values: make(map[string][]byte)}, late: make(chan *Event, 10)}
}

func (sh *shops) node(t *testing.T, on network) *raw {
	once := OnceIn(sh.store, time.Minute, 4)
	return on.serve(t, Options{Logger: quiet, PingInterval: -1}, func(s *Socket) error {
		s.UseEvents(once)
		s.On("buy", func(e *Event) {
			n := sh.ran.Add(1)
			var what string
			e.Bind(0, &what)
			switch what {
			case "late":
				sh.late <- e
			case "nothing":
				e.ReplyError(&EventError{Message: "nothing to buy", Errors: map[string]int{"left": 0}})
			case "panic":
				panic("shop")
			default:
				e.Reply(n, what)
			}
		})
		return nil
	}).raw(t)
}

func TestARequestIsCarriedOutOnOneNode(t *testing.T) {
	sh := newShops()
	one, two := sh.node(t, overTCP), sh.node(t, overTCP)
	for i, want := range []struct {
		from              *raw
		key, what, answer string
	}{
		{one, longKey, "tea", `{"type":"ack","id":0,"data":[1,"tea"]}`},
		{two, longKey, "tea", `{"type":"ack","id":1,"data":[1,"tea"]}`},
		{two, longKey, "tea", `{"type":"ack","id":2,"data":[1,"tea"]}`}, // which it knows itself by now
		{two, longKey + "n", "nothing", `{"type":"error","event":"buy","id":3,"message":"nothing to buy","errors":{"left":0}}`},
		{one, longKey + "n", "nothing", `{"type":"error","event":"buy","id":4,"message":"nothing to buy","errors":{"left":0}}`},
		{one, "short", "tea", `{"type":"ack","id":5,"data":[3,"tea"]}`},
		{two, "short", "tea", `{"type":"ack","id":6,"data":[4,"tea"]}`}, // somebody could have guessed it
	} {
		want.from.say(buy(i, want.key, want.what))
		want.from.hear(want.answer)
	}
	sh.store.mu.Lock()
	defer sh.store.mu.Unlock()
	for key := range sh.store.values {
		if !strings.HasPrefix(key, "once:") || strings.Contains(key, longKey) {
			t.Errorf("the key %s tells", key)
		}
	}
	if len(sh.store.values) != 2 {
		t.Errorf("%d are kept", len(sh.store.values))
	}
}

func TestANodeWaitsForTheAnswerOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sh := newShops()
		one, two := sh.node(t, inMemory), sh.node(t, inMemory)
		one.say(buy(1, longKey, "late"))
		e := <-sh.late
		two.say(buy(2, longKey, "late"))
		two.say(buy(3, longKey, "late")) // waits for the same
		two.say(buy(4, "other", "tea"))  // the socket does not wait
		two.hear(`{"type":"ack","id":4,"data":[2,"tea"]}`)
		e.Reply("at last", []byte("bytes"))
		one.event()
		for range 2 {
			if got := two.event(); !strings.HasPrefix(string(got.Data), `["at last"`) {
				t.Errorf("the answer is %s", got.Data)
			}
		}
		if n := sh.ran.Load(); n != 2 {
			t.Errorf("%d were carried out", n)
		}
		one.say(buy(5, longKey+"late", "late"))
		<-sh.late
		two.say(buy(6, longKey+"late", "late"))
		began := time.Now()
		two.hear(`{"type":"error","event":"buy","id":6,"message":"still being carried out"}`)
		if after := time.Since(began); after != onceWait {
			t.Errorf("it is told after %v", after)
		}
	})
}

func TestAnInterruptedRequestMayBeRepeatedOnAnotherNode(t *testing.T) {
	sh := newShops()
	one, two := sh.node(t, overTCP), sh.node(t, overTCP)
	one.say(buy(1, longKey, "panic"))
	one.expectClose(StatusInternalError)
	two.say(buy(2, longKey, "tea"))
	two.hear(`{"type":"ack","id":2,"data":[2,"tea"]}`)
}

func TestWithoutItsStoreNothingIsCarriedOut(t *testing.T) {
	sh := newShops()
	c := sh.node(t, overTCP)
	sh.store.setDown(true)
	c.say(buy(1, longKey, "tea"))
	c.hear(`{"type":"error","event":"buy","id":1,"message":"try again"}`)
	c.say(buy(2, "", "tea")) // without a key
	c.hear(`{"type":"ack","id":2,"data":[1,"tea"]}`)
	sh.store.setDown(false)
	c.say(buy(3, longKey, "late"))
	e := <-sh.late
	sh.store.setDown(true)
	e.Reply("kept here only")
	for i := 3; i < 5; i++ {
		c.hear(fmt.Sprintf(`{"type":"ack","id":%d,"data":["kept here only"]}`, i))
		c.say(buy(i+1, longKey, "late"))
	}
	sh.store.setDown(false)
	other := sh.node(t, overTCP)
	other.say(buy(9, longKey, "late"))
	other.hear(`{"type":"error","event":"buy","id":9,"message":"still being carried out"}`)
}

func TestAnswersComeBackAsTheyWere(t *testing.T) {
	frozen, err := freeze([]any{1, "a", map[string]any{"b": nil}, []byte{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, is := range []answered{{args: frozen}, {args: frozen[:2]}, {args: frozen[:0]}} {
		got, known := parseAnswered(is.bytes())
		if !known || fmt.Sprintf("%T %v", got.args, got.args) != fmt.Sprintf("%T %v", is.args, is.args) && len(is.args) > 0 {
			t.Errorf("%v, want %v", got.args, is.args)
		}
	}
	for _, b := range []string{"", running, "{", "null x"} {
		if _, known := parseAnswered([]byte(b)); known {
			t.Errorf("%q is an answer", b)
		}
	}
}

// The answer of a request that was carried out is kept although it cannot be told any more:
// the client asks again for it.
func TestAnAnswerThatCannotBeToldIsKept(t *testing.T) {
	for name, once := range map[string]func(*Event, func() error) error{
		"Once":   Once(time.Minute, 10),
		"OnceIn": OnceIn(&answerStore{values: make(map[string][]byte)}, time.Minute, 10),
	} {
		t.Run(name, func(t *testing.T) {
			var ran atomic.Int32
			running, ended := make(chan *Socket, 1), make(chan bool)
			st := overTCP.serve(t, Options{}, func(s *Socket) error {
				s.UseEvents(once)
				s.OnClose(func(StatusCode, string) { close(ended) })
				Handle(s, "buy", func(ctx context.Context, s *Socket, item string) (int32, error) {
					n := ran.Add(1)
					running <- s
					<-ctx.Done()
					return n, nil
				})
				return nil
			})
			c := st.raw(t)
			c.say(buy(1, longKey, "tea"))
			wait(t, running, "the handler").conn.Drop(errExited)
			wait(t, ended, "the end")
			ended = make(chan bool)
			again := st.raw(t)
			again.say(buy(2, longKey, "tea"))
			again.hear(`{"type":"ack","id":2,"data":[1]}`)
			if n := ran.Load(); n != 1 {
				t.Errorf("it was carried out %d times", n)
			}
		})
	}
}
