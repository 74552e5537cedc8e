package middleware_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

// paths answers with the path and query that the route sees.
func paths(rules ...middleware.RewriteRule) *nextrush.App {
	app := nextrush.New()
	app.Pre(middleware.Rewrite(rules...))
	app.Get("/*rest", func(c *nextrush.Context) error {
		return c.Text(c.Request().URL.EscapedPath() + "?" + c.Request().URL.RawQuery)
	})
	return app
}

func TestRewrite(t *testing.T) {
	for name, test := range map[string]struct {
		from, to, target, want string
	}{
		"static":                     {"/old", "/new", "/old?a=1", "/new?a=1"},
		"not a prefix":               {"/old", "/new", "/older", "/older?"},
		"not below":                  {"/old", "/new", "/x/old", "/x/old?"},
		"dots are dots":              {"/a.b", "/new", "/axb", "/axb?"},
		"a parameter":                {"/users/:id", "/members/:id/home", "/users/7", "/members/7/home?"},
		"a parameter is not empty":   {"/users/:id", "/new", "/users/", "/users/?"},
		"nor two segments":           {"/users/:id", "/new", "/users/7/8", "/users/7/8?"},
		"an encoded slash is data":   {"/users/:id", "/members/:id/home", "/users/7%2F8", "/members/7%2F8/home?"},
		"and no slash of the rule":   {"/users/:id", "/new", "/users%2F7", "/users%2F7?"},
		"it stays so in a rest":      {"/v1/*rest", "/api/*rest", "/v1/a%2fb%00/c", "/api/a%2Fb%00/c?"},
		"dots are no parameter":      {"/users/:id", "/new", "/users/%2e%2e", "/users/%2e%2e?"},
		"nor encoded ones":           {"/users/:id", "/new", "/users/..%2Fx", "/users/..%2Fx?"},
		"after text":                 {"/v:major/x", "/x/:major", "/v2/x", "/x/2?"},
		"with a dash in its name":    {"/u/:user-id", "/m/:user-id", "/u/7", "/m/7?"},
		"two in another order":       {"/:a/:b", "/:b/:a", "/1/2", "/2/1?"},
		"the rest":                   {"/v1/*rest", "/api/*rest", "/v1/a/b", "/api/a/b?"},
		"an empty rest":              {"/v1/*rest", "/api/*rest", "/v1/", "/api/?"},
		"a rest with a line break":   {"/v1/*rest", "/api/*rest", "/v1/a%0Ab", "/api/a%0Ab?"},
		"encoded as what it is":      {"/secret", "/denied", "/%73ecret", "/denied?"},
		"dollars in the target":      {"/a/:x", "/$1/$x/:x", "/a/b", "/$1/$x/b?"},
		"dollars in the path":        {"/a/:x", "/b/:x", "/a/$1", "/b/$1?"},
		"a host in the rest":         {"/go/*rest", "/*rest", "/go//evil.example/", "/evil.example/?"},
		"an encoded host":            {"/go/*rest", "/*rest", "/go/%2Fevil.example", "/evil.example?"},
		"both":                       {"/go/*rest", "/*rest", "/go/%2F/%2f/a%2Fb", "/a%2Fb?"},
		"a host with its backslash":  {"/go/*rest", "/*rest", "/go/%5Cevil.example", "/%5Cevil.example?"},
		"a question mark is a path":  {"/go/*rest", "/*rest", "/go/a%3Fb=1", "/a%3Fb=1?"},
		"dots are left to the route": {"/go/*rest", "/x/*rest", "/go/..", "/x/..?"},
	} {
		r := httptest.NewRequest("GET", test.target, nil)
		w := httptest.NewRecorder()
		paths(middleware.RewriteRule{From: test.from, To: test.to}).ServeHTTP(w, r)
		if w.Body.String() != test.want {
			t.Errorf("%s: %q, want %q", name, w.Body, test.want)
		}
		if r.URL.RequestURI() != test.target {
			t.Errorf("%s: the caller's request has changed to %s", name, r.URL)
		}
	}
}

func TestRewriteAppliesTheFirstRuleOnce(t *testing.T) {
	app := paths(
		middleware.RewriteRule{From: "/a", To: "/b"},
		middleware.RewriteRule{From: "/*x", To: "/rest/*x"},
		middleware.RewriteRule{From: "/b", To: "/c"},
	)
	for target, want := range map[string]string{"/a": "/b?", "/b": "/rest/b?"} {
		if got := ask(app, target).Body.String(); got != want {
			t.Errorf("%s: %s", target, got)
		}
	}
}

func TestRewriteRedirectsToNoOtherHost(t *testing.T) {
	app := nextrush.New()
	app.Pre(middleware.Rewrite(middleware.RewriteRule{From: "/go/*rest", To: "/*rest"}))
	app.Get("/evil.example/", func(c *nextrush.Context) error { return c.NoContent() })
	for _, target := range []string{"/go//evil.example", "/go///evil.example", "/go/%2Fevil.example", "/go//evil.example/%2F.."} {
		to := ask(app, target).Header().Get("Location")
		if strings.HasPrefix(to, "//") || to != "" && to[0] != '/' {
			t.Errorf("%s: Location %q", target, to)
		}
	}
}

func TestRewriteRefusesMistakesAtSetUp(t *testing.T) {
	for name, rule := range map[string]middleware.RewriteRule{
		"no slash":              {From: "a", To: "/b"},
		"no slash in To":        {From: "/a", To: "b"},
		"a nameless parameter":  {From: "/a/*", To: "/b"},
		"one name twice":        {From: "/:a/:a", To: "/b"},
		"an unknown parameter":  {From: "/:a", To: "/:b"},
		"a nameless one in To":  {From: "/:a", To: "/:"},
		"none of what To wants": {From: "/a", To: "/*rest"},
	} {
		wantPanic(t, name, func() { middleware.Rewrite(rule) })
	}
}

func ExampleRewrite() {
	app := nextrush.New()
	app.Pre(middleware.Rewrite(
		middleware.RewriteRule{From: "/v1/*rest", To: "/api/*rest"},
		middleware.RewriteRule{From: "/user/:id", To: "/users/:id"},
	))
	app.Get("/users/:id", func(c *nextrush.Context) error { return c.Text("user " + c.Param("id")) })
	fmt.Println(ask(app, "/user/7").Body)
	// Output: user 7
}

func TestRewriteKeepsEncodedSlashesForAProxy(t *testing.T) {
	target := upstream(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) })
	app := nextrush.New()
	app.Pre(middleware.Rewrite(middleware.RewriteRule{From: "/v1/*rest", To: "/api/*rest"}))
	app.Any("/api/*rest", middleware.ReverseProxy(target, middleware.ReverseProxyOptions{StripPrefix: "/api"}))
	for path, want := range map[string]string{"/v1/a%2Fb": "/a%2Fb", "/v1/a%2Fb/c%20d?e=%2F": "/a%2Fb/c%20d?e=%2F"} {
		if w := ask(app, path); w.Body.String() != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
