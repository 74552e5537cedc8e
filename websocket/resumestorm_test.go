package websocket

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
)

// crush has hundreds of upgrades be under way at the same time.
type crush struct {
	srv *Server

	mu      sync.Mutex // guards the field below
	waiting *sync.WaitGroup
}

func newCrush(opts Options) *crush {
	opts.Resume = resuming.Resume
	return &crush{srv: NewServer(opts), waiting: new(sync.WaitGroup)}
}

// ServeHTTP upgrades when as many upgrades as expect has said have been let in or refused.
func (c *crush) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, err := c.srv.Accept(w, r)
	c.mu.Lock()
	all := c.waiting
	c.mu.Unlock()
	if r.Header.Get("Together") != "" {
		all.Done()
		all.Wait()
	}
	if user := r.Header.Get("User"); err == nil && user != "" {
		err = h.Socket().SetUser(user, nil)
	}
	switch {
	case err == nil:
		h.Open(echoing)
		return
	case h != nil:
		h.Refuse()
	}
	w.WriteHeader(http.StatusServiceUnavailable)
}

func (c *crush) expect(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = new(sync.WaitGroup)
	c.waiting.Add(n)
}

// together has visitors come back, and strangers come, all at once.
func (c *crush) together(t *testing.T, st *site, list []*visitor, strangers int) (refused, let int) {
	t.Helper()
	c.expect(len(list) + strangers)
	answers := make([]*raw, len(list)+strangers)
	var all sync.WaitGroup
	for i := range answers {
		lines := []string{speaking, "Together: yes"}
		if i < len(list) {
			v := list[i]
			lines = append([]string{speaking + fmt.Sprintf(", resume.%s.%d", v.hi.Session, v.got), "Together: yes"}, v.lines...)
		}
		all.Go(func() { answers[i] = st.request(t, greeting(lines...)) })
	}
	all.Wait()
	for i, a := range answers {
		switch ok := a.answer.StatusCode == http.StatusSwitchingProtocols; {
		case i >= len(list) && ok:
			let++
		case !ok && i < len(list):
			refused++
		case ok:
			v, f := list[i], frame{}
			v.raw = a
			f, _ = v.next()
			v.hi.Resumed, v.hi.Why = nil, ""
			if err := json.Unmarshal(f.payload, &v.hi); err != nil {
				t.Fatal(err)
			}
		}
	}
	return refused, let
}

// counted fails the test unless the server counts n sockets when upgrades are over.
func (c *crush) counted(t *testing.T, n int) {
	t.Helper()
	eventually(t, "the end of the upgrades", func() bool {
		c.srv.mu.Lock()
		defer c.srv.mu.Unlock()
		at := 0
		for _, here := range c.srv.byIP {
			at += here
		}
		return c.srv.admitted == n && len(c.srv.byID) == n && (c.srv.opts.MaxConnectionsPerIP == 0 || at == n)
	})
}

// Where no further socket may be, hundreds of sessions go on at once: none is refused because
// of the sockets that they replace, and nobody else gets in meanwhile.
func TestHundredsResumeAtTheLimit(t *testing.T) {
	const n = 300
	for name, x := range map[string]struct {
		opts Options
		user []string
	}{
		"MaxConnections":        {Options{MaxConnections: n}, nil},
		"MaxConnectionsPerIP":   {Options{MaxConnectionsPerIP: n}, nil},
		"MaxAnonymous":          {Options{MaxAnonymous: n}, nil},
		"MaxConnectionsPerUser": {Options{MaxConnectionsPerUser: n}, []string{"User: ann"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCrush(x.opts)
			st := overTCP.serveHTTP(t, c.srv, c.ServeHTTP)
			var list []*visitor
			for range n {
				list = append(list, st.visitor(t, x.user...))
			}
			for round := range 3 {
				strangers := 20
				if round%2 == 1 {
					for _, v := range list {
						v.cut(t)
					}
					strangers = 0 // who may take the places of those that wait
				}
				if x.user != nil {
					strangers = 0 // they have no user
				}
				refused, let := c.together(t, st, list, strangers)
				if refused > 0 || let > 0 {
					t.Fatalf("in round %d %d of %d sessions are refused, and %d strangers let in", round, refused, n, let)
				}
				for i, v := range list {
					if v.hi.Why != "" {
						t.Fatalf("in round %d session %d is not resumed: %s", round, i, v.hi.Why)
					}
				}
				c.counted(t, n)
			}
		})
	}
}

// If strangers come while sessions that wait go on, there are never more than may be.
func TestStrangersAndSessionsKeepTheLimit(t *testing.T) {
	const n = 200
	c := newCrush(Options{MaxConnections: n})
	st := overTCP.serveHTTP(t, c.srv, c.ServeHTTP)
	var list []*visitor
	for range n {
		v := st.visitor(t)
		v.cut(t)
		list = append(list, v)
	}
	refused, let := c.together(t, st, list, n/2)
	t.Logf("%d sessions are refused, %d strangers let in", refused, let)
	if refused > let {
		t.Errorf("%d sessions are refused though %d strangers alone are let in", refused, let)
	}
	c.counted(t, n)
}
