package main

import (
	"context"
	_ "embed"
	"html/template"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

const (
	scriptPath = "/.nextrush/dev.js"
	socketPath = "/.nextrush/dev"
	patience   = 30 * time.Second // of requests, while the program is built
)

//go:embed page/dev.js
var script string

//go:embed page/dev.html.tmpl
var problemText string

var problemPage = template.Must(template.New("").Parse(problemText))

// front answers browsers itself, or passes what they ask on to the program. Its
// methods are safe from any goroutine.
type front struct {
	sockets   *websocket.Server // of pages, which reload when they hear of another version
	transport *http.Transport

	mu      sync.Mutex // guards the fields below
	now     state
	settled chan struct{} // closed unless requests are to wait for another state
}

// state is how requests are answered. It does not change.
type state struct {
	version string
	program http.Handler // nil: it does not run
	Title   string       // why it does not
	Text    string
}

// Script is the source of the script that pages load.
func (s state) Script() string { return scriptPath + "?" + s.version }

func newFront() *front {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy, transport.DisableCompression = nil, true
	return &front{
		sockets:   websocket.NewServer(websocket.Options{}),
		transport: transport,
		now:       state{version: newVersion(), Title: "The program is being built, or starts"},
		settled:   make(chan struct{}),
	}
}

func newVersion() string { return strconv.FormatInt(time.Now().UnixNano(), 36) }

// wait has requests wait for the next call of pass or fail.
func (f *front) wait() {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.settled:
		f.settled = make(chan struct{})
	default:
	}
}

// pass has requests passed on to the program at an address.
func (f *front) pass(addr string) {
	f.transport.CloseIdleConnections() // those of the program before
	version := newVersion()
	f.set(state{version: version, program: f.proxy(addr, version)})
}

// fail has requests answered with the reason why the program does not run.
func (f *front) fail(title, text string) {
	f.set(state{version: newVersion(), Title: title, Text: text})
}

func (f *front) set(s state) {
	f.mu.Lock()
	f.now = s
	select {
	case <-f.settled:
	default:
		close(f.settled)
	}
	f.mu.Unlock()
	f.sockets.All().Send(s.version)
}

// state waits for one that stays, but not for ever.
func (f *front) state(ctx context.Context) state {
	f.mu.Lock()
	settled := f.settled
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	waited := false
	select {
	case <-settled:
	case <-ctx.Done():
		waited = true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if waited {
		return state{version: f.now.version, Title: "The program is being built, or starts"}
	}
	return f.now
}

func (f *front) close() {
	f.sockets.Close()
	f.transport.CloseIdleConnections()
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case scriptPath:
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		w.Write([]byte(script))
	case socketPath:
		f.sockets.Upgrade(w, r, func(s *websocket.Socket) error {
			f.mu.Lock()
			version := f.now.version
			f.mu.Unlock()
			return s.Send(version)
		})
	default:
		s := f.state(r.Context())
		if s.program == nil {
			s.explain(w, r, http.StatusServiceUnavailable)
			return
		}
		s.program.ServeHTTP(w, r)
	}
}

// explain answers a browser with a page that reloads itself when there is something else to
// see, and others with text.
func (s state) explain(w http.ResponseWriter, r *http.Request, status int) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Retry-After", "1")
	h.Set("X-Content-Type-Options", "nosniff")
	if !navigates(r) {
		http.Error(w, strings.TrimSpace(s.Title+"\n\n"+s.Text), status)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	problemPage.Execute(w, s)
}

// navigates reports a request for a page, not for a part that a script puts into one.
func navigates(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "":
		return strings.Contains(r.Header.Get("Accept"), "text/html")
	case "document", "iframe", "frame":
		return true
	}
	return false
}

// proxy passes requests on as they are: the program sees the host that the browser sees, so
// that origins are the same. The pages among the answers load the script.
func (f *front) proxy(addr, version string) http.Handler {
	return &httputil.ReverseProxy{
		Transport: f.transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", addr, r.In.Host
			r.Out.URL.RawQuery = r.In.URL.RawQuery
			for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
				if values, ok := r.In.Header[name]; ok {
					r.Out.Header[name] = values
				}
			}
			if navigates(r.In) {
				for _, name := range []string{"Accept-Encoding", "If-None-Match", "If-Modified-Since"} {
					r.Out.Header.Del(name)
				}
			}
		},
		ModifyResponse: func(res *http.Response) error {
			adapt(res, state{version: version}.Script())
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			state{version: version, Title: "The program did not answer", Text: err.Error()}.explain(w, r, http.StatusBadGateway)
		},
	}
}
