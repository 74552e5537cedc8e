package middleware_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

// methods answers with the method and the body.
func methods(o middleware.MethodOverrideOptions) *nextrush.App {
	app := nextrush.New()
	app.Pre(middleware.MethodOverride(o))
	app.Any("/", func(c *nextrush.Context) error {
		body, err := c.Body()
		if err != nil {
			return err
		}
		return c.Text(c.Method() + " " + string(body))
	})
	return app
}

func TestMethodOverride(t *testing.T) {
	const header = "X-HTTP-Method-Override"
	form := []string{"Content-Type", urlencoded}
	long := strings.Repeat("a", 64<<10) + "&_method=DELETE"
	for name, test := range map[string]struct {
		opts   middleware.MethodOverrideOptions
		method string
		body   string
		header []string
		want   string
	}{
		"in the header":             {method: "POST", header: []string{header, "put"}, want: "PUT"},
		"in a form":                 {method: "POST", body: "a=1&_method=delete", header: form, want: "DELETE"},
		"with parameters":           {method: "POST", body: "_method=PATCH", header: []string{"Content-Type", "Application/x-www-form-urlencoded; charset=utf-8"}, want: "PATCH"},
		"the header counts first":   {method: "POST", body: "_method=DELETE", header: append([]string{header, "PUT"}, form...), want: "PUT"},
		"no form":                   {method: "POST", body: "_method=DELETE", want: "POST"},
		"another type":              {method: "POST", body: "_method=DELETE", header: []string{"Content-Type", "text/plain"}, want: "POST"},
		"stray signs":               {method: "POST", body: "a=1;b&_method=DELETE&%zz", header: form, want: "DELETE"},
		"past the limit":            {method: "POST", body: long, header: form, want: "POST"},
		"GET has no say":            {method: "GET", header: []string{header, "DELETE"}, want: "GET"},
		"PUT neither":               {method: "PUT", header: []string{header, "DELETE"}, want: "PUT"},
		"GET is not to be had":      {method: "POST", header: []string{header, "GET"}, want: "POST"},
		"TRACE neither":             {method: "POST", header: []string{header, "TRACE"}, want: "POST"},
		"nor what is not listed":    {opts: middleware.MethodOverrideOptions{Methods: []string{"put"}}, method: "POST", header: []string{header, "DELETE"}, want: "POST"},
		"nor a list":                {method: "POST", header: []string{header, "PUT, DELETE"}, want: "POST"},
		"other names, the default":  {opts: middleware.MethodOverrideOptions{Header: "X-Method", Field: "m"}, method: "POST", body: "_method=PUT", header: append([]string{header, "PUT"}, form...), want: "POST"},
		"other names, those":        {opts: middleware.MethodOverrideOptions{Field: "m"}, method: "POST", body: "m=PUT", header: form, want: "PUT"},
		"the query is not the form": {method: "POST", header: form, want: "POST"},
	} {
		r := httptest.NewRequest(test.method, "/?_method=DELETE", strings.NewReader(test.body))
		for i := 0; i < len(test.header); i += 2 {
			r.Header.Set(test.header[i], test.header[i+1])
		}
		w := httptest.NewRecorder()
		methods(test.opts).ServeHTTP(w, r)
		if got := w.Body.String(); got != test.want+" "+test.body {
			t.Errorf("%s: %.40q, want %s and the body", name, got, test.want)
		}
		if r.Method != test.method {
			t.Errorf("%s: the caller's request has changed", name)
		}
	}
}

func TestMethodOverrideOfUnknownLengthLeavesTheBodyWhole(t *testing.T) {
	body := strings.Repeat("a", 70<<10)
	r := httptest.NewRequest("POST", "/", strings.NewReader(body))
	r.ContentLength = -1
	r.Header.Set("Content-Type", urlencoded)
	w := httptest.NewRecorder()
	methods(middleware.MethodOverrideOptions{}).ServeHTTP(w, r)
	if w.Body.String() != "POST "+body {
		t.Errorf("%d bytes", w.Body.Len())
	}
}

// Whoever decides by Context.Is sees no form here either.
func TestMethodOverrideLeavesMalformedContentTypes(t *testing.T) {
	app := methods(middleware.MethodOverrideOptions{})
	if w := post(app, "/", urlencoded+"; =", "_method=DELETE"); !strings.HasPrefix(w.Body.String(), "POST ") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestMethodOverrideDoesNotGetPastCSRF(t *testing.T) {
	app := methods(middleware.MethodOverrideOptions{})
	app.Use(middleware.CSRF())
	for _, method := range []string{"", "GET", "OPTIONS", "DELETE"} {
		w := post(app, "/", urlencoded, "_method="+method, "Sec-Fetch-Site", "cross-site")
		if w.Code != 403 {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
}

func TestMethodOverrideRefusesMethodsThatChangeNothing(t *testing.T) {
	for _, method := range []string{"GET", "head", "OPTIONS", "TRACE", "CONNECT"} {
		wantPanic(t, method, func() { middleware.MethodOverride(middleware.MethodOverrideOptions{Methods: []string{method}}) })
	}
}

func ExampleMethodOverride() {
	app := nextrush.New()
	app.Pre(middleware.MethodOverride())
	app.Delete("/notes/:id", func(c *nextrush.Context) error { return c.Text("deleted " + c.Param("id")) })
	fmt.Println(post(app, "/notes/7", "application/x-www-form-urlencoded", "_method=DELETE").Body)
	// Output: deleted 7
}
