package loop

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// ticker is a node that notes when it is visited.
type ticker struct {
	timer   Timer[*ticker]
	visited []int64
	again   int // visits that it asks for
}

func (n *ticker) Timer() *Timer[*ticker] { return &n.timer }

func (n *ticker) Tick(now int64) int64 {
	n.visited = append(n.visited, now)
	if len(n.visited) <= n.again {
		return now + int64(time.Hour)
	}
	return 0
}

// A visit is never early, and late by a tick, or, if it was far away, by what such
// times are rounded up to.
func TestTheWheelVisitsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := Clock{time.Now()}
		w := NewWheel[*ticker](clock)
		due := make(map[*ticker]int64)
		for range 1000 {
			n := &ticker{}
			due[n] = clock.Now() + rand.Int64N(int64(time.Minute))
			w.Schedule(n, due[n])
			time.Sleep(time.Duration(rand.Int64N(int64(5 * time.Millisecond))))
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		for n, at := range due {
			if len(n.visited) != 1 {
				t.Fatalf("%d visits", len(n.visited))
			}
			if late := n.visited[0] - at; late < 0 || late > int64(wheelCoarse+2*wheelTick) {
				t.Errorf("late by %v", time.Duration(late))
			}
		}
	})
}

func TestTheWheelTakesTheEarlierTimeAndForgetsWhatIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := Clock{time.Now()}
		w := NewWheel[*ticker](clock)
		early, again, gone := &ticker{}, &ticker{again: 2}, &ticker{}
		w.Schedule(early, int64(time.Minute))
		w.Schedule(early, int64(time.Second))
		w.Schedule(early, int64(time.Hour))
		w.Schedule(again, int64(time.Second))
		w.Schedule(gone, int64(time.Second))
		w.Remove(gone)
		w.Schedule(gone, int64(time.Second))
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		if len(early.visited) != 1 || len(again.visited) != 3 || len(gone.visited) != 0 {
			t.Errorf("visits: %d, %d, %d", len(early.visited), len(again.visited), len(gone.visited))
		}
		if early.visited[0] > int64(2*time.Second) {
			t.Errorf("visited after %v", time.Duration(early.visited[0]))
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.running {
			t.Error("an empty wheel runs")
		}
	})
}
