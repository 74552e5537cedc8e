package middleware_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/middleware/storetest"
)

func TestMemoryStoreIsAStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { storetest.Run(t, middleware.NewMemoryStore(1<<20), time.Sleep) })
}

func TestTheMemoryOfRateLimitIsAStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { storetest.RunRateLimit(t, middleware.NewMemoryBuckets(), time.Sleep) })
}

func TestMemoryStoreForgetsWhatWasNotUsed(t *testing.T) {
	s := middleware.NewMemoryStore(10 << 10)
	value := []byte(strings.Repeat("x", 800))
	for i := range 100 {
		s.Set(t.Context(), fmt.Sprint(i), value, time.Hour)
		if used, _ := s.Get(t.Context(), "0"); used == nil {
			t.Fatalf("after %d the one in use is gone", i)
		}
	}
	kept := 0
	for i := range 100 {
		if v, _ := s.Get(t.Context(), fmt.Sprint(i)); v != nil {
			kept++
		}
	}
	if kept != 10 {
		t.Errorf("%d of 1 KB in 10 KiB", kept)
	}
	s.Set(t.Context(), "huge", make([]byte, 20<<10), time.Hour)
	if v, _ := s.Get(t.Context(), "huge"); v != nil {
		t.Error("larger than the store")
	}
	if v, _ := s.Get(t.Context(), "0"); v == nil {
		t.Error("what is too large drives others out")
	}
	wantPanic(t, "no size", func() { middleware.NewMemoryStore(0) })
}
