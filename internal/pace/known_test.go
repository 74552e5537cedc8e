package pace

import (
	"sync"
	"testing"
	"time"
)

func TestHandlersOfOneCodeAndRouteShareAPace(t *testing.T) {
	var k Known
	p := k.Of(1, "/a")
	if p != k.Of(1, "/a") {
		t.Error("the same has two paces")
	}
	if p == k.Of(2, "/a") || p == k.Of(1, "/b") {
		t.Error("what differs shares a pace")
	}
}

func TestManyWhoAskAtOnceGetOnePace(t *testing.T) {
	var k Known
	got := make([]*Pace, 100)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() { got[i] = k.Of(1, "/a") })
	}
	wg.Wait()
	for _, p := range got {
		if p != got[0] {
			t.Fatal("there are two")
		}
	}
}

// Handlers of one route count together, whether the server made their paces or was given
// them, and each only once.
func TestCountsAreByRoute(t *testing.T) {
	var k Known
	one, two, other := k.Of(1, "/a"), New("/a"), k.Of(1, "/b")
	k.Add(two)
	k.Add(two)
	one.Route.Opened()
	two.Route.Opened()
	two.Route.Ended()
	other.Route.Opened()
	one.RanInWorker(time.Millisecond)
	two.RanInline(time.Microsecond)
	two.Relieved()
	one.Route.RanEvent("chat", time.Millisecond)
	two.Route.RanEvent("chat", time.Millisecond)
	counts := k.Counts()
	a, b := counts["/a"], counts["/b"]
	if len(counts) != 2 || a == nil || b == nil {
		t.Fatalf("%v", counts)
	}
	if a.Connections != 1 || a.Total != 2 || a.HandedOver != 1 || a.Inline.Count() != 1 || a.Workers.Count() != 1 || a.Workers.Sum != time.Millisecond {
		t.Errorf("/a: %+v", a)
	}
	if a.Events["chat"].Count() != 2 || len(b.Events) != 0 || b.Connections != 1 {
		t.Errorf("events of /a: %v; /b: %+v", a.Events, b)
	}
}
