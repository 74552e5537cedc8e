package middleware

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
	"github.com/nextrush/nextrush/internal/origin"
)

// CORSOptions configures CORS. The zero value lets every origin read, without
// credentials.
type CORSOptions struct {
	// AllowOrigins lists "https://a.example", "https://*.a.example", "*" for all, or
	// "null", which any site can be in a sandboxed frame. Empty: "*", or, with
	// Credentials, those that the App trusts alone.
	AllowOrigins  []string
	AllowMethods  []string // empty: GET, HEAD, POST, PUT, PATCH, DELETE; "*" for all, as in the next two
	AllowHeaders  []string // empty: those that the browser asks for
	ExposeHeaders []string // response headers that scripts may read
	// Credentials allows cookies, and adds the origins that the App trusts (see
	// [nextrush.App.TrustsOrigin]) to AllowOrigins. Not together with any "*", or "null".
	Credentials bool
	MaxAge      time.Duration // that a preflight is kept; 0: the browser's own
}

// cors is CORSOptions, parsed.
type cors struct {
	any, null   bool
	origins     origin.List
	methods     string
	headers     string
	expose      string
	credentials bool
	maxAge      string
	listed      bool        // the options name who is allowed
	told        atomic.Bool // that an origin is not
}

// CORS answers preflights and marks answers that scripts of other origins may
// read (Fetch, CORS protocol). It belongs to an App or a Group, before what refuses
// requests without credentials, for preflights have none. The handlers of a route itself
// see no preflight: write app.With(cors).Put(path, h). It panics on a mistake in the
// options, such as "*" with credentials.
func CORS(opts ...CORSOptions) nextrush.Handler {
	p := parseCORS(opt.First(opts))
	return func(c *nextrush.Context) error {
		c.Vary("Origin")
		from := c.Header("Origin")
		preflight := c.Method() == http.MethodOptions && from != "" && c.Header("Access-Control-Request-Method") != ""
		if p.allows(c, from) {
			p.mark(c, from, preflight)
		} else if !p.listed {
			p.tell(c, from)
		}
		if preflight {
			c.Vary("Access-Control-Request-Method", "Access-Control-Request-Headers")
			return c.NoContent()
		}
		return c.Next()
	}
}

func parseCORS(o CORSOptions) *cors {
	p := &cors{credentials: o.Credentials, listed: !o.Credentials || len(o.AllowOrigins) > 0, expose: strings.Join(o.ExposeHeaders, ", "), headers: strings.Join(o.AllowHeaders, ", ")}
	mustListCORS(o)
	if slices.Contains(o.AllowHeaders, "*") {
		p.headers = "" // those that are asked for: "*" is not for Authorization (Fetch, CORS non-wildcard request-header name)
	}
	methods := o.AllowMethods
	for _, method := range methods {
		if upper := strings.ToUpper(method); method != upper {
			panic(fmt.Sprintf("middleware: CORS: AllowMethods: %q: write %q, for methods are case-sensitive", method, upper))
		}
	}
	if len(methods) == 0 {
		methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
	}
	p.methods = strings.Join(methods, ", ")
	if o.MaxAge > 0 {
		p.maxAge = strconv.Itoa(int(o.MaxAge.Seconds()))
	}
	if len(o.AllowOrigins) == 0 && !o.Credentials {
		o.AllowOrigins = []string{"*"}
	}
	var listed []string
	for _, text := range o.AllowOrigins {
		switch text {
		case "*":
			p.any = true
		case "null":
			p.null = true
		default:
			listed = append(listed, text)
		}
	}
	if p.credentials && (p.any || p.null) {
		panic(`middleware: CORS: "*" or "null" with Credentials would let every site act for your users; list the origins`)
	}
	var err error
	if p.origins, err = origin.ParseList(listed); err != nil {
		panic("middleware: CORS: " + err.Error())
	}
	return p
}

// mustListCORS refuses a "*" that browsers take for a name: with credentials it
// means that (Fetch, CORS-preflight fetch).
func mustListCORS(o CORSOptions) {
	for name, list := range map[string][]string{
		"AllowMethods": o.AllowMethods, "AllowHeaders": o.AllowHeaders, "ExposeHeaders": o.ExposeHeaders,
	} {
		if o.Credentials && slices.Contains(list, "*") {
			panic(fmt.Sprintf(`middleware: CORS: with Credentials browsers take the "*" in %s for a name: list the names, or leave AllowHeaders empty for those that the browser asks for`, name))
		}
	}
}

func (p *cors) allows(c *nextrush.Context, from string) bool {
	return from != "" && (p.any || p.null && from == "null" || p.origins.Has(from) ||
		p.credentials && c.App().TrustsOrigin(c.Request(), from))
}

// tell logs the first origin, other than the server's own, that CORS without a list
// refuses: nobody may have been listed anywhere.
func (p *cors) tell(c *nextrush.Context, from string) {
	o, ok := origin.Parse(from)
	own := o.Scheme + "://" + c.Host() // behind a proxy that ends TLS our scheme may be another
	if !ok || origin.Same(from, own) || p.told.Swap(true) {
		return
	}
	c.Log().Warn("CORS refuses an origin, as it does all that are not listed: if its pages may act for your users, "+
		"add it to the App's TrustedOrigins or to AllowOrigins", "origin", from)
}

func (p *cors) mark(c *nextrush.Context, from string, preflight bool) {
	if p.any {
		from = "*"
	}
	c.SetHeader("Access-Control-Allow-Origin", from)
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
		headers = strings.Join(c.Request().Header["Access-Control-Request-Headers"], ", ") // RFC 9110 §5.3
	}
	if headers != "" {
		c.SetHeader("Access-Control-Allow-Headers", headers)
	}
	if p.maxAge != "" {
		c.SetHeader("Access-Control-Max-Age", p.maxAge)
	}
}
