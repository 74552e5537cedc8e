package middleware

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nextrush/nextrush/internal/urlpath"
)

// RewriteRule gives requests for one path another. From is a path as in routes,
// "/old/:id" or "/v1/*rest", and To may use its parameters: "/new/:id".
type RewriteRule struct{ From, To string }

// Rewrite changes the path of requests before a route is looked for:
// app.Pre(middleware.Rewrite(rules...)). The first rule that matches applies,
// once; the client learns nothing of it, and Request.RequestURI keeps what it
// asked for. Rules see the path as the router does: decoded, except for an encoded slash,
// which is a part of its segment and stays encoded. So a rule is no guard: the route
// that is found for "/private%2Fx" has to be one. It panics on a mistake in a rule.
func Rewrite(rules ...RewriteRule) func(http.Handler) http.Handler {
	rewrites := make([]rewrite, len(rules))
	for i, rule := range rules {
		rewrites[i] = rule.parse()
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for i := range rewrites {
				if path, ok := rewrites[i].apply(urlpath.Of(r.URL)); ok {
					r = withPath(r, path)
					break
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}

func withPath(r *http.Request, path urlpath.Path) *http.Request {
	r = r.WithContext(r.Context())
	u := *r.URL
	path.Set(&u)
	r.URL = &u
	return r
}

type rewrite struct {
	from   *regexp.Regexp // with a group for each parameter
	params []int          // the groups that are no catch-alls
	to     string         // a template for Expand
}

// apply returns a path with exactly one slash at its start, so that nobody takes
// what a parameter brought for a host.
func (r *rewrite) apply(path urlpath.Path) (urlpath.Path, bool) {
	match := r.from.FindStringSubmatchIndex(path.Text)
	if match == nil {
		return path, false
	}
	for _, group := range r.params {
		value := urlpath.Path{Text: path.Text[match[2*group]:match[2*group+1]], Held: path.Held}
		if urlpath.HasDots(value.Decoded()) {
			return path, false
		}
	}
	to := r.from.ExpandString(nil, r.to, path.Text, match)
	path.Text = "/" + path.TrimSlashes(string(to))
	return path, true
}

var rewriteParam = regexp.MustCompile(`[:*][^/:*]*`)

func (rule RewriteRule) parse() rewrite {
	if !strings.HasPrefix(rule.From, "/") || !strings.HasPrefix(rule.To, "/") {
		panic(fmt.Sprintf("middleware: Rewrite: %q to %q: a path begins with a slash", rule.From, rule.To))
	}
	var names []string
	var params []int
	from := `(?s)\A` + replaceParams(rule.From, regexp.QuoteMeta, func(param string) string {
		if len(param) == 1 || slices.Contains(names, param[1:]) {
			panic(fmt.Sprintf("middleware: Rewrite: %q: each parameter needs a name of its own", rule.From))
		}
		names = append(names, param[1:])
		if param[0] == '*' {
			return "(.*)"
		}
		params = append(params, len(names))
		return "([^/]+)"
	}) + `\z`
	dollars := func(static string) string { return strings.ReplaceAll(static, "$", "$$") }
	to := replaceParams(rule.To, dollars, func(param string) string {
		i := slices.Index(names, param[1:])
		if i < 0 {
			panic(fmt.Sprintf("middleware: Rewrite: %q has no parameter %q for %q", rule.From, param, rule.To))
		}
		return "${" + strconv.Itoa(i+1) + "}"
	})
	return rewrite{regexp.MustCompile(from), params, to}
}

// replaceParams replaces the parameters of a path and the text between them.
func replaceParams(path string, static, param func(string) string) string {
	var b strings.Builder
	end := 0
	for _, at := range rewriteParam.FindAllStringIndex(path, -1) {
		b.WriteString(static(path[end:at[0]]) + param(path[at[0]:at[1]]))
		end = at[1]
	}
	return b.String() + static(path[end:])
}
