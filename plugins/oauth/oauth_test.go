package oauth_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/auth"
	"github.com/nextrush/nextrush/plugins/oauth"
	"github.com/nextrush/nextrush/plugins/session"
)

// get follows redirects and returns the status, the text and where it ended.
func (s *shop) get(t *testing.T, path string) (status int, text string, at *url.URL) {
	t.Helper()
	resp, err := s.log.Get(s.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), resp.Request.URL
}

func (s *shop) cookie() string {
	u, _ := url.Parse(s.URL)
	for _, c := range s.log.Jar.Cookies(u) {
		if c.Name == "session" {
			return c.Value
		}
	}
	return ""
}

func TestALogin(t *testing.T) {
	p := newProvider(t)
	s := newShop(t, p, nil)
	if status, _, _ := s.get(t, "/me"); status != 401 {
		t.Fatalf("before: %d", status)
	}
	s.log.CheckRedirect = func(r *http.Request, _ []*http.Request) error { return http.ErrUseLastResponse }
	s.get(t, "/auth/login")
	before := s.cookie()
	s.log.CheckRedirect = nil
	status, text, at := s.get(t, "/auth/login?next="+url.QueryEscape("/cart?item=1"))
	if status != 200 || text != "page /cart" || at.RequestURI() != "/cart?item=1" {
		t.Errorf("after the login: %d %q at %s", status, text, at)
	}
	if after := s.cookie(); after == before || before == "" {
		t.Errorf("the session %q became %q", before, after)
	}
	_, text, _ = s.get(t, "/me")
	var user auth.Principal
	if err := json.Unmarshal([]byte(text), &user); err != nil || user.ID != "ada" || user.Claims["email"] != "ada@example.com" || user.Claims["nonce"] != nil {
		t.Errorf("the user is %s, %v", text, err)
	}
	for name, want := range map[string]string{"client_id": "shop", "response_type": "code", "scope": "openid profile email", "redirect_uri": s.URL + "/auth/callback", "code_challenge_method": "S256"} {
		if got := p.asks.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if len(p.asks.Get(name)) < 43 {
			t.Errorf("%s is %q", name, p.asks.Get(name))
		}
	}
}

func TestLogoutEndsTheSession(t *testing.T) {
	p := newProvider(t)
	for name, end := range map[string]bool{"here": false, "at the provider, too": true} {
		s := newShop(t, p, func(o *oauth.Options) { o.EndSession, o.AfterLogout = end, "/bye" })
		s.get(t, "/auth/login")
		s.log.CheckRedirect = func(r *http.Request, _ []*http.Request) error { return http.ErrUseLastResponse }
		if status, _, _ := s.get(t, "/auth/logout"); status == 303 {
			t.Errorf("%s: a link logs out", name)
		}
		resp, err := s.log.Post(s.URL+"/auth/logout", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		want := "/bye"
		if end {
			want = p.URL + "/logout?client_id=shop&post_logout_redirect_uri=" + url.QueryEscape(s.URL+"/bye") + "&x=1"
		}
		if got := resp.Header.Get("Location"); resp.StatusCode != 303 || got != want {
			t.Errorf("%s: %d to %q, want %q", name, resp.StatusCode, got, want)
		}
		if status, _, _ := s.get(t, "/me"); status != 401 {
			t.Errorf("%s: then %d", name, status)
		}
	}
}

func TestNextStaysOnThisServer(t *testing.T) {
	p := newProvider(t)
	s := newShop(t, p, func(o *oauth.Options) { o.AfterLogin = "/home" })
	for next, want := range map[string]string{
		"/cart": "/cart", "/a?b=c&d": "/a?b=c&d", "/": "/", "": "/home", "cart": "/home",
		"//evil.example": "/home", "///evil.example": "/home", `/\evil.example`: "/home", `\\evil.example`: "/home", "/\t/evil.example": "/home", "/\n/evil.example": "/home",
		"https://evil.example/": "/home", "javascript:alert(1)": "/home", "/ /x": "/home", "/%zz": "/home",
		"/..//evil.example": "/home", "/.//evil.example": "/home", "/%2f/evil.example": "/home", "/a?to=//b": "/a?to=//b",
	} {
		_, _, at := s.get(t, "/auth/login?next="+url.QueryEscape(next))
		if got := at.RequestURI(); got != want || at.Host != strings.TrimPrefix(s.URL, "http://") {
			t.Errorf("%q leads to %s", next, at)
		}
	}
}

func TestWhatIsRefused(t *testing.T) {
	evil := newKey()
	later := func(name string, value any) func(*provider) {
		return func(p *provider) { p.claims = func(claims map[string]any) { claims[name] = value } }
	}
	back := func(name, value string) func(*provider) {
		return func(p *provider) { p.answer = func(query url.Values) { query.Set(name, value) } }
	}
	refuse := func(status int, text string) func(*provider) {
		return func(p *provider) {
			p.token = func(w http.ResponseWriter) bool { w.WriteHeader(status); io.WriteString(w, text); return true }
		}
	}
	for name, test := range map[string]struct {
		how    func(p *provider)
		change func(o *oauth.Options)
		status int
		code   string
	}{
		"another state":         {how: back("state", "other"), status: 400, code: "oauth_state"},
		"no state":              {how: back("state", ""), status: 400, code: "oauth_state"},
		"another code":          {how: back("code", "stolen"), status: 400, code: "oauth_code"},
		"another issuer":        {how: back("iss", "https://evil.example"), status: 403, code: "oauth_token"},
		"the user denies":       {how: back("error", "access_denied"), status: 403, code: "oauth_denied"},
		"a failure there":       {how: back("error", "server_error"), status: 503, code: "oauth_unavailable"},
		"a mistake of ours":     {how: back("error", "invalid_scope"), status: 502, code: "oauth_provider"},
		"another nonce":         {how: later("nonce", "replayed"), status: 403, code: "oauth_token"},
		"no nonce":              {how: later("nonce", ""), status: 403, code: "oauth_token"},
		"expired":               {how: later("exp", time.Now().Add(-time.Minute).Unix()), status: 403, code: "oauth_token"},
		"a token of another":    {how: later("iss", "https://evil.example"), status: 403, code: "oauth_token"},
		"for another":           {how: later("aud", "bank"), status: 403, code: "oauth_token"},
		"for several":           {how: later("aud", []string{"shop", "bank"}), status: 403, code: "oauth_token"},
		"given to another":      {how: later("azp", "bank"), status: 403, code: "oauth_token"},
		"nobody's":              {how: later("sub", ""), status: 403, code: "oauth_token"},
		"another access token":  {how: later("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"), status: 403, code: "oauth_token"},
		"another key":           {how: func(p *provider) { p.sign = evil }, status: 403, code: "oauth_token"},
		"no ID token":           {how: refuse(200, `{"access_token":"access","token_type":"Bearer"}`), status: 403, code: "oauth_token"},
		"no algorithm":          {how: refuse(200, `{"access_token":"access","token_type":"Bearer","id_token":"eyJhbGciOiJub25lIn0.e30."}`), status: 403, code: "oauth_token"},
		"a failure of tokens":   {how: refuse(500, `no`), status: 502, code: "oauth_provider"},
		"our secret is wrong":   {change: func(o *oauth.Options) { o.ClientSecret = "guess" }, status: 502, code: "oauth_provider"},
		"another's document":    {how: func(p *provider) { p.document = func(d map[string]any) { d["issuer"] = "https://evil.example" } }, status: 503, code: "oauth_unavailable"},
		"the provider is away":  {how: func(p *provider) { p.down.Store(true) }, status: 503, code: "oauth_unavailable"},
		"another's information": {how: func(p *provider) { p.userInfo = map[string]any{"sub": "eve"} }, change: func(o *oauth.Options) { o.UserInfo = true }, status: 403, code: "oauth_token"},
		"a rule of the program": {change: func(o *oauth.Options) {
			o.Principal = func(*nextrush.Context, oauth.Login) (*auth.Principal, error) {
				return nil, nextrush.NewError(403, "not on the list").WithCode("list")
			}
		}, status: 403, code: "list"},
		"nobody": {change: func(o *oauth.Options) {
			o.Principal = func(*nextrush.Context, oauth.Login) (*auth.Principal, error) { return nil, nil }
		}, status: 403},
	} {
		p := newProvider(t)
		if test.how != nil {
			test.how(p)
		}
		s := newShop(t, p, test.change)
		status, text, _ := s.get(t, "/auth/login")
		if status != test.status || !strings.Contains(text, test.code) {
			t.Errorf("%s: %d %s", name, status, text)
		}
		if status, _, _ := s.get(t, "/me"); status != 401 {
			t.Errorf("%s: logged in all the same: %d", name, status)
		}
	}
}

// The way back counts once, and in the browser that began.
func TestAnAnswerCountsOnceAndForOneBrowser(t *testing.T) {
	p := newProvider(t)
	s := newShop(t, p, nil)
	var back string
	s.log.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/auth/callback" {
			back = r.URL.RequestURI()
			return http.ErrUseLastResponse
		}
		return nil
	}
	s.get(t, "/auth/login")
	s.log.CheckRedirect = nil
	own := s.log
	s.log = browser(t)
	if status, text, _ := s.get(t, back); status != 400 || !strings.Contains(text, "oauth_state") {
		t.Errorf("in another browser: %d %s", status, text)
	}
	s.log = own
	if status, _, _ := s.get(t, back); status != 200 {
		t.Errorf("in its own: %d", status)
	}
	if status, _, _ := s.get(t, back); status != 400 {
		t.Errorf("again: %d", status)
	}
}

func TestSeveralTabsLogIn(t *testing.T) {
	p := newProvider(t)
	s := newShop(t, p, nil)
	var back []string
	s.log.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/auth/callback" {
			back = append(back, r.URL.RequestURI())
			return http.ErrUseLastResponse
		}
		return nil
	}
	for range 7 {
		s.get(t, "/auth/login")
	}
	s.log.CheckRedirect = nil
	for i, way := range back {
		nonce := i > 5 // the provider of the test knows the nonce of the last one alone
		status, text, _ := s.get(t, way)
		kept := !strings.Contains(text, "oauth_state")
		if kept != (i >= 2) || (status == 200) != nonce {
			t.Errorf("tab %d: %d %s", i, status, text)
		}
	}
}

func TestPrincipalSaysWhoItIs(t *testing.T) {
	p := newProvider(t)
	p.userInfo = map[string]any{"sub": "ada", "email": "unsigned@example.com", "groups": []string{"admin"}}
	s := newShop(t, p, func(o *oauth.Options) {
		o.UserInfo = true
		o.Principal = func(c *nextrush.Context, l oauth.Login) (*auth.Principal, error) {
			session.Put(c, "access", l.Token.AccessToken)
			groups, _ := l.Claims["groups"].([]any)
			return &auth.Principal{ID: l.Claims["email"].(string), Roles: []string{groups[0].(string)}}, nil
		}
	})
	s.get(t, "/auth/login")
	if _, text, _ := s.get(t, "/me"); text != `{"id":"ada@example.com","roles":["admin"]}`+"\n" {
		t.Errorf("%s", text)
	}
}

func TestAServiceWithoutOpenIDConnect(t *testing.T) {
	p := newProvider(t)
	p.userInfo = map[string]any{"login": "ada"}
	s := newShop(t, p, func(o *oauth.Options) {
		o.Issuer, o.Endpoint = "", oauth2.Endpoint{AuthURL: p.URL + "/authorize", TokenURL: p.URL + "/token"}
		o.Scopes = []string{"user"}
		o.Principal = func(c *nextrush.Context, l oauth.Login) (*auth.Principal, error) {
			resp, err := l.Client.Get(p.URL + "/userinfo")
			if err != nil {
				return nil, err
			}
			defer resp.Body.Close()
			var user struct{ Login string }
			err = json.NewDecoder(resp.Body).Decode(&user)
			return &auth.Principal{ID: user.Login}, err
		}
	})
	s.get(t, "/auth/login")
	if _, text, _ := s.get(t, "/me"); text != `{"id":"ada"}`+"\n" || p.asks.Get("scope") != "user" || p.asks.Has("nonce") {
		t.Errorf("%s, asked %v", text, p.asks)
	}
}

func TestTheSecretIsSentAsTheProviderWants(t *testing.T) {
	p := newProvider(t)
	p.inBody = true
	s := newShop(t, p, nil)
	if status, _, _ := s.get(t, "/auth/login"); status != 200 {
		t.Errorf("%d", status)
	}
}

// A provider that was away is asked again.
func TestTheProviderComesBack(t *testing.T) {
	p := newProvider(t)
	p.down.Store(true)
	s := newShop(t, p, nil)
	if status, _, _ := s.get(t, "/auth/login"); status != 503 {
		t.Errorf("away: %d", status)
	}
	p.down.Store(false)
	if status, _, _ := s.get(t, "/auth/login"); status != 200 {
		t.Errorf("back: %d", status)
	}
}

func TestMistakesAreFoundAtSetUp(t *testing.T) {
	good := oauth.Options{Issuer: "https://id.example", ClientID: "shop", RedirectURL: "https://shop.example/auth/callback"}
	endpoint := oauth2.Endpoint{AuthURL: "https://id.example/a", TokenURL: "https://id.example/t"}
	for want, change := range map[string]func(o *oauth.Options){
		"ClientID":                      func(o *oauth.Options) { o.ClientID = "" },
		"give Issuer, or Endpoint":      func(o *oauth.Options) { o.Issuer = "" },
		"not both":                      func(o *oauth.Options) { o.Endpoint = endpoint },
		"needs Principal":               func(o *oauth.Options) { o.Issuer, o.Endpoint = "", endpoint },
		`"http://id.example"`:           func(o *oauth.Options) { o.Issuer = "http://id.example" },
		`RedirectURL: "http://shop.ex`:  func(o *oauth.Options) { o.RedirectURL = "http://shop.example/auth/callback" },
		`RedirectURL: "/auth/callback"`: func(o *oauth.Options) { o.RedirectURL = "/auth/callback" },
		"has to end in /callback":       func(o *oauth.Options) { o.RedirectURL = "https://shop.example/auth" },
		"/callback?x=1":                 func(o *oauth.Options) { o.RedirectURL = "https://shop.example/callback?x=1" },
		"AfterLogin":                    func(o *oauth.Options) { o.AfterLogin = "//evil.example" },
		"AfterLogout":                   func(o *oauth.Options) { o.AfterLogout = "https://shop.example/" },
	} {
		o := good
		change(&o)
		app := nextrush.New()
		app.Register(session.New(session.Options{}))
		if err := app.Register(oauth.New(o)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := nextrush.New().Register(oauth.New(good)); err == nil || !strings.Contains(err.Error(), "session.New") {
		t.Errorf("without sessions: %v", err)
	}
}

func Example() {
	app := nextrush.New()
	err := app.Register(
		session.New(session.Options{}),
		oauth.New(oauth.Options{
			Issuer:      "https://accounts.example",
			ClientID:    "shop",
			RedirectURL: "https://shop.example/auth/callback",
		}),
		auth.New(auth.Options{Lookup: oauth.Lookup}),
	)
	app.Get("/orders", auth.Require(), func(c *nextrush.Context) error { return c.Text(auth.User(c).ID) })
	if err != nil || app.Start(context.Background()) != nil {
		panic("not reached")
	}
	// Output:
}
