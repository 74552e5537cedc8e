package once

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func first(t *testing.T, o *Answers[int, string], key string, want bool) *Answer[int, string] {
	t.Helper()
	a, first, err := o.Find(Key{Key: key})
	if err != nil || first != want {
		t.Fatalf("%s: first is %t, %v", key, first, err)
	}
	return a
}

func TestAnAnswerIsThatOfAllRequests(t *testing.T) {
	o := New[int, string](time.Minute, 4)
	a := first(t, o, "a", true)
	for i := range maxWaiters {
		if _, known := first(t, o, "a", false).Get(i, time.Minute, nil); known {
			t.Fatal("it is known")
		}
	}
	if _, _, err := o.Find(a.Key); err != ErrWaiters {
		t.Errorf("one more: %v", err)
	}
	if waiters := a.Settle("yes"); len(waiters) != maxWaiters || a.Settle("no") != nil {
		t.Errorf("%d have waited", len(waiters))
	}
	if is, known := first(t, o, "a", false).Get(0, time.Minute, nil); is != "yes" || !known {
		t.Errorf("the answer is %q", is)
	}
}

func TestWhatIsForgottenBeginsAnew(t *testing.T) {
	o := New[int, string](time.Minute, 4)
	a := first(t, o, "a", true)
	a.Get(7, time.Minute, nil)
	if waiters := a.Forget("interrupted"); !slices.Equal(waiters, []int{7}) {
		t.Errorf("%v have waited", waiters)
	}
	b := first(t, o, "a", true)
	a.Forget("again") // which is not the answer any more
	if first(t, o, "a", false) != b {
		t.Error("another was forgotten")
	}
}

func TestTheOldestKnownAnswerMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New[int, string](time.Minute, 3)
		running := first(t, o, "running", true)
		for i := range 5 {
			first(t, o, fmt.Sprint(i), true).Settle("")
		}
		first(t, o, "running", false)
		first(t, o, "4", false)
		first(t, o, "0", true)
		first(t, o, "5", true)
		if _, _, err := o.Find(Key{Key: "6"}); err != ErrFull {
			t.Errorf("with all running: %v", err)
		}
		running.Settle("")
		time.Sleep(time.Minute)
		first(t, o, "running", true)
		if len(o.byKey) != 1 || len(o.order) != 1 {
			t.Errorf("%d answers, %d in order", len(o.byKey), len(o.order))
		}
	})
}

func TestWhoAsksAgainTakesNoRoom(t *testing.T) {
	o := New[int, string](time.Minute, 2)
	first(t, o, "a", true).Settle("")
	first(t, o, "b", true).Settle("")
	for range 2 {
		first(t, o, "a", false)
		first(t, o, "b", false)
	}
}

func TestWhatIsForgottenLeavesItsPlace(t *testing.T) {
	o := New[int, string](time.Minute, 2)
	for range 10 {
		first(t, o, "a", true).Forget("")
	}
	first(t, o, "b", true).Settle("")
	first(t, o, "c", true).Settle("")
	first(t, o, "d", true)
	if len(o.byKey) != 2 || len(o.order) != 2 {
		t.Errorf("%d answers, %d in order", len(o.byKey), len(o.order))
	}
}
