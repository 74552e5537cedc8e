package websocket

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// shop carries out "buy" once for each key; what it does is told by the argument.
func shop(ran *atomic.Int32, release <-chan bool) func(*Socket) error {
	once := Once(time.Minute, 4)
	return func(s *Socket) error {
		s.UseEvents(once)
		s.On("user", func(e *Event) {
			var id string
			e.Bind(0, &id)
			s.SetUser(id, nil)
			e.Reply()
		})
		Handle(s, "buy", func(ctx context.Context, s *Socket, what string) (int32, error) {
			n := ran.Add(1)
			switch what {
			case "slowly":
				<-release
			case "nothing":
				return 0, &EventError{Message: "nothing to buy"}
			case "panic":
				panic("shop")
			case "abroad":
				return 0, context.Canceled
			}
			return n, nil
		})
		return nil
	}
}

func buy(id int, key, what string) string {
	return fmt.Sprintf(`{"type":"event","event":"buy","id":%d,"key":%q,"data":[%q]}`, id, key, what)
}

const longKey = "0123456789abcdef"

func TestARequestWithAKeyIsCarriedOutOnce(t *testing.T) {
	var ran atomic.Int32
	st := overTCP.serve(t, Options{Logger: quiet}, shop(&ran, nil))
	c, other := st.raw(t), st.raw(t, speaking)
	other.hello()
	for i, want := range []struct {
		from      *raw
		key, what string
		answer    string
	}{
		{c, longKey, "tea", `{"type":"ack","id":0,"data":[1]}`},
		{c, longKey, "tea", `{"type":"ack","id":1,"data":[1]}`},
		{other, longKey, "tea", `{"type":"ack","id":2,"data":[1]}`}, // it came back
		{c, "", "tea", `{"type":"ack","id":3,"data":[2]}`},
		{c, "", "tea", `{"type":"ack","id":4,"data":[3]}`},
		{c, "short", "tea", `{"type":"ack","id":5,"data":[4]}`},
		{c, "short", "tea", `{"type":"ack","id":6,"data":[4]}`},
		{other, "short", "tea", `{"type":"ack","id":7,"data":[5]}`}, // somebody could have guessed it
		{c, longKey + "n", "nothing", `{"type":"error","event":"buy","id":8,"message":"nothing to buy"}`},
		{other, longKey + "n", "nothing", `{"type":"error","event":"buy","id":9,"message":"nothing to buy"}`},
		{c, longKey + "a", "abroad", `{"type":"error","event":"buy","id":10,"message":"internal error"}`},
		{c, longKey + "a", "tea", `{"type":"ack","id":11,"data":[8]}`},
	} {
		want.from.say(buy(i, want.key, want.what))
		want.from.hear(want.answer)
	}
}

func TestKeysOfOneUserAreNotThoseOfAnother(t *testing.T) {
	var ran atomic.Int32
	st := overTCP.serve(t, Options{}, shop(&ran, nil))
	for i, user := range []string{"ann", "bob", "ann"} {
		c := st.raw(t)
		c.say(fmt.Sprintf(`{"type":"event","event":"user","id":1,"data":[%q]}`, user))
		c.hear(`{"type":"ack","id":1,"data":[]}`)
		c.say(buy(2, "order 1", "tea"))
		c.hear(fmt.Sprintf(`{"type":"ack","id":2,"data":[%d]}`, []int{1, 2, 1}[i]))
	}
}

func TestTheSecondRequestWaitsForTheFirst(t *testing.T) {
	var ran atomic.Int32
	release := make(chan bool)
	st := overTCP.serve(t, Options{}, shop(&ran, release))
	first, second := st.raw(t), st.raw(t)
	first.say(buy(1, longKey, "slowly"))
	for ran.Load() == 0 {
		second.alive()
	}
	second.say(buy(2, longKey, "slowly"))
	second.say(buy(3, "other", "tea")) // the socket does not wait
	second.hear(`{"type":"ack","id":3,"data":[2]}`)
	close(release)
	first.hear(`{"type":"ack","id":1,"data":[1]}`)
	second.hear(`{"type":"ack","id":2,"data":[1]}`)
}

func TestAnInterruptedRequestMayBeRepeated(t *testing.T) {
	var ran atomic.Int32
	st := overTCP.serve(t, Options{Logger: quiet}, shop(&ran, nil))
	c, again := st.raw(t), st.raw(t)
	c.say(buy(1, longKey, "panic"))
	c.expectClose(StatusInternalError)
	again.say(buy(2, longKey, "tea"))
	again.hear(`{"type":"ack","id":2,"data":[2]}`)
}

func TestAnswersAreForgottenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran atomic.Int32
		st := inMemory.serve(t, Options{PingInterval: -1}, shop(&ran, nil))
		c := st.raw(t)
		ask := func(id int, key string) string {
			c.say(buy(id, key, "tea"))
			return string(c.event().Data)
		}
		for i := range 6 { // of which four are kept
			ask(i, longKey+fmt.Sprint(i))
		}
		if got := ask(6, longKey+"5"); got != "[6]" {
			t.Errorf("the newest is %s", got)
		}
		if got := ask(7, longKey+"0"); got != "[7]" {
			t.Errorf("the oldest is %s", got)
		}
		time.Sleep(time.Minute)
		if got := ask(8, longKey+"5"); got != "[8]" {
			t.Errorf("after its time it is %s", got)
		}
		st.settle(c)
	})
}

func TestOnceWantsTimeAndNumber(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it was taken")
		}
	}()
	Once(0, 1)
}

// A handler that does not reply does not leave those in the dark who ask again.
func TestARequestThatIsStillCarriedOutIsToldInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []*Event
		once := Once(time.Minute, 4)
		st := inMemory.serve(t, Options{PingInterval: -1}, func(s *Socket) error {
			s.UseEvents(once)
			s.On("buy", func(e *Event) { asked = append(asked, e) })
			return nil
		})
		c := st.raw(t)
		c.say(buy(1, longKey, "tea"))
		c.say(buy(2, longKey, "tea"))
		synctest.Wait()
		time.Sleep(4 * time.Second)
		c.say(buy(3, longKey, "tea"))
		began := time.Now()
		c.hear(`{"type":"error","event":"buy","id":2,"message":"still being carried out"}`)
		if after := time.Since(began); after != time.Second {
			t.Errorf("it is told after %v", after)
		}
		asked[0].Reply("at last")
		for range 2 {
			if e := c.event(); string(e.Data) != `["at last"]` {
				t.Errorf("the answer is %s", e.Data)
			}
		}
		c.say(buy(4, longKey, "tea"))
		if e := c.event(); string(e.Data) != `["at last"]` || len(asked) != 1 {
			t.Errorf("the answer is %s, %d were carried out", e.Data, len(asked))
		}
		time.Sleep(time.Hour)
		st.settle(c)
	})
}
