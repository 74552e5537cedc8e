package client_test

import (
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/client"
)

// served returns a client of an App with the plugin, which says itself what it accepts.
func served(t *testing.T, p *client.Plugin, before ...nextrush.Handler) *nextrushtest.Client {
	t.Helper()
	app := nextrush.New()
	for _, h := range before {
		app.Use(h)
	}
	if err := app.Register(p); err != nil {
		t.Fatal(err)
	}
	return nextrushtest.New(t, app).With("Accept-Encoding", "identity")
}

func TestFilesHaveTheirTypes(t *testing.T) {
	c := served(t, client.New(client.Options{Path: "/assets/"}))
	for name, want := range map[string][2]string{
		"nextrush.js":       {"text/javascript; charset=utf-8", "presence"},
		"nextrush-react.js": {"text/javascript; charset=utf-8", "useSocket"},
		"nextrush.d.ts":     {"application/typescript; charset=utf-8", "export function presence"},
	} {
		got := c.Get("/assets/"+name).WantStatus(200).WantHeader("Content-Type", want[0]).
			WantHeader("Cache-Control", "no-cache").WantHeader("X-Content-Type-Options", "nosniff")
		if !strings.Contains(got.Text(), want[1]) {
			t.Errorf("%s has no %q", name, want[1])
		}
		c.Get("/" + name).WantStatus(404)
	}
}

func TestEncodingsAreThoseTheClientPrefers(t *testing.T) {
	c := served(t, client.New())
	plain := c.Get("/nextrush.js").WantStatus(200).WantHeader("Content-Encoding", "").Text()
	for accept, want := range map[string]string{
		"gzip, deflate, br, zstd": "br",
		"gzip;q=1, br;q=0.5":      "gzip",
		"br;q=0, gzip":            "gzip",
		"x-gzip":                  "gzip",
		"*":                       "br",
		"*;q=0.5, br;q=0":         "gzip",
		"gzip;q=0":                "",
		"gzip;q=0.5, identity":    "",
		"zstd":                    "",
	} {
		got := c.With("Accept-Encoding", accept).Get("/nextrush.js").WantStatus(200).
			WantHeader("Content-Encoding", want).WantHeader("Vary", "Accept-Encoding")
		if text := got.Text(); want == "" && text != plain || want != "" && len(text) >= len(plain) {
			t.Errorf("%s: %d bytes", accept, len(text))
		}
	}
	zipped, err := gzip.NewReader(strings.NewReader(c.With("Accept-Encoding", "gzip").Get("/nextrush.js").Text()))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(zipped); err != nil || string(text) != plain {
		t.Errorf("gzip is something else: %v", err)
	}
}

// TestEachFormHasATag: middleware.ETag leaves the tags as they are.
func TestEachFormHasATag(t *testing.T) {
	for name, c := range map[string]*nextrushtest.Client{
		"alone": served(t, client.New()), "below ETag": served(t, client.New(), middleware.ETag()),
	} {
		seen := map[string]bool{}
		for _, accept := range []string{"br", "gzip", "identity"} {
			c := c.With("Accept-Encoding", accept)
			whole := c.Get("/nextrush.js").WantStatus(200)
			tag := whole.Header.Get("ETag")
			if seen[tag] || !regexp.MustCompile(`^"[0-9a-f]{32}"$`).MatchString(tag) {
				t.Errorf("%s, %s: tag %s", name, accept, tag)
			}
			seen[tag] = true
			for _, list := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
				same := c.With("If-None-Match", list).Get("/nextrush.js").WantStatus(304).WantHeader("ETag", tag).
					WantHeader("Vary", "Accept-Encoding").WantHeader("Cache-Control", "no-cache")
				if same.Text() != "" {
					t.Errorf("%s, %s: 304 with a body", name, accept)
				}
			}
			c.With("If-None-Match", `"x", "`+strings.Repeat("0", 32)+`"`).Get("/nextrush.js").WantStatus(200)
			head := c.Head("/nextrush.js").WantStatus(200).WantHeader("ETag", tag)
			if name == "alone" && (head.ContentLength != int64(len(whole.Text())) || head.ContentLength != whole.ContentLength) {
				t.Errorf("%s: HEAD says %d bytes, GET %d", accept, head.ContentLength, whole.ContentLength)
			}
			c.With("If-None-Match", tag).Head("/nextrush.js").WantStatus(304)
		}
	}
}

func TestTheHashedURLIsKeptAndChecked(t *testing.T) {
	p := client.New(client.Options{Path: "a b"})
	c := served(t, p)
	if !regexp.MustCompile(`^/a%20b/nextrush\.[0-9a-f]{16}\.js$`).MatchString(p.URL()) {
		t.Errorf("URL is %s", p.URL())
	}
	got := c.Get(p.URL()).WantStatus(200).WantHeader("Cache-Control", "public, max-age=31536000, immutable").Text()
	sum := sha512.Sum384([]byte(got))
	if want := "sha384-" + base64.StdEncoding.EncodeToString(sum[:]); p.Integrity() != want {
		t.Errorf("integrity is %s, want %s", p.Integrity(), want)
	}
	c.Get("/a%20b/nextrush.0123456789abcdef.js").WantStatus(http.StatusNotFound)
}

func TestTheTagsSayTheSame(t *testing.T) {
	p := client.New(client.Options{Path: `/<a>`})
	text := string(p.Script(`n"><b>`))
	found := regexp.MustCompile(`^<script type="importmap" nonce="n&#34;&gt;&lt;b&gt;">(.*)</script>\n<script type="module" ` +
		`src="([^"]*)" integrity="([^"]*)" nonce="n&#34;&gt;&lt;b&gt;"></script>$`).FindStringSubmatch(text)
	if found == nil || found[2] != p.URL() || found[3] != p.Integrity() {
		t.Fatalf("got %s", text)
	}
	var m struct{ Imports, Integrity map[string]string }
	if err := json.Unmarshal([]byte(found[1]), &m); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/%3Ca%3E/nextrush.js", "nextrush-client", "nextrush-client/presence"} {
		if m.Imports[name] != p.URL() {
			t.Errorf("%s leads to %q", name, m.Imports[name])
		}
	}
	if m.Integrity[p.URL()] != p.Integrity() {
		t.Errorf("the map has %v", m.Integrity)
	}
	if strings.Contains(string(p.Script("")), "nonce") {
		t.Error("there is a nonce where none is")
	}
}

func TestParametersAreRefused(t *testing.T) {
	for _, path := range []string{"/:tenant", "/t/*rest"} {
		if err := nextrush.New().Register(client.New(client.Options{Path: path})); err == nil || !strings.Contains(err.Error(), "Path") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestWhatIsServedIsWhatIsPublished fails also where the client cannot be built.
func TestWhatIsServedIsWhatIsPublished(t *testing.T) {
	c := served(t, client.New())
	for name, published := range map[string]string{"nextrush.js": "nextrush.js", "nextrush-react.js": "react.js", "nextrush.d.ts": "nextrush.d.ts"} {
		want, err := os.ReadFile("../../clients/js/dist/" + published)
		if err != nil {
			t.Fatal(err)
		}
		if c.Get("/"+name).Text() != string(want) {
			t.Errorf("%s is something else than clients/js/dist/%s: run go run . in clients/js/build", name, published)
		}
	}
}
