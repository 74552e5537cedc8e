// Package authtest says by tests what an auth.TicketStore does, so that whoever writes one
// can test it.
package authtest

import (
	"context"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nextrush/nextrush/plugins/auth"
)

// RunTickets tests a store that has nothing under the keys that begin with "test", and
// leaves some there. wait returns when that time, at least a second, has passed for the
// store.
func RunTickets(t *testing.T, s auth.TicketStore, wait func(time.Duration)) {
	returnsWhomItWasGiven(t, s)
	givesATicketOnce(t, s)
	forgets(t, s, wait)
}

func put(t *testing.T, s auth.TicketStore, key string, p *auth.Principal, ttl time.Duration) {
	t.Helper()
	if err := s.Put(context.Background(), key, p, ttl); err != nil {
		t.Errorf("put %q: %v", key, err)
	}
}

func want(t *testing.T, s auth.TicketStore, key string, want *auth.Principal) {
	t.Helper()
	got, err := s.Take(context.Background(), key)
	if err != nil || !same(got, want) {
		t.Errorf("%q is of %+v, %v, want %+v", key, got, err, want)
	}
}

// same compares times as times, which have no zone or another one after JSON.
func same(a, b *auth.Principal) bool {
	if a == nil || b == nil {
		return a == b
	}
	one, two := *a, *b
	if !one.ExpiresAt.Equal(two.ExpiresAt) {
		return false
	}
	one.ExpiresAt = two.ExpiresAt
	return reflect.DeepEqual(one, two)
}

func returnsWhomItWasGiven(t *testing.T, s auth.TicketStore) {
	want(t, s, "test none", nil)
	ann := &auth.Principal{
		ID: "ann \x01 <é>", Roles: []string{"editor"}, Permissions: []string{"posts:*"},
		Claims: map[string]any{"name": "Ann", "age": 41.0, "tags": []any{"a"}}, ExpiresAt: time.Now().Add(time.Hour),
	}
	bob := &auth.Principal{ID: "bob"}
	put(t, s, "test ann", ann, time.Hour)
	put(t, s, "test bob", bob, time.Hour)
	put(t, s, "test bob too", bob, time.Hour)
	for key, who := range map[string]*auth.Principal{"test ann": ann, "test bob": bob, "test bob too": bob} {
		want(t, s, key, who)
		want(t, s, key, nil)
	}
}

func givesATicketOnce(t *testing.T, s auth.TicketStore) {
	put(t, s, "test race", &auth.Principal{ID: "ann"}, time.Hour)
	var n atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			p, err := s.Take(context.Background(), "test race")
			if err != nil {
				t.Error(err)
			}
			if p != nil {
				n.Add(1)
			}
		})
	}
	wg.Wait()
	if n := n.Load(); n != 1 {
		t.Errorf("%d have taken it", n)
	}
}

func forgets(t *testing.T, s auth.TicketStore, wait func(time.Duration)) {
	put(t, s, "test short", &auth.Principal{ID: "ann"}, time.Second)
	wait(time.Second)
	want(t, s, "test short", nil)
}
