package authtest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/internal/leak"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/auth"
	"github.com/nextrush/nextrush/plugins/auth/authtest"
)

func TestMain(m *testing.M) { leak.Main(m) }

func Example() {
	test := func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			authtest.RunTickets(t, auth.Tickets(middleware.NewMemoryStore(1<<20)), time.Sleep)
		})
	}
	_ = test // which "go test" runs
}
