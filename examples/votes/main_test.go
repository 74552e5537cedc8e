package main

import (
	"context"
	"testing"
	"time"

	"github.com/nextrush/nextrush/nextrushtest"
)

func TestVotesAreCounted(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	ann, bob, other := c.Dial("/votes/tea"), c.Dial("/votes/tea"), c.Dial("/votes/other")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := asking.Request(ctx, bob.Socket, none{}); err != nil { // he is in the room
		t.Fatal(err)
	}
	for _, choice := range []string{"coffee", "tea"} {
		voting.Emit(ann, vote{choice})
		var got results
		bob.ExpectEvent("changed", &got)
		ann.ExpectEvent("changed", nil)
		if len(got.Votes) != 1 || got.Votes[choice] != 1 {
			t.Errorf("%v after %s", got, choice)
		}
	}
	if got, err := asking.Request(ctx, bob.Socket, none{}); err != nil || got.Votes["tea"] != 1 {
		t.Error(got, err)
	}
	if got, err := asking.Request(ctx, other.Socket, none{}); err != nil || len(got.Votes) != 0 {
		t.Error(got, err)
	}
	if _, err := asking.Request(ctx, ann.Socket, none{}); err != nil {
		t.Error(err)
	}
}

func TestTheEventsAreDescribed(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	c.Get("/").WantStatus(302).WantHeader("Location", "/asyncapi")
	c.Get("/asyncapi").WantStatus(200)
	c.Get("/asyncapi.json").WantStatus(200)
}
