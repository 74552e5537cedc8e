package main

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/nextrushtest"
)

var token = regexp.MustCompile(`name="csrf_token" value="([^"]+)"`)

// visitor is a browser that has the form.
type visitor struct {
	t     *testing.T
	c     *nextrushtest.Client
	token string
}

func visit(t *testing.T) *visitor {
	t.Helper()
	v := &visitor{t: t, c: nextrushtest.New(t, newApp("thirty-two bytes from crypto/rand")).WithCookies()}
	v.see(v.c.Get("/").WantStatus(200))
	return v
}

// see keeps the token of the page, and returns its text.
func (v *visitor) see(page *nextrushtest.Response) string {
	v.t.Helper()
	found := token.FindStringSubmatch(page.Text())
	if found == nil {
		v.t.Fatalf("no token:\n%s", page.Text())
	}
	v.token = found[1]
	return page.Text()
}

func (v *visitor) send(name, email, seats string) *nextrushtest.Response {
	return v.c.Post("/", url.Values{"csrf_token": {v.token}, "name": {name}, "email": {email}, "seats": {seats}})
}

func TestWhoSignsUpIsThankedOnce(t *testing.T) {
	v := visit(t)
	v.send("Ann", "ann@a.example", "2").WantStatus(303).WantHeader("Location", "/")
	if page := v.see(v.c.Get("/")); !strings.Contains(page, "Thank you, Ann.") {
		t.Error(page)
	}
	if page := v.see(v.c.Get("/")); strings.Contains(page, "Thank you") {
		t.Error("thanked again")
	}
	page := v.see(v.send("Ann", "ann@a.example", "1").WantStatus(422))
	if !strings.Contains(page, `id="email-fault" class="fault">This address has signed up already`) {
		t.Error(page)
	}
}

func TestWhatIsWrongStandsBesideItsField(t *testing.T) {
	v := visit(t)
	page := v.see(v.send(`"><script>`, "ann", "9").WantStatus(422))
	for _, want := range []string{`value="&#34;&gt;&lt;script&gt;"`, `value="ann"`, `value="9"`, `id="email-fault"`, `id="seats-fault"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s:\n%s", want, page)
		}
	}
	if strings.Contains(page, `id="name-fault"`) {
		t.Error("the name is faulty")
	}
	if page := v.see(v.send("", "", "many").WantStatus(422)); !strings.Contains(page, `value="many"`) || !strings.Contains(page, `id="seats-fault"`) {
		t.Error(page)
	}
	v.send("Ann", "ann@a.example", "4").WantStatus(303)
}

func TestAFormWithoutItsTokenIsRefused(t *testing.T) {
	v := visit(t)
	v.token = "made up"
	v.send("Ann", "ann@a.example", "2").WantStatus(403)
	v.c.Get("/assets/style.css").WantStatus(200)
}
