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

// The ring is compared with a list that forgets nothing.
func TestARingReturnsAllOrSaysThatItCannot(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		limits := Limits{Messages: 1 + rnd.IntN(20), Bytes: 1 + rnd.IntN(200), Age: time.Duration(1 + rnd.IntN(50))}
		r := NewRing[int](limits)
		other := NewRing[int](limits)
		var sizes []int
		var at []int64
		now := int64(0)
		for range 200 {
			now += rnd.Int64N(5)
			if rnd.IntN(2) == 0 {
				size := rnd.IntN(30)
				r.Add(len(sizes)+1, size, now)
				sizes, at = append(sizes, size), append(at, now)
			}
			from := rnd.IntN(len(sizes) + 2)
			events, bytes, ok := r.Since(Position{r.epoch, int64(from)}, now)
			want, fits := 0, from <= len(sizes)
			for i := from; i < len(sizes); i++ {
				want += sizes[i]
				fits = fits && now-at[i] < int64(limits.Age)
			}
			fits = fits && want <= limits.Bytes && len(sizes)-from <= limits.Messages
			if ok != fits {
				t.Fatalf("seed %d: since %d of %d: %v, want %v", seed, from, len(sizes), ok, fits)
			}
			if ok && (bytes != want || len(events) != len(sizes)-from) {
				t.Fatalf("seed %d: since %d of %d: %d events of %d bytes", seed, from, len(sizes), len(events), bytes)
			}
			for i, e := range events {
				if *e != from+i+1 {
					t.Fatalf("seed %d: event %d is %d", seed, from+i+1, *e)
				}
			}
			for _, before := range []int64{-1, math.MinInt64} {
				if _, n, ok := r.Since(Position{r.epoch, before}, now); ok != (len(sizes) == len(r.items)) || ok && n != r.bytes {
					t.Fatalf("seed %d: since %d: %d bytes, %v", seed, before, n, ok)
				}
			}
			if _, _, ok := r.Since(other.Position(), now); ok {
				t.Fatal("the position of another epoch was taken")
			}
		}
	}
}

func TestRoomsStayWithinTheirBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const max, rooms, events = 1 << 20, 200, 50
		began := time.Now()
		rs := NewRooms[[]byte](max, time.Second, func() int64 { return int64(time.Since(began)) },
			func(k Key) bool { return k.Room == "room 7" })
		limits := Limits{Messages: 100, Bytes: 1 << 20, Age: time.Minute}
		var wg sync.WaitGroup
		for i := range rooms {
			wg.Go(func() {
				key := Key{"", fmt.Sprint("room ", i)}
				for range events {
					r := rs.Lock(key, limits)
					r.Add(make([]byte, 1000), 1000, rs.clock())
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
		if n, bytes := rs.Size(); n != 1 || bytes != roomCost {
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
