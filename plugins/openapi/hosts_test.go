package openapi

import (
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
)

// Routes of several hosts for the same paths are all in the document, each where it is.
func TestHostsDoNotHideEachOther(t *testing.T) {
	app := nextrush.New()
	p := New()
	if err := app.Register(p); err != nil {
		t.Fatal(err)
	}
	say := func(text string) nextrush.Handler { return nextrush.Describe(nextrush.Operation{Summary: text}) }
	answer := func(c *nextrush.Context) error { return nil }
	app.Host("api.example.com").Get("/users", say("of the host"), answer)
	app.Get("/users", say("of any"), answer)
	app.Host(":tenant.example.com").Get("/users", say("of a tenant"), answer)
	app.Host("*.example.org").Get("/things/:id", say("of all below"), answer)
	app.Host("api.example.com").Post("/users", say("another method"), answer)
	doc := load(t, p)
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	body, err := p.JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, summary := range []string{"of the host", "of any", "of a tenant", "of all below", "another method"} {
		if n := strings.Count(string(body), `"summary":"`+summary+`"`); n != 1 {
			t.Errorf("%q is in the document %d times", summary, n)
		}
	}
	for _, want := range []string{
		`"servers":[{"url":"//api.example.com"}],"summary":"of the host"`,
		`"servers":[{"url":"//{tenant}.example.com","variables":{"tenant":{"default":"tenant"}}}],"summary":"of a tenant"`,
		`"/users":{"get":{"responses":{"200":{"description":"OK"}},"summary":"of any"}`,
		`"/users#api.example.com":{`,
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("%s is missing in %s", want, body)
		}
	}
}
