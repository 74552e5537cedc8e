package middleware_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

func TestSecureHeadersByDefault(t *testing.T) {
	want := map[string]string{
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "strict-origin-when-cross-origin",
		"Permissions-Policy":           "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cross-Origin-Embedder-Policy": "",
		"Strict-Transport-Security":    "",
		"Content-Security-Policy": "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
			"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
	}
	for _, target := range []string{"/", "/nowhere"} {
		got := send("GET", target, nil, middleware.SecureHeaders()).Header()
		for name, value := range want {
			if got.Get(name) != value {
				t.Errorf("%s %s: %q, want %q", target, name, got.Get(name), value)
			}
		}
	}
}

func TestSecureHeadersCanBeChangedAndLeftOut(t *testing.T) {
	for name, test := range map[string]struct {
		opts   middleware.SecureHeadersOptions
		header string
		want   string
	}{
		"own policy":             {middleware.SecureHeadersOptions{ContentSecurityPolicy: "default-src 'none';"}, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
		"frames without policy":  {middleware.SecureHeadersOptions{ContentSecurityPolicy: "-"}, "Content-Security-Policy", "frame-ancestors 'none'"},
		"neither":                {middleware.SecureHeadersOptions{ContentSecurityPolicy: "-", FrameAncestors: "-"}, "Content-Security-Policy", ""},
		"frames of this origin":  {middleware.SecureHeadersOptions{FrameAncestors: "'self'"}, "X-Frame-Options", "SAMEORIGIN"},
		"frames of another site": {middleware.SecureHeadersOptions{FrameAncestors: "https://a.example"}, "X-Frame-Options", ""},
		"report only": {middleware.SecureHeadersOptions{ContentSecurityPolicy: "default-src 'none'", CSPReportOnly: true},
			"Content-Security-Policy-Report-Only", "default-src 'none'; frame-ancestors 'none'"},
		"report and enforce": {middleware.SecureHeadersOptions{CSPReportOnly: true}, "Content-Security-Policy", ""},
		"left out":           {middleware.SecureHeadersOptions{ReferrerPolicy: "-"}, "Referrer-Policy", ""},
		"own value":          {middleware.SecureHeadersOptions{CrossOriginEmbedderPolicy: "require-corp"}, "Cross-Origin-Embedder-Policy", "require-corp"},
	} {
		got := send("GET", "/", nil, middleware.SecureHeaders(test.opts)).Header().Get(test.header)
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestHSTSIsSentOverHTTPSOnly(t *testing.T) {
	app := nextrush.New(nextrush.Options{TrustedProxies: []string{"10.0.0.1"}})
	app.Use(middleware.SecureHeaders())
	for name, test := range map[string]struct {
		peer, proto string
		tls         *tls.ConnectionState
		want        string
	}{
		"plain":             {"192.0.2.1:1", "", nil, ""},
		"TLS":               {"192.0.2.1:1", "", new(tls.ConnectionState), "max-age=31536000"},
		"trusted proxy":     {"10.0.0.1:1", "https", nil, "max-age=31536000"},
		"somebody else":     {"192.0.2.1:1", "https", nil, ""},
		"proxy, plain HTTP": {"10.0.0.1:1", "http", new(tls.ConnectionState), ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr, r.TLS = test.peer, test.tls
		if test.proto != "" {
			r.Header.Set("X-Forwarded-Proto", test.proto)
		}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if got := w.Header().Get("Strict-Transport-Security"); got != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestNonceIsOneForAResponseAndAnotherForTheNext(t *testing.T) {
	app := nextrush.New()
	app.Use(middleware.SecureHeaders())
	app.Get("/", func(c *nextrush.Context) error { return c.Text(middleware.CSPNonce(c) + " " + middleware.CSPNonce(c)) })
	app.Get("/none", func(c *nextrush.Context) error { return c.Text("") })
	seen := make(map[string]bool)
	for range 2 {
		w := ask(app, "/")
		nonce, again, _ := strings.Cut(w.Body.String(), " ")
		policy := w.Header().Get("Content-Security-Policy")
		if nonce != again || seen[nonce] || !regexp.MustCompile(`^[A-Z2-7]{26}$`).MatchString(nonce) {
			t.Errorf("nonces %q and %q", nonce, again)
		}
		if strings.Count(policy, " 'self' 'nonce-"+nonce+"';") != 2 || strings.Contains(policy, "{") {
			t.Errorf("policy %q", policy)
		}
		seen[nonce] = true
	}
	if policy := ask(app, "/none").Header().Get("Content-Security-Policy"); strings.Contains(policy, "nonce") {
		t.Errorf("nonce nobody asked for: %q", policy)
	}
}

func TestNonceIsEmptyWithoutAPolicyThatHasOne(t *testing.T) {
	for _, h := range []nextrush.Handler{
		func(c *nextrush.Context) error { return c.Next() },
		middleware.SecureHeaders(middleware.SecureHeadersOptions{ContentSecurityPolicy: "default-src 'self'"}),
	} {
		app := nextrush.New()
		app.Get("/", h, func(c *nextrush.Context) error { return c.Text(middleware.CSPNonce(c)) })
		if w := ask(app, "/"); w.Body.Len() > 0 || strings.Contains(w.Header().Get("Content-Security-Policy"), "nonce") {
			t.Errorf("%q %v", w.Body, w.Header())
		}
	}
}

func TestResponsesDoNotShareWhatHandlersAppend(t *testing.T) {
	app := nextrush.New()
	app.Use(middleware.SecureHeaders())
	app.Get("/", func(c *nextrush.Context) error {
		c.Append("Permissions-Policy", "fullscreen=()")
		return c.NoContent()
	})
	ask(app, "/")
	if got := ask(app, "/").Header().Values("Permissions-Policy"); len(got) != 2 {
		t.Errorf("%q", got)
	}
}

func TestSecureHeadersRefusesMistakesAtSetUp(t *testing.T) {
	for name, o := range map[string]middleware.SecureHeadersOptions{
		"two places for frame-ancestors": {ContentSecurityPolicy: "frame-ancestors 'self'"},
		"a line break":                   {ReferrerPolicy: "origin\r\nX-Evil: 1"},
	} {
		wantPanic(t, name, func() { middleware.SecureHeaders(o) })
	}
}

func ExampleSecureHeaders() {
	app := nextrush.New()
	app.Use(middleware.SecureHeaders(middleware.SecureHeadersOptions{
		ContentSecurityPolicy:   "default-src 'self'; connect-src 'self' https://api.example",
		StrictTransportSecurity: "max-age=63072000; includeSubDomains; preload",
	}))
	app.Get("/", func(c *nextrush.Context) error { return c.Text("hello") })
	fmt.Println(ask(app, "/").Header().Get("Content-Security-Policy"))
	// Output: default-src 'self'; connect-src 'self' https://api.example; frame-ancestors 'none'
}

func ExampleCSPNonce() {
	app := nextrush.New()
	app.Use(middleware.SecureHeaders())
	app.Get("/", func(c *nextrush.Context) error {
		return c.HTML(`<script nonce="` + middleware.CSPNonce(c) + `">console.log("hello")</script>`)
	})
	fmt.Println(ask(app, "/").Code == http.StatusOK)
	// Output: true
}
