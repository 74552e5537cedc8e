package main

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

func visitor(t *testing.T) *nextrushtest.Client {
	t.Helper()
	app, err := newApp([]byte("thirty-two bytes from crypto/rand"))
	if err != nil {
		t.Fatal(err)
	}
	return nextrushtest.New(t, app)
}

// cookieOf logs in through the form.
func cookieOf(c *nextrushtest.Client, name, password string) http.Header {
	in := c.Post("/login", "name="+name+"&password="+password).WantStatus(303)
	return http.Header{"Cookie": {strings.Split(in.Header.Get("Set-Cookie"), ";")[0]}}
}

// In real time the limit would allow another guess every three seconds.
func TestGuessesOfPasswordsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := visitor(t)
		for range 10 {
			c.Post("/login", "name=nobody&password=guess").WantStatus(303)
			c.Post("/api/token", credentials{"nobody", "guess"}).WantStatus(401)
		}
		c.Post("/login", "name=nobody&password=guess").WantStatus(429)
		c.Post("/api/token", credentials{"ann", "correct-horse"}).WantStatus(429)
		time.Sleep(3 * time.Second)
		c.Post("/api/token", credentials{"ann", "correct-horse"}).WantStatus(200)
		c.Post("/api/token", credentials{"ann", "correct-horse"}).WantStatus(429)
	})
}

// tokenOf logs in as a program does.
func tokenOf(c *nextrushtest.Client, name, password string) string {
	var out struct{ Token string }
	c.Post("/api/token", credentials{name, password}).WantStatus(200).JSON(&out)
	return out.Token
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

func do(c *nextrushtest.Client, method, path, body string, header http.Header) *nextrushtest.Response {
	r, err := http.NewRequest(method, path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header = header.Clone()
	r.Header.Set("Content-Type", "application/json")
	return c.Do(r)
}

func TestFormLogsInAndOut(t *testing.T) {
	c := visitor(t)
	c.Get("/").WantStatus(200)
	if nobody := c.Get("/api/me").WantStatus(200).Text(); strings.TrimSpace(nobody) != "null" {
		t.Errorf("before the login I am %q", nobody)
	}
	for _, wrong := range []string{"name=ann&password=x", "name=eve&password=correct-horse"} {
		in := c.Post("/login", wrong).WantStatus(303)
		if in.Header.Get("Location") != "/?failed=1" || in.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %v", wrong, in.Header)
		}
	}
	var me struct{ ID string }
	do(c, "GET", "/api/me", "", cookieOf(c, "ann", "correct-horse")).WantStatus(200).JSON(&me)
	if me.ID != "ann" {
		t.Errorf("I am %q", me.ID)
	}
	if out := c.Post("/logout", "").WantStatus(303); out.Cookies()[0].MaxAge >= 0 {
		t.Errorf("logout sets %v", out.Cookies())
	}
}

func TestAnOldHashIsReplacedAtLogin(t *testing.T) {
	u := newUsers()
	for range 2 {
		if err := u.verify(t.Context(), credentials{"ann", "correct-horse"}); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(u.hash["ann"], "$argon2id$") {
			t.Errorf("kept as %s", u.hash["ann"])
		}
	}
}

func TestRolesDecideWhatTheAPIAllows(t *testing.T) {
	c := visitor(t)
	ann, bob, root := bearer(tokenOf(c, "ann", "correct-horse")), bearer(tokenOf(c, "bob", "battery-staple")), bearer(tokenOf(c, "root", "swordfish"))
	c.Post("/api/token", credentials{"bob", "correct-horse"}).WantStatus(401)
	const hi = `{"text":"hi"}`
	do(c, "POST", "/api/notes", hi, http.Header{}).WantStatus(401)
	do(c, "POST", "/api/notes", hi, bob).WantStatus(403)
	do(c, "POST", "/api/notes", `{}`, ann).WantStatus(422)
	do(c, "POST", "/api/notes", hi, ann).WantStatus(201)
	var now state
	do(c, "GET", "/api/notes", "", bob).WantStatus(200).JSON(&now)
	if len(now.Notes) != 1 || now.Notes[0].By != "ann" || now.Notes[0].Text != "hi" || now.Position.Offset != 1 {
		t.Errorf("got %+v", now)
	}
	do(c, "DELETE", "/api/notes", "", ann).WantStatus(403)
	do(c, "DELETE", "/api/notes", "", root).WantStatus(204)
}

func TestAnotherSiteCannotUseTheCookie(t *testing.T) {
	c := visitor(t)
	header := cookieOf(c, "ann", "correct-horse")
	header.Set("Origin", "https://evil.test")
	do(c, "POST", "/api/notes", `{"text":"hi"}`, header).WantStatus(403)
	if e := c.DialError("/feed", &websocket.DialOptions{Header: header}); e.Status != 403 {
		t.Errorf("got %v", e)
	}
}

func TestFeedIsForKnownUsersUntilTheirTokenExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := visitor(t)
		if e := c.DialError("/feed"); e.Status != 401 {
			t.Errorf("got %v", e)
		}
		token := tokenOf(c, "ann", "correct-horse")
		browser := c.Dial("/feed", &websocket.DialOptions{Header: cookieOf(c, "bob", "battery-staple")})
		program := c.Dial("/feed", &websocket.DialOptions{Protocols: []string{"bearer", token}})
		for _, s := range []*nextrushtest.Socket{browser, program} {
			s.ExpectEvent("welcome", nil)
		}
		do(c, "POST", "/api/notes", `{"text":"hi"}`, bearer(token)).WantStatus(201)
		for _, s := range []*nextrushtest.Socket{browser, program} {
			var n note
			s.ExpectEvent("note", &n)
			if n.Text != "hi" || n.By != "ann" {
				t.Errorf("got %+v", n)
			}
		}
		time.Sleep(30 * time.Minute)
		if err := program.Emit("refresh", refreshInput{tokenOf(c, "ann", "correct-horse")}); err != nil {
			t.Error(err)
		}
		_, err := browser.Receive(t.Context())
		if end, ok := err.(*websocket.CloseError); !ok || end.Code != 4401 {
			t.Errorf("after an hour: %v", err)
		}
		if program.State() != websocket.StateOpen {
			t.Errorf("the refreshed socket is %v", program.State())
		}
	})
}
