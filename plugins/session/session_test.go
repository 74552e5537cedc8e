package session_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/session"
	"github.com/nextrush/nextrush/websocket"
)

func newApp(o session.Options) *nextrush.App {
	app := nextrush.New(nextrush.Options{TrustedProxies: []string{"192.0.2.1"}})
	app.Register(session.New(o))
	app.EnableWebSocket(websocket.Options{})
	app.Get("/put/:v", func(c *nextrush.Context) error {
		session.Put(c, "v", c.Param("v"))
		return c.Text("put")
	})
	app.Get("/get", func(c *nextrush.Context) error {
		v, ok := session.Get[string](c, "v")
		return c.Text(fmt.Sprintf("%s %v", v, ok))
	})
	app.Get("/pop", func(c *nextrush.Context) error {
		v, ok := session.Pop[string](c, "v")
		return c.Text(fmt.Sprintf("%s %v", v, ok))
	})
	app.Get("/number", func(c *nextrush.Context) error {
		_, ok := session.Get[int](c, "v")
		return c.Text(fmt.Sprint(ok))
	})
	app.Get("/renew", func(c *nextrush.Context) error { return session.Renew(c) })
	app.Get("/stream/:v", func(c *nextrush.Context) error {
		session.Put(c, "v", c.Param("v"))
		if err := http.NewResponseController(c.Writer()).Flush(); err != nil {
			return err
		}
		return c.Text("put")
	})
	app.Get("/destroy", func(c *nextrush.Context) error { return session.Destroy(c) })
	app.WS("/ws", func(s *websocket.Socket, c *nextrush.Context) error {
		v, _ := session.Get[string](c, "v")
		return s.Send("you are " + v)
	})
	return app
}

// browser keeps the cookie.
type browser struct {
	app    http.Handler
	cookie *http.Cookie
	header http.Header
}

func (b *browser) get(path string) string {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	maps.Copy(r.Header, b.header)
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	w := httptest.NewRecorder()
	b.app.ServeHTTP(w, r)
	for _, cookie := range w.Result().Cookies() {
		b.cookie = cookie
	}
	return w.Body.String()
}

func want(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestASessionKeepsValuesForItsClientOnly(t *testing.T) {
	app := newApp(session.Options{})
	one, two := &browser{app: app}, &browser{app: app}
	one.get("/put/ada")
	two.get("/put/bob")
	want(t, one.get("/get"), "ada true")
	want(t, two.get("/get"), "bob true")
	want(t, one.get("/number"), "false")
	want(t, one.get("/pop"), "ada true")
	want(t, one.get("/get"), " false")
	two.get("/destroy")
	want(t, two.get("/get"), " false")
}

func TestASessionIsSavedBeforeTheAnswerIsFlushed(t *testing.T) {
	b := &browser{app: newApp(session.Options{})}
	want(t, b.get("/stream/ada"), "put")
	want(t, b.get("/get"), "ada true")
}

// CVE-2024-38513: an id that an attacker chose was taken over.
func TestAnIDThatAClientMadeUpIsNotUsed(t *testing.T) {
	b := &browser{app: newApp(session.Options{}), cookie: &http.Cookie{Name: "session", Value: "chosen"}}
	b.get("/put/ada")
	if b.cookie.Value == "chosen" || len(b.cookie.Value) < 40 {
		t.Errorf("the id is %q", b.cookie.Value)
	}
	before := *b.cookie
	b.get("/renew")
	if b.cookie.Value == before.Value {
		t.Error("Renew keeps the id")
	}
	want(t, b.get("/get"), "ada true")
	old := &browser{app: b.app, cookie: &before}
	want(t, old.get("/get"), " false")
}

func TestTheCookieIsForThisSiteOnly(t *testing.T) {
	b := &browser{app: newApp(session.Options{})}
	b.get("/put/x")
	if c := b.cookie; !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("the cookie is %+v", c)
	}
	b = &browser{app: newApp(session.Options{Strict: true, Cookie: "sid"}), header: http.Header{"X-Forwarded-Proto": {"https"}}}
	b.get("/put/x")
	if c := b.cookie; c.Name != "sid" || !c.Secure || c.SameSite != http.SameSiteStrictMode {
		t.Errorf("over HTTPS the cookie is %+v", c)
	}
}

func TestSessionsEnd(t *testing.T) {
	for name, store := range stores() { // made outside of the bubble, as their goroutines outlive it
		p := session.New(session.Options{Store: store, Idle: time.Hour, Lifetime: 3 * time.Hour})
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { sessionsEnd(t, p) }) })
	}
}

func sessionsEnd(t *testing.T, p *session.Plugin) {
	app := nextrush.New()
	app.Register(p)
	app.Get("/put", func(c *nextrush.Context) error { session.Put(c, "v", 1); return nil })
	app.Get("/get", func(c *nextrush.Context) error {
		_, ok := session.Get[int](c, "v")
		return c.Text(fmt.Sprint(ok))
	})
	idle, busy := &browser{app: app}, &browser{app: app}
	idle.get("/put")
	busy.get("/put")
	for range 5 {
		<-time.After(30 * time.Minute)
		want(t, busy.get("/get"), "true")
	}
	want(t, idle.get("/get"), "false")
	<-time.After(31 * time.Minute)
	want(t, busy.get("/get"), "false")
}

func TestSocketsReadTheSession(t *testing.T) {
	app := newApp(session.Options{})
	c := nextrushtest.New(t, app)
	res := c.Get("/put/ada")
	s := c.Dial("/ws", &websocket.DialOptions{Header: http.Header{"Cookie": {res.Cookies()[0].String()}}})
	s.Expect("you are ada")
}

func Example() {
	app := nextrush.New()
	app.Register(session.New(session.Options{}))
	app.Get("/visits", func(c *nextrush.Context) error {
		n, _ := session.Get[int](c, "visits")
		session.Put(c, "visits", n+1)
		return c.Text(fmt.Sprint(n + 1))
	})
	b := &browser{app: app}
	fmt.Println(b.get("/visits"), b.get("/visits"))
	// Output: 1 2
}

// broken is a store that fails to write.
type broken struct{ scs.Store }

func (broken) Commit(string, []byte, time.Time) error { return errors.New("the store is away") }

func TestASessionThatCannotBeSavedIsA500(t *testing.T) {
	app := newApp(session.Options{Store: broken{memstore.New()}})
	app.Get("/none/:v", func(c *nextrush.Context) error {
		session.Put(c, "v", c.Param("v"))
		return c.NoContent()
	})
	app.Get("/fails/:v", func(c *nextrush.Context) error {
		session.Put(c, "v", c.Param("v"))
		return nextrush.NewError(418)
	})
	app.Get("/answers/:v", func(c *nextrush.Context) error {
		session.Put(c, "v", c.Param("v"))
		c.HandleError(nextrush.NewError(418))
		return nil
	})
	for path, status := range map[string]int{"/put/x": 500, "/none/x": 500, "/fails/x": 500, "/answers/x": 418} {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		var problem struct{ Status int }
		if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil || w.Code != status || problem.Status != status {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
		if w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s sets %v", path, w.Header()["Set-Cookie"])
		}
	}
}

func TestARequestThatIsStillRunningDoesNotUndoWhatAnotherSaved(t *testing.T) {
	for name, test := range map[string]struct {
		slow, meanwhile, want string
	}{
		"a reader after a logout":     {"read", "/destroy", " false"},
		"a writer after a logout":     {"write", "/destroy", " false"},
		"a reader after a renewal":    {"read", "/renew", " false"},
		"a reader after a writer":     {"read", "/put/new", "new true"},
		"a writer beside a reader":    {"write", "/get", "slow true"},
		"a reader beside a reader":    {"read", "/get", "old true"},
		"a remover beside a reader":   {"pop", "/get", " false"},
		"a renewal beside a reader":   {"renew", "/get", " false"},
		"a renewal after a logout":    {"renew", "/destroy", " false"},
		"a renewal after a renewal":   {"renew", "/renew", " false"},
		"a logout beside a writer":    {"destroy", "/put/new", " false"},
		"a second logout of the same": {"destroy", "/destroy", " false"},
	} {
		for kind, store := range stores() {
			app := newApp(session.Options{Store: store})
			b := &browser{app: app}
			b.get("/put/old")
			cookie := *b.cookie
			app.Get("/slow/:what", func(c *nextrush.Context) error {
				(&browser{app: app, cookie: &cookie}).get(test.meanwhile)
				switch c.Param("what") {
				case "write":
					session.Put(c, "v", "slow")
				case "pop":
					session.Pop[string](c, "v")
				case "renew":
					return session.Renew(c)
				case "destroy":
					return session.Destroy(c)
				}
				return c.NoContent()
			})
			b.get("/slow/" + test.slow)
			old := &browser{app: app, cookie: &cookie}
			if got := old.get("/get"); got != test.want {
				t.Errorf("%s, %s: the old cookie has %q, want %q", name, kind, got, test.want)
			}
			if got := b.get("/get"); test.meanwhile == "/destroy" && got != test.want {
				t.Errorf("%s, %s: the new cookie has %q, want %q", name, kind, got, test.want)
			}
		}
	}
}

// able is a writer that counts what arrives through the methods that save copies.
type able struct {
	*httptest.ResponseRecorder
	strings, readers int
}

func (w *able) WriteString(s string) (int, error) {
	w.strings++
	return w.ResponseRecorder.WriteString(s)
}

func (w *able) ReadFrom(src io.Reader) (int64, error) {
	w.readers++
	return io.Copy(w.ResponseRecorder, src)
}

func TestTheWriterKeepsWhatTheOneBelowCanDo(t *testing.T) {
	app := newApp(session.Options{})
	app.Get("/all", func(c *nextrush.Context) error {
		session.Put(c, "v", "saved")
		if _, err := io.Copy(c.Writer(), io.LimitReader(strings.NewReader("read"), 4)); err != nil {
			return err
		}
		_, err := io.WriteString(c.Writer(), " and text")
		return err
	})
	w := &able{ResponseRecorder: httptest.NewRecorder()}
	app.ServeHTTP(w, httptest.NewRequest("GET", "/all", nil))
	if w.strings != 1 || w.readers != 1 || w.Body.String() != "read and text" || w.Header().Get("Set-Cookie") == "" {
		t.Errorf("%d strings, %d readers, %s, %v", w.strings, w.readers, w.Body, w.Header())
	}
}

// Under the race detector: a handler that is too late runs while the session is saved.
func TestALateHandlerMayPut(t *testing.T) {
	app := nextrush.New()
	app.Register(session.New(session.Options{}))
	ended := make(chan struct{})
	app.Use(nextrush.WrapMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			go func() {
				defer close(ended)
				next.ServeHTTP(httptest.NewRecorder(), r)
			}()
			w.WriteHeader(http.StatusAccepted)
		})
	}))
	app.Get("/", func(c *nextrush.Context) error { session.Put(c, "v", "late"); return nil })
	b := &browser{app: app}
	b.get("/")
	<-ended
}

func TestARenewalAfterALogoutKeepsWhatItsRequestHasPut(t *testing.T) {
	for kind, store := range stores() {
		app := newApp(session.Options{Store: store})
		b := &browser{app: app}
		b.get("/put/old")
		cookie := *b.cookie
		app.Get("/login", func(c *nextrush.Context) error {
			session.Put(c, "v", "new")
			(&browser{app: app, cookie: &cookie}).get("/destroy")
			return session.Renew(c)
		})
		b.get("/login")
		if got := b.get("/get"); got != "new true" {
			t.Errorf("%s: %q", kind, got)
		}
	}
}

func TestNothingStaysOfASessionThatEnded(t *testing.T) {
	store := memstore.New()
	app := newApp(session.Options{Store: store})
	b := &browser{app: app}
	b.get("/put/ada")
	late := *b.cookie
	app.Get("/late", func(c *nextrush.Context) error {
		b.get("/destroy")
		session.Put(c, "v", "late")
		return c.NoContent()
	})
	(&browser{app: app, cookie: &late}).get("/late")
	if all, _ := store.All(); len(all) > 0 {
		t.Errorf("%d entries stay", len(all))
	}
}

// A browser has several cookies of one name if Domain or Path has changed, or if another
// host of the domain has set one (RFC 6265 §4.2.2).
func TestOfSeveralCookiesTheValidOneCounts(t *testing.T) {
	for _, o := range []session.Options{{}, {Store: memstore.New()}, sealed(keyOf(1))} {
		app := newApp(o)
		send := func(path, cookies string) *httptest.ResponseRecorder {
			r := httptest.NewRequest("GET", path, nil)
			r.Header.Set("Cookie", cookies)
			w := httptest.NewRecorder()
			app.ServeHTTP(w, r)
			return w
		}
		cookie := send("/put/ada", "session=stale; session=").Result().Cookies()[0].String()
		cookie, _, _ = strings.Cut(cookie, ";")
		for _, cookies := range []string{
			"session=stale; " + cookie, cookie + "; session=stale", "session=; " + cookie,
			"session=a; session=b; session=c; a=b; " + cookie + "; session=d",
		} {
			want(t, send("/get", cookies).Body.String(), "ada true")
		}
		if o.Keys == nil {
			send("/destroy", "session=stale; "+cookie)
			want(t, send("/get", cookie).Body.String(), " false")
		}
	}
}

func TestDestroyAndRenewEndAllThatTheClientHas(t *testing.T) {
	for _, path := range []string{"/destroy", "/renew"} {
		for kind, store := range stores() {
			app := newApp(session.Options{Store: store})
			one, two, both := &browser{app: app}, &browser{app: app}, &browser{app: app}
			one.get("/put/ada")
			two.get("/put/bob")
			both.header = http.Header{"Cookie": {one.cookie.String() + "; " + two.cookie.String()}}
			both.get(path)
			if got := one.get("/get") + two.get("/get"); got != " false false" {
				t.Errorf("%s, %s: %q", path, kind, got)
			}
		}
	}
}

func TestACookieFromBeforeDomainWasSetIsCleared(t *testing.T) {
	for _, o := range []session.Options{{}, {Keys: [][]byte{keyOf(1)}}} {
		o.Domain = "example.com"
		app := newApp(o)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("GET", "/put/ada", nil))
		if set := w.Header()["Set-Cookie"]; len(set) != 1 {
			t.Errorf("the first cookie comes as %q", set)
		}
		for path, value := range map[string]string{"/put/bob": "", "/destroy": "session=; "} {
			r := httptest.NewRequest("GET", path, nil)
			r.AddCookie(w.Result().Cookies()[0])
			w := httptest.NewRecorder()
			app.ServeHTTP(w, r)
			set := w.Header()["Set-Cookie"]
			if len(set) != 2 || strings.Contains(set[0], "Domain") || !strings.HasPrefix(set[0], "session=; Path=/; Max-Age=0") ||
				!strings.Contains(set[1], "; Domain=example.com") || !strings.HasPrefix(set[1], value) {
				t.Errorf("%s: %q", path, set)
			}
		}
	}
}

// stores returns one of each kind: nil for memory, and one that is not an Updater.
func stores() map[string]scs.Store {
	return map[string]scs.Store{"memory": nil, "another": memstore.New()}
}
