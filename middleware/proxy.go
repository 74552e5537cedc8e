package middleware

import (
	"context"
	"errors"
	"fmt"
	"log"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
	"github.com/nextrush/nextrush/internal/urlpath"
)

// ReverseProxyOptions configures ReverseProxy.
type ReverseProxyOptions struct {
	StripPrefix string // "/api": taken off the path; without it 404
	KeepHost    bool   // send the Host that the client asked for instead of the target's

	Rewrite        func(*httputil.ProxyRequest) // the last to change the request; nil: nobody
	ModifyResponse func(*http.Response) error   // the first to change the answer; nil: nobody

	Timeout   time.Duration     // for the target to begin its answer, then 504; 0: a minute; negative: none
	Transport http.RoundTripper // instead of one with that Timeout
}

// ReverseProxy answers with what the target answers, an http or https URL whose
// path goes before that of the request. The target is told of the client, as
// Context.IP, Host and Scheme know it, in X-Forwarded-For, -Host and -Proto; what
// the client itself wrote there, or in X-Real-IP, it does not see. Its headers
// replace those that middleware has set, except Set-Cookie and Vary, which add up.
// A target that fails is 502.
//
// Streams pass; those of server-sent events end when the app does. So do WebSockets
// (RFC 6455 §4.2.1), which the app's Shutdown closes with 1001. An upgrade to any other protocol does not: it would be a way past the
// guards of other routes. The target sees a plain request, and a 101 that answers
// one is 502.
//
// A path with a ".." or "." in it, however it is written, is 400, for it could leave
// that of the target, or get past the guard of a route. Slashes in a row pass: where
// the target takes them for one, guard its paths there. Request bodies are subject
// to Options.BodyLimit. It panics on a mistake in the options.
func ReverseProxy(target string, opts ...ReverseProxyOptions) nextrush.Handler {
	o := opt.First(opts)
	p := newProxy(target, o)
	return func(c *nextrush.Context) error {
		path, err := p.path(c.Request().URL)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(c.Context())
		defer cancel()
		stop := func() bool { return false } // looking for the app's end
		var failed error
		socket := opensWebSocket(c.Request())
		ours := maps.Clone(c.Writer().Header())
		proxy := httputil.ReverseProxy{
			Transport: p.o.Transport,
			ErrorLog:  log.New(proxyLog{c}, "", 0),
			Rewrite:   func(r *httputil.ProxyRequest) { p.rewrite(c, r, path, socket) },
			ModifyResponse: func(r *http.Response) error {
				maps.Copy(c.Writer().Header(), ours)
				if r.StatusCode == http.StatusSwitchingProtocols {
					return p.tunnel(c, r, socket)
				}
				if isEventStream(r) {
					stop = context.AfterFunc(c.App().Context(), cancel)
				}
				return p.modify(c, r)
			},
			ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) {
				failed = err
				maps.Copy(c.Writer().Header(), ours)
			},
		}
		defer func() { stop() }()
		proxy.ServeHTTP(interim{c.Writer()}, withoutUpgrade(c.Request().WithContext(ctx)))
		return gatewayError(failed)
	}
}

// proxyLog takes what httputil logs: that a target has broken off its answer.
type proxyLog struct{ c *nextrush.Context }

func (l proxyLog) Write(line []byte) (int, error) {
	l.c.Log().Error("request failed", "error", strings.TrimSuffix(string(line), "\n"))
	return len(line), nil
}

// interim is the writer for a target's 1xx answers, which are to come without the
// fields of its connection. httputil puts the others among those that middleware
// has set, and then clears all of them.
type interim struct{ http.ResponseWriter }

func (w interim) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w interim) WriteHeader(code int) {
	if code < http.StatusOK {
		dropHops(w.Header())
	}
	w.ResponseWriter.WriteHeader(code)
}

// proxy is the target and the options with defaults.
type proxy struct {
	target *url.URL
	o      ReverseProxyOptions
}

func newProxy(target string, o ReverseProxyOptions) *proxy {
	u, err := url.Parse(target)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" {
		panic(fmt.Sprintf("middleware: ReverseProxy: %q is no target; write scheme, host and path, as in %q", target, "http://localhost:8080/base"))
	}
	if p := o.StripPrefix; p != "" && (p[0] != '/' || strings.HasSuffix(p, "/") || (&url.URL{Path: p}).EscapedPath() != p) {
		panic(fmt.Sprintf("middleware: ReverseProxy: StripPrefix %q: write it with a slash before and none behind, as in %q", p, "/api"))
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.Transport == nil {
		o.Transport = &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: max(0, o.Timeout),
			IdleConnTimeout:       90 * time.Second,
			MaxIdleConnsPerHost:   100,
			ForceAttemptHTTP2:     true,
			DisableCompression:    true, // what the target encodes passes as it is
		}
	}
	return &proxy{u, o}
}

// path is what of the request's path goes to the target.
func (p *proxy) path(u *url.URL) (*url.URL, error) {
	if urlpath.HasDots(u.Path) {
		return nil, nextrush.NewError(http.StatusBadRequest, `the path has a ".." or "." in it`)
	}
	path, ok := strings.CutPrefix(u.Path, p.o.StripPrefix)
	raw, okRaw := strings.CutPrefix(u.EscapedPath(), p.o.StripPrefix)
	if !ok || !okRaw || raw != "" && raw[0] != '/' {
		return nil, nextrush.NewError(http.StatusNotFound)
	}
	return &url.URL{Path: path, RawPath: raw}, nil
}

func (p *proxy) rewrite(c *nextrush.Context, r *httputil.ProxyRequest, path *url.URL, socket bool) {
	r.In = c.Request()
	r.Out.URL.Path, r.Out.URL.RawPath = path.Path, path.RawPath
	r.Out.URL.RawQuery = r.In.URL.RawQuery // as it is (RFC 9110 §7.7), where httputil drops what net/url cannot read
	r.SetURL(p.target)
	if p.o.KeepHost {
		r.Out.Host = c.Host()
	}
	for name := range r.Out.Header {
		if claimsClient(name) || switches(name) {
			delete(r.Out.Header, name)
		}
	}
	if socket {
		r.Out.Header.Set("Connection", "Upgrade")
		r.Out.Header.Set("Upgrade", "websocket")
	}
	r.SetXForwarded()
	if ip, peer := c.IP(), r.Out.Header.Get("X-Forwarded-For"); ip != peer {
		r.Out.Header.Set("X-Forwarded-For", ip+", "+peer)
	}
	r.Out.Header.Set("X-Forwarded-Host", c.Host())
	r.Out.Header.Set("X-Forwarded-Proto", c.Scheme())
	if p.o.Rewrite != nil {
		p.o.Rewrite(r)
	}
}

// claimsClient reports headers in which only a proxy may write. Servers that
// hand headers on as variables, as CGI does, take an underscore for a dash.
func claimsClient(name string) bool {
	name = dashed(name)
	return strings.HasPrefix(name, "x-forwarded-") || name == "forwarded" || name == "x-real-ip"
}

// switches reports headers that ask for another protocol on the connection.
func switches(name string) bool {
	name = dashed(name)
	return name == "upgrade" || name == "http2-settings"
}

func dashed(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", "-") }

func (p *proxy) modify(c *nextrush.Context, r *http.Response) error {
	if p.o.ModifyResponse != nil {
		if err := p.o.ModifyResponse(r); err != nil {
			return err
		}
	}
	ours := c.Writer().Header()
	for name := range r.Header {
		if name != "Set-Cookie" && name != "Vary" {
			delete(ours, name)
		}
	}
	return nil
}

// isEventStream reports answers that have no end, and go on elsewhere when their
// client comes again (WHATWG HTML §9.2.3).
func isEventStream(r *http.Response) bool {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return mediaType == "text/event-stream"
}

// gatewayError tells whose fault it is: the client's, the target's slowness, or
// the target's.
func gatewayError(err error) error {
	var he *nextrush.HTTPError
	var large *http.MaxBytesError
	var slow net.Error
	switch {
	case err == errTunnelled:
		return nil
	case err == nil, errors.As(err, &he), errors.As(err, &large):
		return err
	case errors.Is(err, context.Canceled):
		return nextrush.NewError(statusClientClosed, "the client has gone").WithCause(err)
	case errors.As(err, &slow) && slow.Timeout():
		return nextrush.NewError(http.StatusGatewayTimeout).WithCause(err)
	}
	return nextrush.NewError(http.StatusBadGateway).WithCause(err)
}
