package e2e

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// load asks examples/cookbook/server without a pause, from ever new visitors, until its end.
type load struct {
	stop chan struct{}
	wg   sync.WaitGroup

	mu      sync.Mutex // guards what follows
	heard   *sync.Cond
	answers int
	errs    []error
}

// newLoad begins with GET and POST, on connections that are kept and on new ones.
func newLoad(url string) *load {
	l := &load{stop: make(chan struct{})}
	l.heard = sync.NewCond(&l.mu)
	for i := range 8 {
		client := httpClient(&http.Transport{DisableKeepAlives: i < 4})
		method, want := http.MethodGet, http.StatusOK
		if i%2 == 0 {
			method, want = http.MethodPost, http.StatusSeeOther
		}
		l.wg.Go(func() {
			defer client.CloseIdleConnections()
			for {
				select {
				case <-l.stop:
					return
				default:
					l.note(askOnce(client, method, url+"/me", want))
				}
			}
		})
	}
	return l
}

func askOnce(client *http.Client, method, url string, want int) error {
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		return err
	}
	n := rand.Uint32()
	r.Header.Set("X-Forwarded-For", netip.AddrFrom4([4]byte{198, 18 + byte(n>>16)&1, byte(n >> 8), byte(n)}).String())
	res, err := client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != want {
		return fmt.Errorf("%s: %d %q, %w", method, res.StatusCode, text, err)
	}
	return nil
}

func (l *load) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers++
	if err != nil {
		l.errs = append(l.errs, err)
	}
	l.heard.Broadcast()
}

// more waits for n more answers.
func (l *load) more(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n += l.answers; l.answers < n && len(l.errs) == 0; {
		l.heard.Wait()
	}
}

// end fails the test if a request was lost.
func (l *load) end(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.wg.Wait()
	if err := errors.Join(l.errs[:min(len(l.errs), 5)]...); err != nil {
		t.Errorf("%d of %d requests were lost: %v", len(l.errs), l.answers, err)
	}
}

// heardWithin fails the test if nothing comes soon.
func heardWithin[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("no %s", what)
	}
	return v
}
