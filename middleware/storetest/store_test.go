package storetest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/middleware/storetest"
)

func Example() {
	test := func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			storetest.Run(t, middleware.NewMemoryStore(1<<20), time.Sleep)
		})
	}
	_ = test // which "go test" runs
}
