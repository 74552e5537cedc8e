package roster

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"
)

const second = int64(time.Second)

func TestUsersJoinAndLeaveOnce(t *testing.T) {
	r := New[int](5*time.Second, 1<<20)
	r.Enter(1, "ann", 0)
	u, fresh := r.Update(r.Due())
	if len(u.Whole) != 1 || len(fresh) != 1 || r.Due() != 0 {
		t.Fatalf("the first is told %+v, due %d", u, r.Due())
	}
	now := second
	r.Enter(2, "bob", now)
	r.Enter(3, "bob", now) // another tab
	r.Enter(3, "bob", now)
	if u, fresh = r.Update(r.Due()); len(u.Join) != 1 || u.Join["bob"].Sockets != 2 || len(u.Leave) != 0 || len(fresh) != 2 || len(u.Whole) != 2 {
		t.Errorf("told %+v to %v", u, fresh)
	}
	r.Exit(2, now)
	if r.Due() != 0 {
		t.Error("a tab that closes is told")
	}
	r.Exit(3, now)
	r.Exit(3, now)
	r.Enter(4, "bob", now+4*second) // it is back
	if u, _ = r.Update(r.Due()); len(u.Join)+len(u.Leave) != 0 {
		t.Errorf("a reconnect is told: %+v", u)
	}
	if u, _ = r.Update(now + 6*second); len(u.Join)+len(u.Leave) != 0 {
		t.Errorf("then %+v", u)
	}
	r.Exit(4, now+10*second)
	if r.Due() != now+15*second {
		t.Errorf("due %d", r.Due())
	}
	if u, _ = r.Update(r.Due()); !slices.Equal(u.Leave, []string{"bob"}) {
		t.Errorf("told %+v, want that bob has left", u)
	}
	r.Exit(1, 20*second)
	r.Update(25 * second)
	if !r.Empty() || r.Due() != 0 {
		t.Error("somebody is left")
	}
}

func TestASocketMayBecomeAnotherUsers(t *testing.T) {
	r := New[int](0, 1<<20)
	r.Enter(1, "socket", 0)
	r.Update(r.Due())
	r.Enter(1, "ann", second)
	if u, _ := r.Update(r.Due()); !slices.Equal(u.Leave, []string{"socket"}) || len(u.Join) != 1 {
		t.Errorf("told %+v", u)
	}
}

func TestOfACrowdOnlyTheCountIsTold(t *testing.T) {
	r := New[int](0, 1<<20)
	now := int64(0)
	for i := range Most {
		r.Enter(i, fmt.Sprint(i), now)
	}
	if u, _ := r.Update(r.Due()); u.Crowd || len(u.Whole) != Most {
		t.Errorf("told %d, crowd %v", len(u.Whole), u.Crowd)
	}
	now += second
	r.Enter(Most, "one more", now)
	if u, fresh := r.Update(r.Due()); !u.Crowd || u.Count != Most+1 || u.Whole != nil || u.Join != nil || len(fresh) != 1 {
		t.Errorf("told %+v", u)
	}
	began := r.last
	r.Exit(Most, began+1)
	r.Set(1, []byte(`1`), began+1)
	if r.Due() != began+1 && r.Due() != began+int64(Slow) {
		t.Errorf("due in %v", time.Duration(r.Due()-began))
	}
	for i := range Most - less {
		r.Exit(i, began+1)
	}
	if u, _ := r.Update(began + 2*second); u.Crowd || len(u.Whole) != less {
		t.Errorf("told %+v", u)
	}
}

// clients are what some know of who is there: users and their data, by socket.
type clients map[int]map[string]string

func (known clients) take(u Update, fresh map[int]struct{}) error {
	for s, users := range known {
		_, is := fresh[s]
		switch {
		case u.Crowd:
			clear(users)
			if u.Whole != nil || u.Join != nil || u.Leave != nil {
				return fmt.Errorf("of a crowd is told %+v", u)
			}
			continue
		case is || fresh == nil && u.Whole != nil:
			clear(users)
			for id, m := range u.Whole {
				users[id] = string(m.Data)
			}
			continue
		}
		for id, m := range u.Join {
			users[id] = string(m.Data)
		}
		for _, id := range u.Leave {
			if _, ok := users[id]; !ok {
				return fmt.Errorf("%s left, whom nobody knew", id)
			}
			delete(users, id)
		}
	}
	return nil
}

// What clients make of the updates is compared with who is there.
func TestClientsKnowWhoIsThere(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		r := New[int](time.Duration(rnd.IntN(3))*time.Second, 120+rnd.IntN(100))
		known, there := clients{}, map[int]string{}
		update := func() {
			if err := known.take(r.Update(r.Due())); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		now := int64(0)
		for range 200 {
			now += rnd.Int64N(second / 2)
			for r.Due() != 0 && r.Due() <= now {
				update()
			}
			s := rnd.IntN(10)
			switch rnd.IntN(4) {
			case 0, 1:
				there[s] = fmt.Sprint("user ", rnd.IntN(4))
				r.Enter(s, there[s], now)
				if known[s] == nil {
					known[s] = map[string]string{}
				}
			case 2:
				delete(there, s)
				delete(known, s)
				r.Exit(s, now)
			case 3:
				r.Set(s, fmt.Append(nil, now), now)
			}
		}
		for r.Due() != 0 {
			update()
		}
		want, bytes := map[string]string{}, 0
		for _, id := range there {
			want[id] = string(r.users[id].data)
		}
		for _, u := range r.users {
			bytes += u.size()
		}
		if r.bytes != bytes {
			t.Fatalf("seed %d: %d bytes are counted, there are %d", seed, r.bytes, bytes)
		}
		if r.crowd {
			continue
		}
		for s, users := range known {
			if !maps.Equal(users, want) {
				t.Fatalf("seed %d: socket %d knows %v, there are %v", seed, s, users, want)
			}
		}
	}
}

// Who comes to a node that knew nothing of the room is told of all who are at others, or
// were there and may come back.
func TestNobodyIsToldBeforeOthersHaveTold(t *testing.T) {
	const at = 100 * second
	here, other, third := New[int](5*time.Second, 1<<20), Node{1}, Node{3}
	here.Spread(0)
	here.Meet(nil, 0)
	here.Enter(1, "ann", 0)
	here.Compare(0)
	here.Shares(0, false, 0)
	here.Update(second)
	here.Hear(third, &Share{In: map[string]Entry{"bob": {Sockets: 1, Data: []byte(`"b"`)}}}, second)
	here.Forget(third, 15*time.Second, at)
	here.Enter(2, "cid", at)
	here.Shares(at, false, 0) // another may leave after a Batch
	fresh := New[int](5*time.Second, 1<<20)
	fresh.Spread(at)
	fresh.Enter(9, "eye", at)
	if fresh.Telling(at + second) {
		t.Error("told before the others can be asked")
	}
	fresh.Compare(at + second)
	for _, s := range fresh.Shares(at+second, false, 0) {
		here.Hear(other, &s, at+second)
	}
	answer := here.Shares(at+second, false, 0)
	fresh.Meet([]Node{other}, at+second)
	if len(answer) != 1 || fresh.Telling(at+2*second) {
		t.Fatalf("the answer is %+v, told before it has come: %v", answer, fresh.Telling(at+2*second))
	}
	fresh.Hear(other, &answer[0], at+2*second)
	u, _ := fresh.Update(fresh.Due())
	if fresh.last != at+2*second+int64(Batch) || len(u.Whole) != 4 || string(u.Whole["bob"].Data) != `"b"` || len(u.Leave) > 0 {
		t.Errorf("at %v told %+v", time.Duration(fresh.last-at), u)
	}
	if u, _ = fresh.Update(at + 12*second); len(u.Leave) > 0 {
		t.Errorf("%v have left", u.Leave)
	}
	if u, _ = fresh.Update(at + 16*second); !slices.Equal(u.Leave, []string{"bob"}) {
		t.Errorf("%v have left, want bob", u.Leave)
	}
	again := New[int](5*time.Second, 1<<20) // another node that is new
	again.Spread(at + 14*second)
	again.Enter(8, "eye", at+14*second)
	fresh.Hear(other, &Share{Ask: true, New: true}, at+13*second)
	again.Keep(fresh.Shares(at+13*second, false, 0)[0].Stay, at+13*second)
	if u, _ = again.Update(at + 16*second); u.Whole["bob"].Sockets != 0 || len(u.Whole) != 1 || len(u.Leave) > 0 {
		t.Errorf("a third node tells %+v", u)
	}
	alone := New[int](0, 1<<20)
	alone.Spread(0)
	if alone.Enter(1, "ann", 0); alone.Telling(int64(longMeet)-1) || !alone.Telling(int64(longMeet)) {
		t.Errorf("while others cannot be asked it is told after %v", time.Duration(alone.due))
	}
}

// What another node told when it was asked may be lost: it is asked again, some times.
func TestWhoHasNotToldIsAskedAgain(t *testing.T) {
	for _, x := range []struct {
		name  string
		lost  int // answers
		alone bool
		asked int
		knows bool
	}{{"told at once", 0, false, 1, true}, {"one is lost", 1, false, 2, true}, {"two are lost", 2, false, 3, true}, {"nobody is there", 0, true, 4, false}} {
		here, there, a, b := New[int](0, 1<<20), New[int](0, 1<<20), Node{1}, Node{2}
		there.Spread(0)
		there.Meet(nil, 0)
		there.Enter(1, "ann", 0)
		there.Update(0)
		there.Shares(second, false, 0)
		now := 100 * second
		here.Spread(now)
		here.Enter(2, "bob", now)
		here.Compare(now)
		here.Meet([]Node{b}, now)
		asked := 0
		for ; now < 200*second; now += int64(Batch) {
			for _, s := range here.Shares(now, false, 0) {
				if s.Ask {
					asked++
				}
				if !x.alone {
					there.Hear(a, &s, now)
				}
			}
			for _, s := range there.Shares(now, false, 0) {
				if x.lost--; x.lost < 0 {
					here.Hear(b, &s, now)
				}
			}
			if here.Telling(now) {
				here.Update(now)
			}
		}
		if _, knows := here.Members()["ann"]; knows != x.knows || asked != x.asked {
			t.Errorf("%s: asked %d times, want %d; knows %t", x.name, asked, x.asked, knows)
		}
	}
}

// What is told while others are asked again is told as soon as ever, and takes none of the
// questions away.
func TestAskingAgainHoldsNothingUp(t *testing.T) {
	here := New[int](0, 1<<20)
	here.Spread(0)
	here.Enter(1, "ann", 0)
	here.Meet([]Node{{2}}, 0)
	here.Shares(int64(Batch), false, 0)
	now := int64(longMeet)
	here.Update(now)
	var asked []time.Duration
	for n := 2; now < 20*second; n, now = n+1, now+second {
		here.Enter(n, strconv.Itoa(n), now)
		if due := here.Due(); due == 0 || due > now+int64(Batch) {
			t.Fatalf("after %v something is told at %v", time.Duration(now), time.Duration(due))
		}
		for at := now; at < now+second; at += int64(Batch) {
			here.Hear(Node{3}, &Share{Ask: true, New: true}, at)
			for _, s := range here.Shares(at, false, 0) {
				if s.Ask {
					asked = append(asked, time.Duration(at))
				}
			}
		}
	}
	if want := []time.Duration{longMeet, 2 * longMeet, 3 * longMeet}; !slices.Equal(asked, want) {
		t.Errorf("asked again at %v, want %v", asked, want)
	}
}

// A node that is going tells of its users as of those who come elsewhere, also of those of whom
// it did not have the time to say that they have left.
func TestTheUsersOfANodeThatIsGoingStay(t *testing.T) {
	r := New[int](5*time.Second, 1<<20)
	r.Spread(0)
	r.Enter(1, "ann", 0)
	r.Enter(2, "bob", 0)
	r.Compare(0)
	if list := r.Shares(second, false, 0); len(list) != 1 || len(list[0].In) != 2 {
		t.Fatalf("it tells %+v", list)
	}
	r.Exit(2, 2*second)
	r.Hear(Node{1}, &Share{Ask: true, New: true}, 2*second)
	list := r.Shares(2*second, true, 14*time.Second)
	if len(list) != 1 || len(list[0].In)+len(list[0].Out) > 0 || list[0].Whole || list[0].Stay["ann"].For != 14_000 || list[0].Stay["bob"].For != 14_000 {
		t.Errorf("it tells %+v", list)
	}
}
