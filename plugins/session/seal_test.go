package session_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2/memstore"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/session"
	"github.com/nextrush/nextrush/websocket"
)

func keyOf(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func sealed(keys ...[]byte) session.Options { return session.Options{Keys: keys} }

func TestASealedSessionNeedsNothingOnTheServer(t *testing.T) {
	b := &browser{app: newApp(sealed(keyOf(1)))}
	b.get("/put/ada")
	if strings.Contains(b.cookie.Value, "ada") || !b.cookie.HttpOnly || b.cookie.SameSite != http.SameSiteLaxMode {
		t.Errorf("the cookie is %+v", b.cookie)
	}
	b.app = newApp(sealed(keyOf(1))) // another process
	want(t, b.get("/get"), "ada true")
	b.get("/renew")
	want(t, b.get("/pop"), "ada true")
	want(t, b.get("/get"), " false")
	b.get("/put/bob")
	b.get("/destroy")
	if b.cookie.MaxAge >= 0 || b.cookie.Value != "" {
		t.Errorf("after the end the cookie is %+v", b.cookie)
	}
}

func TestKeysOfSealedSessionsAreReplaced(t *testing.T) {
	b := &browser{app: newApp(sealed(keyOf(1)))}
	b.get("/put/ada")
	b.app = newApp(sealed(keyOf(2), keyOf(1)))
	want(t, b.get("/get"), "ada true") // and it is sealed anew
	b.app = newApp(sealed(keyOf(2)))
	want(t, b.get("/get"), "ada true")
	b.app = newApp(sealed(keyOf(3)))
	want(t, b.get("/get"), " false")
}

func TestACookieThatIsNotOursBeginsANewSession(t *testing.T) {
	b := &browser{app: newApp(sealed(keyOf(1)))}
	b.get("/put/ada")
	good := b.cookie.Value
	other := &browser{app: newApp(session.Options{Keys: [][]byte{keyOf(1)}, Cookie: "other"})}
	other.get("/put/ada")
	flipped := []byte(good)
	flipped[len(flipped)/2] ^= 1
	for name, value := range map[string]string{
		"changed": string(flipped), "cut": good[:len(good)-9], "empty": "", "no base64": "!!", "short": "AAAA",
		"of another cookie": other.cookie.Value,
	} {
		b.cookie = &http.Cookie{Name: "session", Value: value}
		if got := b.get("/get"); got != " false" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestSealedSessionsEndWithTheirTime(t *testing.T) {
	o := sealed(keyOf(1))
	o.Lifetime, o.Idle = time.Hour, 20*time.Minute
	app := newApp(o) // outside of the bubble, as the goroutine of scs outlives it
	synctest.Test(t, func(t *testing.T) {
		b := &browser{app: app}
		b.get("/put/ada")
		stolen := *b.cookie
		for range 3 {
			<-time.After(15 * time.Minute)
			want(t, b.get("/get"), "ada true")
		}
		want(t, (&browser{app: b.app, cookie: &stolen}).get("/get"), " false")
		<-time.After(16 * time.Minute)
		want(t, b.get("/get"), " false")
	})
}

func TestASealedSessionThatIsTooLargeIsAnErrorAndTheOldOneStays(t *testing.T) {
	app := newApp(sealed(keyOf(1)))
	app.Get("/fill", func(c *nextrush.Context) error {
		session.Put(c, "v", strings.Repeat("x", 4000))
		return c.Text("filled")
	})
	b := &browser{app: app}
	b.get("/put/ada")
	var problem struct{ Status int }
	if err := json.Unmarshal([]byte(b.get("/fill")), &problem); err != nil || problem.Status != 500 {
		t.Errorf("%v, status %d", err, problem.Status)
	}
	want(t, b.get("/get"), "ada true")
}

func TestTheLargestSealedSessionFitsInACookie(t *testing.T) {
	app := newApp(session.Options{Keys: [][]byte{keyOf(1)}, Domain: "app.example.com", Path: "/some/where"})
	app.Get("/fill", func(c *nextrush.Context) error {
		session.Put(c, "v", strings.Repeat("x", 2650))
		return c.NoContent()
	})
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/fill", nil))
	if n := len(w.Header().Get("Set-Cookie")); w.Code != 204 || n > 4096 {
		t.Errorf("status %d, %d bytes", w.Code, n)
	}
}

func TestASocketReadsASealedSession(t *testing.T) {
	app := newApp(sealed(keyOf(1)))
	b := &browser{app: app}
	b.get("/put/ada")
	header := http.Header{"Cookie": {b.cookie.Name + "=" + b.cookie.Value}}
	s := nextrushtest.New(t, app).Dial("/ws", &websocket.DialOptions{Header: header})
	s.Expect("you are ada")
}

func TestWrongKeysAreRefusedWithTheFix(t *testing.T) {
	for text, o := range map[string]session.Options{
		"Keys[1] has 16 bytes: give 32": sealed(keyOf(1), make([]byte, 16)),
		"give one or more":              {Keys: [][]byte{}},
		"and no Store":                  {Keys: [][]byte{keyOf(1)}, Store: memstore.New()},
	} {
		err := session.New(o).Install(nextrush.New())
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("want %q, got %v", text, err)
		}
	}
}

func ExampleOptions_keys() {
	key := make([]byte, 32)
	rand.Read(key) // rather use a secret that all processes know
	app := nextrush.New()
	err := app.Register(session.New(session.Options{Keys: [][]byte{key}}))
	fmt.Println(err)
	// Output: <nil>
}
