package history

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAPositionIsAPair(t *testing.T) {
	text, err := json.Marshal(Position{"e7", 42})
	if string(text) != `["e7",42]` || err != nil {
		t.Errorf("%s, %v", text, err)
	}
	var p Position
	if err := json.Unmarshal(text, &p); err != nil || p != (Position{"e7", 42}) {
		t.Errorf("%v, %v", p, err)
	}
	for _, bad := range []string{`null`, `[]`, `["e7"]`, `["e7",-1]`, `["e7",1.5]`, `[7,7]`, `["e7",1,2]`, `{"epoch":"e7"}`, `["` + strings.Repeat("e", 100) + `",1]`, `["e7",99999999999999999999]`} {
		if json.Unmarshal([]byte(bad), &p) == nil {
			t.Errorf("%s was taken for a position", bad)
		}
	}
}

// thing is an event.
type thing struct{ n, size, grown int }

func (e *thing) Size() int { return e.size + e.grown }
func (e *thing) Shed()     { e.grown = 0 }

// The ring is compared with a list that forgets nothing.
func TestARingReturnsAllOrSaysThatItCannot(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		limits := Limits{Messages: 1 + rnd.IntN(20), Bytes: 1 + rnd.IntN(200), Age: time.Duration(1 + rnd.IntN(50))}
		r := NewRing[*thing](limits)
		other := NewRing[*thing](limits)
		var sizes []int
		var at []int64
		now := int64(0)
		for range 200 {
			now += rnd.Int64N(5)
			if rnd.IntN(2) == 0 {
				size := rnd.IntN(30)
				r.Add(&thing{n: len(sizes) + 1, size: size}, now)
				sizes, at = append(sizes, size), append(at, now)
			}
			from := rnd.IntN(len(sizes) + 2)
			events, ok := r.Since(Position{r.epoch, int64(from)}, now)
			want, fits := 0, from <= len(sizes)
			for i := from; i < len(sizes); i++ {
				want += sizes[i]
				fits = fits && now-at[i] < int64(limits.Age)
			}
			fits = fits && want <= limits.Bytes && len(sizes)-from <= limits.Messages
			if ok != fits {
				t.Fatalf("seed %d: since %d of %d: %v, want %v", seed, from, len(sizes), ok, fits)
			}
			if ok && len(events) != len(sizes)-from {
				t.Fatalf("seed %d: since %d of %d: %d events", seed, from, len(sizes), len(events))
			}
			for i, e := range events {
				if e.n != from+i+1 {
					t.Fatalf("seed %d: event %d is %d", seed, from+i+1, e.n)
				}
				e.grown = rnd.IntN(50)
			}
			r.Grow(len(events))
			if rnd.IntN(20) == 0 {
				r.Shed()
			}
			bytes, grown := 0, 0
			for _, e := range r.items {
				bytes, grown = bytes+e.event.size, grown+e.event.grown
			}
			if r.bytes != bytes || r.grown != grown {
				t.Fatalf("seed %d: %d and %d bytes are counted, there are %d and %d", seed, r.bytes, r.grown, bytes, grown)
			}
			for _, before := range []int64{-1, math.MinInt64} {
				if events, ok := r.Since(Position{r.epoch, before}, now); ok != (len(sizes) == len(r.items)) || ok && len(events) != len(sizes) {
					t.Fatalf("seed %d: since %d: %d events, %v", seed, before, len(events), ok)
				}
			}
			if _, ok := r.Since(other.Position(), now); ok {
				t.Fatal("the position of another epoch was taken")
			}
		}
	}
}

func TestRoomsStayWithinTheirBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const max, rooms, events = 1 << 20, 200, 50
		began := time.Now()
		rs := NewRooms[*thing](max, time.Second, func() int64 { return int64(time.Since(began)) },
			func(k Key) bool { return k.Room == "room 7" })
		limits := Limits{Messages: 100, Bytes: 1 << 20, Age: time.Minute}
		var wg sync.WaitGroup
		for i := range rooms {
			wg.Go(func() {
				key := Key{"", fmt.Sprint("room ", i)}
				for range events {
					r := rs.Lock(key, limits)
					r.Add(&thing{size: 1000}, rs.clock())
					r.Unlock()
				}
			})
		}
		wg.Wait()
		if n, bytes := rs.Size(); n == 0 || n > rooms || bytes > max {
			t.Errorf("%d rooms with %d bytes", n, bytes)
		}
		r := rs.Lock(Key{"", "room 7"}, limits)
		kept := r.Position()
		r.Unlock()
		if kept.Offset != events {
			t.Errorf("an occupied room is at %v", kept)
		}
		time.Sleep(3 * time.Minute)
		if n, bytes := rs.Size(); n != 1 || bytes != roomCost+int64(len("room 7")) {
			t.Errorf("after their age there are %d rooms with %d bytes", n, bytes)
		}
		r = rs.Lock(Key{"", "room 7"}, limits)
		if r.Position() != kept {
			t.Errorf("the occupied room has gone on as %v, was at %v", r.Position(), kept)
		}
		r.Unlock()
		for i := range 10_000 { // names from outside
			rs.Lock(Key{"", fmt.Sprint("guess ", i)}, limits).Unlock()
		}
		if _, bytes := rs.Size(); bytes > max {
			t.Errorf("empty rooms take %d bytes", bytes)
		}
		rs.Stop()
	})
}

// Who asks for the positions of rooms that nobody uses takes nothing from those in use.
func TestNamesThatAreMadeUpDropNoEvents(t *testing.T) {
	const max = 1 << 20
	began := time.Now()
	rs := NewRooms[*thing](max, time.Hour, func() int64 { return int64(time.Since(began)) }, func(Key) bool { return false })
	defer rs.Stop()
	limits := Limits{Messages: 100, Bytes: 1 << 20, Age: time.Hour}
	for i := range 500 {
		r := rs.Lock(Key{"", fmt.Sprint("room ", i)}, limits)
		r.Add(&thing{size: 1000}, rs.clock())
		r.Unlock()
	}
	for i := range 20_000 {
		r := rs.Lock(Key{"", fmt.Sprint("guess ", i)}, limits)
		r.Position()
		r.Unlock()
	}
	r := rs.Lock(Key{"", "new"}, limits)
	r.Add(&thing{size: 1000}, rs.clock())
	r.Unlock()
	if r = rs.Lock(Key{"", "new"}, limits); len(r.Last(1, rs.clock())) != 1 {
		t.Error("a new room has lost its event")
	}
	r.Unlock()
	if rooms, bytes := rs.Size(); bytes > max || rooms < 500 {
		t.Errorf("%d rooms take %d bytes", rooms, bytes)
	}
	for i := range 500 {
		r := rs.Lock(Key{"", fmt.Sprint("room ", i)}, limits)
		if len(r.Last(1, rs.clock())) != 1 {
			t.Fatalf("room %d has lost its event", i)
		}
		r.Unlock()
	}
}
