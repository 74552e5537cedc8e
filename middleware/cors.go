package middleware

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nextrush/nextrush"
)

// CORSOptions configures CORS. The zero value lets every origin read, without
// credentials.
type CORSOptions struct {
	// AllowOrigins lists "https://a.example", "https://*.a.example", "*" for all, or
	// "null", which any site can be in a sandboxed frame. Empty: "*".
	AllowOrigins  []string
	AllowMethods  []string      // empty: GET, HEAD, POST, PUT, PATCH, DELETE
	AllowHeaders  []string      // empty: those that the browser asks for
	ExposeHeaders []string      // response headers that scripts may read
	Credentials   bool          // cookies; not together with "*" and "null"
	MaxAge        time.Duration // that a preflight is kept; 0: the browser's own
}

// cors is CORSOptions, parsed.
type cors struct {
	any         bool
	exact       []string
	wild        []wildOrigin
	methods     string
	headers     string
	expose      string
	credentials bool
	maxAge      string
}

// wildOrigin matches one or more labels between its two halves.
type wildOrigin struct{ prefix, suffix string }

// CORS answers preflights and marks answers that scripts of other origins may
// read (Fetch, CORS protocol). It belongs to the App: a preflight has no route, so
// that middleware of groups and routes does not see it. It panics on a mistake in
// the options, such as "*" with credentials.
func CORS(opts ...CORSOptions) nextrush.Handler {
	var o CORSOptions
	if len(opts) > 0 {
		o = opts[0]
	}
	p := parseCORS(o)
	return func(c *nextrush.Context) error {
		c.Vary("Origin")
		origin := c.Header("Origin")
		preflight := c.Method() == http.MethodOptions && origin != "" && c.Header("Access-Control-Request-Method") != ""
		if p.allows(origin) {
			p.mark(c, origin, preflight)
		}
		if preflight {
			c.Vary("Access-Control-Request-Method", "Access-Control-Request-Headers")
			return c.NoContent()
		}
		return c.Next()
	}
}

func parseCORS(o CORSOptions) *cors {
	p := &cors{credentials: o.Credentials, expose: strings.Join(o.ExposeHeaders, ", "), headers: strings.Join(o.AllowHeaders, ", ")}
	methods := o.AllowMethods
	if len(methods) == 0 {
		methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
	}
	p.methods = strings.Join(methods, ", ")
	if o.MaxAge > 0 {
		p.maxAge = strconv.Itoa(int(o.MaxAge.Seconds()))
	}
	if len(o.AllowOrigins) == 0 {
		o.AllowOrigins = []string{"*"}
	}
	for _, origin := range o.AllowOrigins {
		p.add(origin)
	}
	if p.credentials && (p.any || slices.Contains(p.exact, "null")) {
		panic(`middleware: CORS: "*" or "null" with Credentials would let every site act for your users; list the origins`)
	}
	return p
}

func (p *cors) add(origin string) {
	switch origin {
	case "*":
		p.any = true
		return
	case "null":
		p.exact = append(p.exact, origin)
		return
	}
	u, err := url.Parse(strings.Replace(origin, "://*.", "://wildcard.", 1))
	if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || strings.Contains(u.Host, "*") {
		panic(fmt.Sprintf("middleware: CORS: %q is no origin; write scheme and host, as in %q or %q", origin, "https://a.example", "https://*.a.example"))
	}
	origin = strings.ToLower(origin)
	if prefix, suffix, ok := strings.Cut(origin, "*"); ok {
		p.wild = append(p.wild, wildOrigin{prefix, suffix})
		return
	}
	p.exact = append(p.exact, origin)
}

func (p *cors) allows(origin string) bool {
	switch {
	case origin == "":
		return false
	case p.any:
		return true
	case slices.Contains(p.exact, strings.ToLower(origin)):
		return true
	}
	return slices.ContainsFunc(p.wild, func(w wildOrigin) bool { return w.matches(strings.ToLower(origin)) })
}

func (w wildOrigin) matches(origin string) bool {
	middle, ok := strings.CutPrefix(origin, w.prefix)
	if !ok {
		return false
	}
	middle, ok = strings.CutSuffix(middle, w.suffix)
	return ok && middle != "" && !strings.ContainsAny(middle, "/:@?#\\")
}

func (p *cors) mark(c *nextrush.Context, origin string, preflight bool) {
	if p.any {
		origin = "*"
	}
	c.SetHeader("Access-Control-Allow-Origin", origin)
	if p.credentials {
		c.SetHeader("Access-Control-Allow-Credentials", "true")
	}
	if !preflight {
		if p.expose != "" {
			c.SetHeader("Access-Control-Expose-Headers", p.expose)
		}
		return
	}
	c.SetHeader("Access-Control-Allow-Methods", p.methods)
	headers := p.headers
	if headers == "" {
		headers = c.Header("Access-Control-Request-Headers")
	}
	if headers != "" {
		c.SetHeader("Access-Control-Allow-Headers", headers)
	}
	if p.maxAge != "" {
		c.SetHeader("Access-Control-Max-Age", p.maxAge)
	}
}
