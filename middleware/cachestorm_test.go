package middleware_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/apptest"
	"github.com/nextrush/nextrush/middleware"
)

// Many clients read and change a few URLs through a store that is too small for all of
// them. None gets what is another's.
func TestCacheUnderLoad(t *testing.T) {
	var runs atomic.Int64
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
	app.Use(middleware.Cache(middleware.CacheOptions{Store: middleware.NewMemoryStore(8 << 10)}))
	app.Get("/:n", func(c *nextrush.Context) error {
		runs.Add(1)
		return c.Vary("X-Kind").CacheFor(time.Hour).Text(c.Param("n") + " " + c.Header("X-Kind"))
	})
	app.Put("/:n", func(c *nextrush.Context) error { return c.NoContent() })
	server := apptest.Serve(app)
	defer server.Close()
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			client := &http.Client{Transport: new(http.Transport)}
			defer client.CloseIdleConnections()
			for i := range 200 {
				n, kind, method := (worker+i)%8, fmt.Sprint((worker*i)%3), "GET"
				want := fmt.Sprintf("%d %s", n, kind)
				if i%50 == 0 {
					method, want = "PUT", ""
				}
				r, _ := http.NewRequestWithContext(t.Context(), method, fmt.Sprint(server.URL, "/", n), nil)
				r.Header.Set("X-Kind", kind)
				resp, err := client.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if string(body) != want {
					t.Errorf("%s: %q, want %q", method, body, want)
				}
			}
		})
	}
	wg.Wait()
	if n := runs.Load(); n > 16*200*3/4 {
		t.Errorf("%d runs for %d requests", n, 16*200)
	}
}
