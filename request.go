package nextrush

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	multipartMemory = 1 << 20  // bytes of a multipart body that are not put into files
	announcedBody   = 64 << 10 // bytes up to which a Content-Length is believed
)

// Param is the value of a path parameter, or empty. That of a catch-all has no
// leading slash.
func (c *Context) Param(name string) string {
	if c.route == nil {
		return ""
	}
	for i, p := range c.route.params {
		if p != name {
			continue
		}
		value := c.params[i].Value
		if c.route.kinds[i] == catchAll {
			return strings.TrimPrefix(value, "/")
		}
		return value
	}
	return ""
}

// Query is the first value of a query parameter, or the default, or empty.
func (c *Context) Query(name string, fallback ...string) string {
	if values, ok := c.queryValues()[name]; ok && len(values) > 0 {
		return values[0]
	}
	if len(fallback) > 0 {
		return fallback[0]
	}
	return ""
}

func (c *Context) queryValues() url.Values {
	if c.req.URL.RawQuery == "" {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.query == nil {
		c.query = c.req.URL.Query()
	}
	return c.query
}

// Header is the first value of a request header, or empty.
func (c *Context) Header(name string) string { return c.req.Header.Get(name) }

// Cookie is the value of a request cookie, or empty.
func (c *Context) Cookie(name string) string {
	cookie, err := c.req.Cookie(name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// Body reads the whole body and keeps it, so that it can be called again. A
// body over Options.BodyLimit is a 413.
func (c *Context) Body() ([]byte, error) {
	if c.body == nil {
		data, err := readBody(c.req)
		c.body = &requestBody{data, bodyError(err)}
	}
	return c.body.data, c.body.err
}

// readBody reads as much as was announced into one buffer, so long as that is
// not much; a client can announce what it likes.
func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength <= 0 || r.ContentLength > announcedBody {
		return io.ReadAll(r.Body)
	}
	data := make([]byte, r.ContentLength)
	n, err := io.ReadFull(r.Body, data)
	return data[:n], err
}

// bodyError gives a failed read of the body its status.
func bodyError(err error) error {
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &large):
		return NewError(http.StatusRequestEntityTooLarge, fmt.Sprintf("body is larger than %d bytes", large.Limit)).WithCause(err)
	}
	return NewError(http.StatusBadRequest, "body could not be read").WithCause(err)
}

// FormFile is the first file of that name in a multipart body. The error is an
// HTTPError: 400 where there is none, 413, 415.
func (c *Context) FormFile(name string) (*multipart.FileHeader, error) {
	if err := c.parseForm(); err != nil {
		return nil, err
	}
	if c.req.MultipartForm == nil || len(c.req.MultipartForm.File[name]) == 0 {
		return nil, NewError(http.StatusBadRequest, fmt.Sprintf("file %q is missing", name))
	}
	return c.req.MultipartForm.File[name][0], nil
}

// FormValue is the first value of a field in the form body, or empty.
func (c *Context) FormValue(name string) string {
	if c.parseForm() != nil {
		return ""
	}
	return c.req.PostForm.Get(name)
}

// parseForm reads a form body of either type once.
func (c *Context) parseForm() error {
	if c.req.PostForm != nil {
		return nil
	}
	var err error
	if c.Is("multipart/form-data") {
		err = c.req.ParseMultipartForm(multipartMemory)
	} else {
		err = c.req.ParseForm()
	}
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &large), errors.Is(err, multipart.ErrMessageTooLarge):
		return NewError(http.StatusRequestEntityTooLarge, "form is too large").WithCause(err)
	}
	return NewError(http.StatusBadRequest, "malformed form").WithCause(err)
}

// Method is the request's method.
func (c *Context) Method() string { return c.req.Method }

// Path is the request's path, decoded; the router, middleware and file servers
// see the same.
func (c *Context) Path() string { return c.req.URL.Path }

// UserAgent is the header of that name.
func (c *Context) UserAgent() string { return c.req.UserAgent() }

// mediaType is the request's Content-Type without parameters, in lower case.
func (c *Context) mediaType() string {
	header := c.req.Header.Get("Content-Type")
	if header == "" {
		return ""
	}
	if header == "application/json" {
		return header
	}
	t, _, err := mime.ParseMediaType(header)
	if err != nil {
		return "invalid"
	}
	return t
}

// Is reports whether the request's body is of a media type; "image/*" and a
// short "json", "form", "text", "html", "xml" are understood.
func (c *Context) Is(mediaType string) bool {
	t := c.mediaType()
	want := longType(mediaType)
	if prefix, ok := strings.CutSuffix(want, "/*"); ok {
		return strings.HasPrefix(t, prefix+"/")
	}
	return t == want || want == "application/json" && strings.HasSuffix(t, "+json")
}

func longType(t string) string {
	switch t {
	case "json":
		return "application/json"
	case "form":
		return "application/x-www-form-urlencoded"
	case "text":
		return "text/plain"
	case "html":
		return "text/html"
	case "xml":
		return "application/xml"
	}
	return strings.ToLower(t)
}

// Accepts picks the offer that the client likes best by its Accept header
// (RFC 9110 §12.5.1), the first among equals; empty where it wants none.
func (c *Context) Accepts(offers ...string) string {
	headers := c.req.Header["Accept"]
	if len(headers) == 0 {
		if len(offers) == 0 {
			return ""
		}
		return offers[0]
	}
	best, quality := "", 0.0
	for _, offer := range offers {
		if q := acceptQuality(headers, longType(offer)); q > quality {
			best, quality = offer, q
		}
	}
	return best
}

// acceptQuality is the weight of the most specific range that matches.
func acceptQuality(headers []string, offer string) float64 {
	quality, specific := 0.0, -1
	for _, header := range headers {
		for part := range strings.SplitSeq(header, ",") {
			fields := strings.Split(part, ";")
			rank := rangeRank(strings.ToLower(strings.TrimSpace(fields[0])), offer)
			if rank <= specific {
				continue
			}
			specific, quality = rank, 1
			for _, p := range fields[1:] {
				if v, ok := strings.CutPrefix(strings.TrimSpace(p), "q="); ok {
					quality, _ = strconv.ParseFloat(v, 64)
				}
			}
		}
	}
	return quality
}

func rangeRank(r, offer string) int {
	switch {
	case r == offer:
		return 2
	case strings.HasSuffix(r, "/*") && r != "*/*" && strings.HasPrefix(offer, strings.TrimSuffix(r, "*")):
		return 1
	case r == "*/*":
		return 0
	}
	return -1
}

func parseProxies(list []string) (out []netip.Prefix) {
	for _, text := range list {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			addr, err := netip.ParseAddr(text)
			if err != nil {
				panic(fmt.Sprintf("nextrush: TrustedProxies: %q is no address or range; write %q or %q", text, "10.0.0.1", "10.0.0.0/8"))
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		out = append(out, prefix.Masked())
	}
	return out
}

func (a *App) trusts(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(a.proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// peer is the address at the other end of the connection.
func peer(r *http.Request) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	addr, err := netip.ParseAddr(host)
	return addr, err == nil
}

// IP is the client's address. Behind trusted proxies it is the last address in
// the X-Forwarded-For headers that is not one of them.
func (c *Context) IP() string { return c.app.clientIP(c.req) }

func (a *App) clientIP(r *http.Request) string {
	addr, ok := peer(r)
	if !ok {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		return host
	}
	if len(a.proxies) == 0 || !a.trusts(addr) {
		return addr.String()
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		next, ok := parseHop(strings.TrimSpace(hop))
		if !ok {
			break
		}
		addr = next
		if !a.trusts(addr) {
			break
		}
	}
	return addr.String()
}

// parseHop reads an entry of X-Forwarded-For, which may have a port.
func parseHop(hop string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(strings.Trim(hop, "[]")); err == nil {
		return addr.Unmap(), true
	}
	if port, err := netip.ParseAddrPort(hop); err == nil {
		return port.Addr().Unmap(), true
	}
	return netip.Addr{}, false
}

// forwarded is an X-Forwarded header from a trusted peer, or empty.
func (a *App) forwarded(r *http.Request, name string) string {
	if len(a.proxies) == 0 {
		return ""
	}
	if addr, ok := peer(r); !ok || !a.trusts(addr) {
		return ""
	}
	values := r.Header.Values(name)
	if len(values) == 0 {
		return ""
	}
	list := strings.Split(values[len(values)-1], ",")
	return strings.TrimSpace(list[len(list)-1])
}

// Scheme is "https" or "http"; a trusted proxy's X-Forwarded-Proto counts.
func (c *Context) Scheme() string { return c.app.scheme(c.req) }

func (a *App) scheme(r *http.Request) string {
	if p := strings.ToLower(a.forwarded(r, "X-Forwarded-Proto")); p == "http" || p == "https" {
		return p
	}
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// Secure reports whether the client's connection is encrypted; see Scheme.
func (c *Context) Secure() bool { return c.Scheme() == "https" }

// Host is the host that the client asked for, with its port if it named one; a
// trusted proxy's X-Forwarded-Host counts.
func (c *Context) Host() string { return c.app.host(c.req) }

func (a *App) host(r *http.Request) string {
	if h := a.forwarded(r, "X-Forwarded-Host"); h != "" && !strings.ContainsAny(h, "/\\@ \t?#") {
		return h
	}
	return r.Host
}
