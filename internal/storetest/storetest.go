// Package storetest says by tests what a middleware.Store does.
package storetest

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Store is middleware.Store, which this package is below.
type Store interface {
	Get(ctx context.Context, key string) ([]byte, error)
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	Add(ctx context.Context, key string, value []byte, ttl time.Duration) (existing []byte, err error)
}

// Run tests a store that has nothing under the keys that begin with "test". wait returns
// when that time has passed for the store.
func Run(t *testing.T, s Store, wait func(time.Duration)) {
	keeps(t, s)
	adds(t, s)
	forgets(t, s, wait)
	addsOnce(t, s)
}

func want(t *testing.T, s Store, key, value string) {
	t.Helper()
	got, err := s.Get(context.Background(), key)
	if err != nil || string(got) != value || (got == nil) != (value == "") {
		t.Errorf("%s is %q, %v, want %q", key, got, err, value)
	}
}

func set(t *testing.T, s Store, key string, value []byte, ttl time.Duration) {
	t.Helper()
	if err := s.Set(context.Background(), key, value, ttl); err != nil {
		t.Errorf("set %s: %v", key, err)
	}
}

func keeps(t *testing.T, s Store) {
	want(t, s, "test none", "")
	all := make([]byte, 1<<16)
	for i := range all {
		all[i] = byte(i)
	}
	for _, value := range [][]byte{[]byte("one"), []byte("two"), all} {
		set(t, s, "test 1", value, time.Hour)
		want(t, s, "test 1", string(value))
	}
	set(t, s, "test 1", nil, time.Hour)
	want(t, s, "test 1", "")
	set(t, s, "test 1", nil, time.Hour)
}

func adds(t *testing.T, s Store) {
	for i, expected := range []string{"", "a", "a"} {
		existing, err := s.Add(context.Background(), "test add", []byte{'a' + byte(i)}, time.Hour)
		if err != nil || string(existing) != expected {
			t.Errorf("add %d: %q, %v", i, existing, err)
		}
	}
	want(t, s, "test add", "a")
	set(t, s, "test add", []byte("b"), time.Hour)
	want(t, s, "test add", "b")
	set(t, s, "test add", nil, time.Hour)
	if existing, err := s.Add(context.Background(), "test add", []byte("c"), time.Hour); existing != nil || err != nil {
		t.Errorf("after it was removed: %q, %v", existing, err)
	}
}

func forgets(t *testing.T, s Store, wait func(time.Duration)) {
	ttl := 200 * time.Millisecond
	set(t, s, "test short", []byte("x"), ttl)
	set(t, s, "test long", []byte("x"), ttl)
	set(t, s, "test long", []byte("y"), time.Hour)
	s.Add(context.Background(), "test added", []byte("x"), ttl)
	wait(ttl)
	want(t, s, "test short", "")
	want(t, s, "test long", "y")
	if existing, err := s.Add(context.Background(), "test added", []byte("z"), time.Hour); existing != nil || err != nil {
		t.Errorf("added after its time: %q, %v", existing, err)
	}
	want(t, s, "test added", "z")
}

func addsOnce(t *testing.T, s Store) {
	var first atomic.Int32
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			mine := bytes.Repeat([]byte{byte(i)}, 100)
			existing, err := s.Add(context.Background(), "test race", mine, time.Hour)
			if err != nil {
				t.Error(err)
			}
			if existing == nil {
				first.Add(1)
			}
		})
	}
	wg.Wait()
	if n := first.Load(); n != 1 {
		t.Errorf("%d were the first", n)
	}
}
