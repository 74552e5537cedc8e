package events

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
)

func TestWhatThereIsToDoForAnEvent(t *testing.T) {
	add := func(tb *Table[int]) { tb.Add("known", Handler[int]{}) }
	for _, test := range []struct {
		name, event string
		set         func(*Table[int])
		elsewhere   bool
		ok          bool
		handlers    int
		unknown     bool
	}{
		{name: "no handlers", event: "x", set: func(*Table[int]) {}},
		{name: "its handler", event: "known", set: add, ok: true, handlers: 1},
		{name: "another's handler", event: "x", set: add, ok: true, unknown: true},
		{name: "another's handler, and somebody else", event: "x", set: add, elsewhere: true},
		{name: "a handler of all", event: "x", set: func(tb *Table[int]) { tb.AddAny(Handler[int]{}) }, elsewhere: true, ok: true, handlers: 1},
		{name: "middleware, which decides", event: "known", set: func(tb *Table[int]) { add(tb); tb.Use(nil) }, ok: true},
		{name: "removed", event: "known", set: func(tb *Table[int]) { add(tb); tb.Remove("known") }},
	} {
		tb := New[int]()
		test.set(tb)
		f, ok := tb.Find(test.event, test.elsewhere)
		if ok != test.ok || len(f.Handlers) != test.handlers || f.Unknown != test.unknown {
			t.Errorf("%s: %+v, %v", test.name, f, ok)
		}
	}
}

func TestAHandlerForOneEventIsTakenOnce(t *testing.T) {
	tb := New[int]()
	tb.Add("x", Handler[int]{Once: true})
	tb.Add("x", Handler[int]{})
	if first, second := len(tb.Take("x")), len(tb.Take("x")); first != 2 || second != 1 {
		t.Errorf("%d and then %d handlers were taken", first, second)
	}
}

func TestAReplyIsForTheRequestThatWaits(t *testing.T) {
	tb := New[int]()
	var got []string
	take := func(r Reply[int]) { got = append(got, fmt.Sprint(r)) }
	id := tb.NextID()
	tb.Await(id, take)
	for text, want := range map[string]bool{"2": false, `"x"`: false, "0": false, "m1": false} {
		if tb.Answer([]byte(text), Reply[int]{}, 0) != want {
			t.Errorf("%s answers something", text)
		}
	}
	if !tb.Answer([]byte(id), Reply[int]{Event: 7}, 0) || !tb.Answer([]byte(id), Reply[int]{Event: 8}, 0) {
		t.Error("a reply is no reply")
	}
	tb.Await("m1", take)
	failed := errors.New("failed")
	tb.Fail(failed)
	if !slices.Equal(got, []string{"{7 <nil>}", "{0 failed}"}) || tb.Awaited() {
		t.Errorf("the replies are %v", got)
	}
	for range maxReplies {
		tb.Await(tb.NextID(), take)
	}
	if tb.Await("one more", take) {
		t.Error("one more is awaited")
	}
}

func TestAGatheringYieldsOneReplyForEach(t *testing.T) {
	forgotten := map[string]int{}
	g := NewGathering[string, int]("m1", 3, func(s, id string) { forgotten[s]++ })
	for _, s := range []string{"a", "b", "c"} {
		g.Add(s)
	}
	g.Answer("b", Reply[int]{Event: 1})
	g.Answer("a", Reply[int]{Event: 2})
	ctx, cancel := context.WithCancel(t.Context())
	got := map[string]string{}
	g.Collect(ctx, func(s string, r Reply[int]) bool {
		got[s] = fmt.Sprint(r.Event, r.Err)
		if len(got) == 2 {
			cancel()
		}
		return true
	})
	if fmt.Sprint(got) != "map[a:2 <nil> b:1 <nil> c:0 context canceled]" || forgotten["c"] == 0 {
		t.Errorf("the replies are %v, forgotten %v", got, forgotten)
	}
}
