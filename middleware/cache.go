package middleware

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
)

// CacheOptions configures Cache. The zero value keeps answers in 64 MiB of memory.
type CacheOptions struct {
	Store Store // nil: NewMemoryStore(64 << 20)
	Limit int   // bytes of a body; larger ones are not kept; 0: 1 MiB
}

// Cache keeps answers to GET for as long as they say in Cache-Control or Expires, and
// answers GET and HEAD with them, as a shared cache does (RFC 9111). An answer is kept
// only if it has a lifetime (c.CacheFor, CacheControl), and neither no-store, no-cache,
// private nor Set-Cookie, and if the request has no Authorization. Its header is kept as
// far as the handlers after Cache have set it. What it depends on besides scheme, host,
// path and query, it must say in Vary, as sessions do. Pages whose policy has a nonce, as
// that of CSPNonce, are not kept. Authentication and limits belong before Cache.
//
// While one request fetches an answer, others for the same wait, or get the old one
// within its stale-while-revalidate (RFC 5861). What clients say in Cache-Control does not
// count, for they could use it to load the server. Requests with other methods than GET,
// HEAD and OPTIONS that succeed remove the answer for their URL. While the store fails,
// handlers answer.
//
// Answers say in Cache-Status (RFC 9211) where they come from. Before Compress and ETag it
// keeps what they have made. It panics on a mistake in the options.
func Cache(opts ...CacheOptions) nextrush.Handler {
	p := newCache(opt.First(opts))
	return func(c *nextrush.Context) error {
		switch r := c.Request(); r.Method {
		case http.MethodOptions:
			return c.Next()
		case http.MethodGet, http.MethodHead:
			if r.Header["Authorization"] != nil || r.Header["Upgrade"] != nil {
				return c.Next()
			}
			return p.answer(c, urlKey(c))
		}
		err := c.Next()
		if status := c.StatusCode(); err == nil && status < 400 {
			p.set(c, urlKey(c), nil, time.Second)
		}
		return err
	}
}

// cache is CacheOptions with defaults, and what goes on.
type cache struct {
	store  Store
	limit  int
	routes sync.Map // route → whether one of its answers was kept

	mu      sync.Mutex // guards fetches
	fetches map[string]*fetch
}

// fetch is a request for whose answer others wait.
type fetch struct {
	over chan struct{} // closed when they need not wait any more
	gone bool          // its client has gone: one of them is to take its place
	once sync.Once
}

func (f *fetch) end(gone bool) { f.once.Do(func() { f.gone = gone; close(f.over) }) }

func (f *fetch) hopeless() { f.end(false) }

func newCache(o CacheOptions) *cache {
	if o.Limit < 0 {
		panic("middleware: Cache: Limit: leave out Cache instead of a negative one")
	}
	if o.Store == nil {
		o.Store = NewMemoryStore(64 << 20)
	}
	return &cache{store: o.Store, limit: cmp.Or(o.Limit, 1<<20), fetches: make(map[string]*fetch)}
}

func (p *cache) answer(c *nextrush.Context, url string) error {
	for waited := false; ; {
		kept, variants, key := p.find(c, url)
		if kept.fresh(time.Now()) {
			return kept.serve(c, "hit")
		}
		if c.Method() != http.MethodGet || c.Header("Range") != "" {
			return c.Next() // its answer would not be the whole
		}
		if keeps, known := p.routes.Load(c.Route()); waited || known && !keeps.(bool) {
			return p.fetch(c, url, variants, func() {})
		}
		f, first := p.join(key)
		if first {
			defer p.leave(c, key, f)
			return p.fetch(c, url, variants, f.hopeless)
		}
		if kept.stale(time.Now()) {
			return kept.serve(c, "hit; detail=stale")
		}
		select {
		case <-f.over:
			waited = !f.gone
		case <-c.Context().Done():
			return context.Cause(c.Context())
		}
	}
}

// find returns what is kept for a request, maybe no longer fresh, what answers for its URL
// depend on, and the key.
func (p *cache) find(c *nextrush.Context, url string) (kept *keptAnswer, v variants, key string) {
	kept = p.get(c, url)
	if kept == nil || len(kept.Vary) == 0 {
		return kept, v, url
	}
	v = kept.variants
	key = v.key(url, c.Request().Header)
	return p.get(c, key), v, key
}

func (p *cache) get(c *nextrush.Context, key string) *keptAnswer {
	b, err := p.store.Get(c.Context(), key)
	if err != nil {
		c.Log().Warn("cache store failed: the handlers answer", "error", err)
	}
	return parseKept(b)
}

func (p *cache) set(c *nextrush.Context, key string, value []byte, ttl time.Duration) {
	if err := p.store.Set(context.WithoutCancel(c.Context()), key, value, ttl); err != nil {
		c.Log().Warn("cache store failed: the answer is not kept", "error", err)
	}
}

// join returns the fetch for a key, and whether it is the caller's.
func (p *cache) join(key string) (f *fetch, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f = p.fetches[key]; f != nil {
		return f, false
	}
	f = &fetch{over: make(chan struct{})}
	p.fetches[key] = f
	return f, true
}

func (p *cache) leave(c *nextrush.Context, key string, f *fetch) {
	p.mu.Lock()
	delete(p.fetches, key)
	p.mu.Unlock()
	f.end(c.Context().Err() != nil)
}

// fetch has the handlers answer, and keeps the answer if it may. It calls hopeless as
// soon as it may not.
func (p *cache) fetch(c *nextrush.Context, url string, v variants, hopeless func()) error {
	asked, before := c.Request(), cloneHeader(c.Writer().Header())
	if keeps, _ := p.routes.Load(c.Route()); keeps == true {
		c.SetRequest(withoutConditions(asked))
	}
	w := &held{ResponseWriter: c.Writer(), limit: p.limit, freed: hopeless}
	w.holds = func(status int) bool {
		size, err := strconv.ParseInt(w.Header().Get("Content-Length"), 10, 64)
		keeps := lifetime(status, w.Header()) > 0 && (err != nil || size <= int64(p.limit))
		if keeps {
			p.routes.Store(c.Route(), true)
		} else {
			p.routes.LoadOrStore(c.Route(), false)
			hopeless()
		}
		return keeps
	}
	c.SetWriter(w)
	defer c.SetWriter(w.ResponseWriter)
	err := c.Next()
	c.SetRequest(asked)
	switch {
	case err != nil && !c.Answered():
		return err // its answer takes the place of what is held back
	case err != nil || w.through || w.status == 0:
		return cmp.Or(err, w.release())
	}
	c.SetWriter(w.ResponseWriter)
	kept := newKept(w, before, v)
	p.keep(c, url, kept)
	return kept.serve(c, "fwd=miss; stored")
}

// keep stores an answer, and, if it depends on headers of the request, its variants under
// the URL. If these have been removed meanwhile, it begins with new ones.
func (p *cache) keep(c *nextrush.Context, url string, kept *keptAnswer) {
	ttl := time.Until(kept.Stale)
	if len(kept.Vary) > 0 {
		now := p.get(c, url)
		if now == nil || now.Series == "" || kept.Series != "" && kept.Series != now.Series {
			now = &keptAnswer{variants: variants{Series: rand.Text()}}
		}
		kept.Series = now.Series
		p.set(c, url, (&keptAnswer{variants: kept.variants}).bytes(), ttl)
		url = kept.key(url, c.Request().Header)
	}
	p.set(c, url, kept.bytes(), ttl)
}
