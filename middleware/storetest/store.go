package storetest

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nextrush/nextrush/middleware"
)

const (
	atOnce   = 50 // goroutines that race
	shortest = time.Second
)

// Run tests a store that has nothing under the keys that begin with "test", and leaves some
// there. wait returns when that time, at least a second, has passed for the store. If the
// store has the methods that auth.Tickets needs besides, Remove and Count, they are tested too.
func Run(t *testing.T, s middleware.Store, wait func(time.Duration)) {
	keeps(t, s)
	adds(t, s)
	addsOnce(t, s)
	forgets(t, s, wait)
	if r, ok := s.(remover); ok {
		removes(t, s, r)
		removesOnce(t, s, r)
	}
	if c, ok := s.(counter); ok {
		counts(t, c, wait)
	}
}

type remover interface {
	Remove(ctx context.Context, key string) ([]byte, error)
}

type counter interface {
	Count(ctx context.Context, key string, ttl time.Duration) (int64, error)
}

func want(t *testing.T, s middleware.Store, key, value string) {
	t.Helper()
	got, err := s.Get(context.Background(), key)
	if err != nil || string(got) != value || (got == nil) != (value == "") {
		t.Errorf("%q is %q, %v, want %q", key, got, err, value)
	}
}

func set(t *testing.T, s middleware.Store, key string, value []byte, ttl time.Duration) {
	t.Helper()
	if err := s.Set(context.Background(), key, value, ttl); err != nil {
		t.Errorf("set %q: %v", key, err)
	}
}

func keeps(t *testing.T, s middleware.Store) {
	want(t, s, "test none", "")
	all := make([]byte, 1<<16)
	for i := range all {
		all[i] = byte(i)
	}
	for _, key := range []string{"test 1", "test \x00\xff*.>\n", "test " + string(all[:1000])} {
		for _, value := range [][]byte{[]byte("one"), []byte("two"), all} {
			set(t, s, key, value, time.Hour)
			want(t, s, key, string(value))
		}
		set(t, s, key, nil, time.Hour)
		want(t, s, key, "")
		set(t, s, key, nil, time.Hour)
	}
	set(t, s, "test empty", []byte{}, time.Hour)
	if got, err := s.Get(context.Background(), "test empty"); got == nil || len(got) > 0 || err != nil {
		t.Errorf("an empty value is %#v, %v", got, err)
	}
}

func adds(t *testing.T, s middleware.Store) {
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
	want(t, s, "test add", "c")
}

func forgets(t *testing.T, s middleware.Store, wait func(time.Duration)) {
	set(t, s, "test short", []byte("x"), shortest)
	set(t, s, "test long", []byte("x"), shortest)
	set(t, s, "test long", []byte("y"), time.Hour)
	s.Add(context.Background(), "test added", []byte("x"), shortest)
	wait(shortest)
	want(t, s, "test short", "")
	want(t, s, "test long", "y")
	if existing, err := s.Add(context.Background(), "test added", []byte("z"), time.Hour); existing != nil || err != nil {
		t.Errorf("added after its time: %q, %v", existing, err)
	}
	want(t, s, "test added", "z")
	set(t, s, "test soon", []byte("x"), time.Nanosecond) // which is not for ever
	wait(shortest)
	want(t, s, "test soon", "")
}

// race counts for how many of those who try at once try says yes.
func race(t *testing.T, try func(i int) (bool, error)) int {
	var n atomic.Int32
	var wg sync.WaitGroup
	for i := range atOnce {
		wg.Go(func() {
			yes, err := try(i)
			if err != nil {
				t.Error(err)
			}
			if yes {
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return int(n.Load())
}

func addsOnce(t *testing.T, s middleware.Store) {
	n := race(t, func(i int) (bool, error) {
		existing, err := s.Add(context.Background(), "test race", bytes.Repeat([]byte{byte(i)}, 100), time.Hour)
		return existing == nil, err
	})
	if n != 1 {
		t.Errorf("%d were the first", n)
	}
}

func removes(t *testing.T, s middleware.Store, r remover) {
	if value, err := r.Remove(context.Background(), "test none"); value != nil || err != nil {
		t.Errorf("of nothing %q, %v is removed", value, err)
	}
	for _, value := range []string{"a", "b"} {
		set(t, s, "test remove", []byte(value), time.Hour)
		for _, expected := range []string{value, ""} {
			if got, err := r.Remove(context.Background(), "test remove"); string(got) != expected || err != nil {
				t.Errorf("removed %q, %v, want %q", got, err, expected)
			}
			want(t, s, "test remove", "")
		}
	}
	if existing, err := s.Add(context.Background(), "test remove", []byte("c"), time.Hour); existing != nil || err != nil {
		t.Errorf("after it was removed: %q, %v", existing, err)
	}
	want(t, s, "test remove", "c")
}

func removesOnce(t *testing.T, s middleware.Store, r remover) {
	set(t, s, "test last", []byte("x"), time.Hour)
	n := race(t, func(int) (bool, error) {
		value, err := r.Remove(context.Background(), "test last")
		return value != nil, err
	})
	if n != 1 {
		t.Errorf("%d have removed it", n)
	}
}

func counts(t *testing.T, c counter, wait func(time.Duration)) {
	n := race(t, func(int) (bool, error) {
		n, err := c.Count(context.Background(), "test count", time.Hour)
		return n > atOnce/2, err
	})
	if n != atOnce/2 {
		t.Errorf("%d of %d are above the middle", n, atOnce)
	}
	count := func(key string, ttl time.Duration, expected int64) {
		t.Helper()
		if n, err := c.Count(context.Background(), key, ttl); n != expected || err != nil {
			t.Errorf("%s is %d, %v, want %d", key, n, err, expected)
		}
	}
	count("test count", time.Hour, atOnce+1)
	began := time.Now()
	count("test short count", 5*shortest, 1)
	wait(shortest)
	if time.Since(began) < 4*shortest { // else it may be over
		count("test short count", 5*shortest, 2) // which does not make it last longer
	}
	wait(4 * shortest)
	count("test short count", 5*shortest, 1)
}
